/* Driver of LPUART1, clocked by APB1 (its choice after a reset), on the pins of the board's virtual COM port. */
#include "port/common/ring.h"
#include "port/common/uart.h"
#include "port/stm32l4r5/registers.h"

/* RM0432, LPUART baud rate generation: the divider is 256 clocks to the baud, and 768 to 2^20 - 1. The slow rates of
 * energy mode need the prescaler. */
#if EKW_CLOCK_HZ / EKW_BAUD < 4096u
#define PRESCALER 1u
#else
#define PRESCALER 16u
#endif
#define INPUT_HZ (EKW_CLOCK_HZ / PRESCALER)
#define DIVIDER ((INPUT_HZ / EKW_BAUD) * 256u + (INPUT_HZ % EKW_BAUD) * 256u / EKW_BAUD)

_Static_assert(DIVIDER >= 768u && DIVIDER < (1u << 20), "the baud rate is out of reach of this clock");

void ekw_uart_init(void) {
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1;
    (void)RCC_APB1ENR2;
    LPUART_PRESC = PRESCALER == 1u ? LPUART_PRESC_1 : LPUART_PRESC_16;
    LPUART_BRR = DIVIDER;
    LPUART_CR1 = LPUART_CR1_UE_RE_TE_RXNEIE;
}

/* An overrun keeps the interrupt up until it is cleared; the host notices the lost byte. */
void ekw_uart_receive_interrupt(void) {
    LPUART_ICR = LPUART_ICR_ALL_ERRORS;
    while ((LPUART_ISR & LPUART_ISR_RXNE) != 0) {
        ekw_ring_put((uint8_t)LPUART_RDR);
    }
}

void ekw_uart_putc_blocking(char c) {
    while ((LPUART_ISR & LPUART_ISR_TXE) == 0) {
    }
    LPUART_TDR = (uint8_t)c;
}

void ekw_uart_flush(void) {
    while ((LPUART_ISR & LPUART_ISR_TC) == 0) {
    }
}
