#include "port/cortexm/uart_cmsdk.h"

#include <stdbool.h>

#include "port/cortexm/cortexm.h"
#include "port/port.h"

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

/* More than the longest command: the host sends the next one only after m-ready. */
#define RING_BYTES 512u
static volatile uint8_t ring[RING_BYTES];
static volatile uint32_t written, taken;

void ekw_uart_init(uint32_t receive_irq) {
    BAUDDIV = EKW_CLOCK_HZ / EKW_BAUD;
    CTRL = CTRL_TX_RX_RXIRQ;
    ekw_irq_enable(receive_irq);
}

void ekw_uart_receive_interrupt(void) {
    INTCLEAR = INT_RX;
    while ((STATE & STATE_RX_FULL) != 0) {
        const uint8_t byte = (uint8_t)DATA;
        if (written - taken < RING_BYTES) {
            ring[written % RING_BYTES] = byte;
            written++;
        }
    }
}

void ekw_uart_putc_blocking(char c) {
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    DATA = (uint8_t)c;
}

void ekw_port_putc(char c) {
    ekw_uart_putc_blocking(c);
}

/* Interrupts are off between the look at the ring and the sleep: no byte can slip in between. */
int ekw_port_getc(void) {
    ekw_interrupts_off();
    while (written == taken) {
        ekw_wait_for_interrupt();
        ekw_interrupts_on();
        ekw_interrupts_off();
    }
    const int byte = ring[taken % RING_BYTES];
    taken++;
    ekw_interrupts_on();
    return byte;
}
