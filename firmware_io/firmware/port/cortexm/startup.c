/* From reset to main: coprocessors, .data, .bss. */
#include <stddef.h>

#include "port/cortexm/cortexm.h"

#define CPACR EKW_REGISTER(0xE000ED88u) /* Arm v7-M reference manual B3.2.20 */
#define CPACR_CP10_CP11_FULL (0xFu << 20)

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

/* A function of its own: the compiler may use vector registers here, in ekw_reset it must not. */
static __attribute__((noinline, noreturn)) void start(void) {
    copy(ekw_data_start, ekw_data_end, ekw_data_load);
    clear(ekw_bss_start, ekw_bss_end);
    main();
    for (;;) {
        ekw_wait_for_interrupt();
    }
}

void ekw_reset(void) {
    CPACR |= CPACR_CP10_CP11_FULL;
    __asm volatile("dsb\n\tisb" ::: "memory");
    start();
}

void ekw_irq_enable(uint32_t irq) {
    EKW_REGISTER(0xE000E100u + 4u * (irq / 32u)) = 1u << (irq % 32u); /* NVIC_ISER */
}
