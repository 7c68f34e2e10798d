#include "app/memory.h"

#include "app/text.h"
#include "port/port.h"

void ekw_memory_print(void) {
    const uint32_t size = ekw_port_stack_size();
    ekw_put("m-memory-stack-[");
    if (size == 0) {
        ekw_put("unknown");
    } else {
        ekw_put_unsigned(ekw_port_stack_used());
        ekw_put(",");
        ekw_put_unsigned(size);
    }
    ekw_put_line("]");
}
