/* Text is written byte by byte, without a buffer: a line is short, and the next command waits for its end. */
#include "port/common/uart.h"
#include "port/port.h"

void ekw_port_putc(char c) {
    ekw_uart_putc_blocking(c);
}

void ekw_port_flush(void) {
    ekw_uart_flush();
}
