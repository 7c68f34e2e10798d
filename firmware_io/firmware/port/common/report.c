#include "port/common/report.h"

#include "port/common/core.h"
#include "port/common/uart.h"

void ekw_report(const char *text) {
    while (*text != '\0') {
        ekw_uart_putc_blocking(*text++);
    }
}

void ekw_report_field(const char *name, uint32_t value) {
    ekw_report(name);
    for (uint32_t shift = 32u; shift > 0u; shift -= 4u) {
        ekw_uart_putc_blocking("0123456789abcdef"[(value >> (shift - 4u)) & 15u]);
    }
}

void ekw_report_end(void) {
    ekw_report("]\r\n");
    ekw_interrupts_off();
    for (;;) {
        ekw_wait_for_interrupt();
    }
}
