/* Driver of the universal communication module UC0 as a UART. That its bus clock is ULPCLK (40 MHz) follows
 * from TI's examples, which wake from standby with it; no document that we found says so. If it were
 * MCLK, the line would run at twice the rate: then EKW_UART_CLOCK_HZ is wrong. Of the errata of this
 * module (UNICOMMUART_ERR_01 to 11 in SLVSJM6) only the titles were seen. */
#include "port/common/pause.h"
#include "port/common/ring.h"
#include "port/common/uart.h"
#include "port/mspm0g5187/registers.h"

/* Sixteen samples to a bit, in 64ths: 40 MHz / 16 / 115200 = 21 + 45/64. */
#define DIVISOR_64 ((EKW_UART_CLOCK_HZ * 8u / EKW_BAUD + 1u) / 2u)

#define POWER_UP_ROUNDS 16 /* TI's driver waits for 16 cycles */

_Static_assert(DIVISOR_64 >= 64u && DIVISOR_64 / 64u <= UINT16_MAX, "the baud rate is out of reach of this clock");

static void power_up(void) {
    UC0_RSTCTL = UC0_RSTCTL_RESET;
    UC0_PWREN = UC0_PWREN_ON;
    for (volatile int32_t round = 0; round < POWER_UP_ROUNDS; round++) {
    }
    UC0_IPMODE = UC0_IPMODE_UART;
}

/* The line control is written last: it takes over the divisor. */
void ekw_uart_init(void) {
    power_up();
    UART_CLKSEL = UART_CLKSEL_BUSCLK;
    UART_CLKDIV = 0;
    UART_CTL0 = UART_CTL0_RXE_TXE;
    UART_IBRD = DIVISOR_64 / 64u;
    UART_FBRD = DIVISOR_64 % 64u;
    UART_LCRH = UART_LCRH_8N1;
    UART_IFLS = UART_IFLS_RX_NOT_EMPTY;
    UART_IMASK = UART_INTERRUPT_RX;
    UART_CTL0 |= UART_CTL0_ENABLE;
}

void ekw_uart_receive_interrupt(void) {
    UART_ICLR = UART_INTERRUPT_RX;
    while ((UART_STAT & UART_STAT_RX_EMPTY) == 0) {
        ekw_ring_put((uint8_t)UART_RXDATA);
    }
}

void ekw_uart_putc_blocking(char c) {
    while ((UART_STAT & UART_STAT_TX_FULL) != 0) {
    }
    UART_TXDATA = (uint8_t)c;
}

/* Waits until the FIFO is empty, and then for the time of the byte in the shift register. */
void ekw_uart_flush(void) {
    while ((UART_STAT & UART_STAT_TX_EMPTY) == 0) {
    }
    ekw_pause(EKW_BYTE_CLOCKS);
}
