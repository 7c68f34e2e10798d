/* Driver of the CMSDK APB UART (Arm DDI 0479), as the MPS2 and MPS3 boards have it. */
#include "port/common/core.h"
#include "port/common/pause.h"
#include "port/common/ring.h"
#include "port/common/uart.h"

#define DATA EKW_REGISTER(EKW_UART_BASE + 0x00u)
#define STATE EKW_REGISTER(EKW_UART_BASE + 0x04u)
#define CTRL EKW_REGISTER(EKW_UART_BASE + 0x08u)
#define INTCLEAR EKW_REGISTER(EKW_UART_BASE + 0x0Cu)
#define BAUDDIV EKW_REGISTER(EKW_UART_BASE + 0x10u)

#define STATE_TX_FULL (1u << 0)
#define STATE_RX_FULL (1u << 1)
#define CTRL_TX_RX_RXIRQ ((1u << 0) | (1u << 1) | (1u << 3))
#define INT_RX (1u << 1)

_Static_assert(EKW_CLOCK_HZ / EKW_BAUD >= 16, "below 16 clocks per bit this UART stays silent");

void ekw_uart_init(void) {
    BAUDDIV = EKW_CLOCK_HZ / EKW_BAUD;
    CTRL = CTRL_TX_RX_RXIRQ;
}

void ekw_uart_receive_interrupt(void) {
    INTCLEAR = INT_RX;
    while ((STATE & STATE_RX_FULL) != 0) {
        ekw_ring_put((uint8_t)DATA);
    }
}

void ekw_uart_putc_blocking(char c) {
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    DATA = (uint8_t)c;
}

/* No bit shows when the last byte has left the shift register. */
void ekw_uart_flush(void) {
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    ekw_pause(EKW_BYTE_CLOCKS);
}
