#include "port/common/start.h"

#include <stdint.h>

#include "port/common/core.h"
#include "port/common/stack.h"

/* By the linker script. */
extern uint32_t ekw_data_load[], ekw_data_start[], ekw_data_end[], ekw_bss_start[], ekw_bss_end[];
int main(void);

static void copy(uint32_t *to, const uint32_t *end, const uint32_t *from) {
    while (to != end) {
        *to++ = *from++;
    }
}

static void clear(uint32_t *to, const uint32_t *end) {
    while (to != end) {
        *to++ = 0;
    }
}

void ekw_start(void) {
    ekw_stack_paint();
    copy(ekw_data_start, ekw_data_end, ekw_data_load);
    clear(ekw_bss_start, ekw_bss_end);
    main();
    for (;;) {
        ekw_wait_for_interrupt();
    }
}
