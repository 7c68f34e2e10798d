/* Driver of a 16550 (National Semiconductor PC16550D, section 8), registers one byte apart.
 * EKW_UART_CLOCK_HZ, the input of its divider, comes from the board's TOML file. */
#include <stdint.h>

#include "port/common/ring.h"
#include "port/common/uart.h"

#define UART_BYTE(offset) (*(volatile uint8_t *)(EKW_UART_BASE + (offset)))
#define DATA UART_BYTE(0u)
#define INTERRUPTS UART_BYTE(1u)
#define FIFO UART_BYTE(2u)
#define LINE UART_BYTE(3u)
#define STATUS UART_BYTE(5u)
#define DIVISOR_LOW UART_BYTE(0u) /* while LINE_DIVISOR is set */
#define DIVISOR_HIGH UART_BYTE(1u)

#define INTERRUPT_RECEIVED (1u << 0)
#define FIFO_ON_AND_EMPTY ((1u << 0) | (1u << 1) | (1u << 2)) /* interrupt at the first byte */
#define LINE_8N1 3u
#define LINE_DIVISOR (1u << 7)
#define STATUS_RECEIVED (1u << 0)
#define STATUS_CAN_SEND (1u << 5)
#define STATUS_ALL_SENT (1u << 6)

#define DIVISOR (EKW_UART_CLOCK_HZ / 16u / EKW_BAUD)

_Static_assert(DIVISOR >= 1u && DIVISOR <= UINT16_MAX, "the divider has 16 bits and 0 stops it");

void ekw_uart_init(void) {
    LINE = LINE_DIVISOR;
    DIVISOR_LOW = (uint8_t)(DIVISOR & 255u);
    DIVISOR_HIGH = (uint8_t)(DIVISOR >> 8);
    LINE = LINE_8N1;
    FIFO = FIFO_ON_AND_EMPTY;
    INTERRUPTS = INTERRUPT_RECEIVED;
}

void ekw_uart_receive_interrupt(void) {
    while ((STATUS & STATUS_RECEIVED) != 0) {
        ekw_ring_put(DATA);
    }
}

void ekw_uart_putc_blocking(char c) {
    while ((STATUS & STATUS_CAN_SEND) == 0) {
    }
    DATA = (uint8_t)c;
}

void ekw_uart_flush(void) {
    while ((STATUS & STATUS_ALL_SENT) == 0) {
    }
}
