/* NUCLEO-L4R5ZI. Written against ST's RM0432 (reference manual) and UM2179 (board), NOT RUN ON HARDWARE.
 * Serial line: LPUART1 on PG7 and PG8, which ST-LINK shows as virtual COM port (UM2179).
 * Time: the 32-bit TIM2 at the core's clock; in energy mode it is off, and the edges are on PF13, which is D7 of the
 * Arduino connector (UM2179, CN10), the pin that the reference firmware takes on this board. */
#include "port/port.h"

#include "port/common/pause.h"
#include "port/common/uart.h"
#include "port/common/wide.h"
#include "port/cortexm/cortexm.h"
#ifdef EKW_CAPTURE_IRQ
#include "port/capture.h"
#endif
#include "port/stm32l4r5/clock.h"
#include "port/stm32l4r5/registers.h"

#define TIM2_IRQ 28 /* RM0432, vector table */
#define LPUART1_IRQ 70

#define EDGE_PIN 13u /* of port F */
#define ALTERNATE_8 8u /* LPUART1, DS12023, alternate functions */

static volatile uint32_t wraps;

static void timer_interrupt(void) {
    TIM2_SR = ~TIM2_SR_UIF;
    wraps++;
}

__attribute__((section(".isr_vector"), used)) static const ekw_vector vectors[EKW_FIRST_IRQ + LPUART1_IRQ + 1] = {
    EKW_SYSTEM_VECTORS,
    [EKW_FIRST_IRQ + TIM2_IRQ] = {.handler = timer_interrupt},
    [EKW_FIRST_IRQ + LPUART1_IRQ] = {.handler = ekw_uart_receive_interrupt},
#ifdef EKW_CAPTURE_IRQ
    [EKW_FIRST_IRQ + EKW_CAPTURE_IRQ] = {.handler = ekw_capture_interrupt},
#endif
};

/* PG2 to PG15 have a supply of their own, which has to be declared valid (RM0432, independent I/O supply rail). */
static void connect_pins(void) {
    PWR_CR2 |= PWR_CR2_IOSV;
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOG;
    (void)RCC_AHB2ENR;
    GPIOG_AFRL = (GPIOG_AFRL & ~(15u << 28)) | (ALTERNATE_8 << 28);             /* PG7: transmit */
    GPIOG_AFRH = (GPIOG_AFRH & ~15u) | ALTERNATE_8;                             /* PG8: receive */
    GPIOG_MODER = (GPIOG_MODER & ~((3u << 14) | (3u << 16))) | (2u << 14) | (2u << 16); /* alternate functions */
}

/* Set high before it becomes an output, so that this makes no edge. */
static void prepare_edges(void) {
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOF;
    (void)RCC_AHB2ENR;
    GPIOF_BSRR = GPIO_SET(EDGE_PIN);
    GPIOF_MODER = (GPIOF_MODER & ~(3u << (2u * EDGE_PIN))) | (1u << (2u * EDGE_PIN));
}

void ekw_port_edge(void) {
    GPIOF_BSRR = GPIO_RESET(EDGE_PIN);
    ekw_pause(EKW_EDGE_CLOCKS);
    GPIOF_BSRR = GPIO_SET(EDGE_PIN);
}

static void start_timer(void) {
    RCC_APB1ENR1 |= RCC_APB1ENR1_TIM2;
    (void)RCC_APB1ENR1;
    TIM2_ARR = UINT32_MAX;
    TIM2_SR = 0;
    TIM2_DIER = TIM2_DIER_UIE;
    TIM2_CR1 = TIM2_CR1_CEN;
    ekw_irq_enable(TIM2_IRQ);
}

void ekw_port_init(void) {
    ekw_clock_init();
    connect_pins();
    if (EKW_ENERGY_MODE) {
        prepare_edges();
    } else {
        start_timer();
    }
    ekw_uart_init();
    ekw_irq_enable(LPUART1_IRQ);
}

static uint32_t elapsed(void) {
    return TIM2_CNT;
}

static bool wrapped(void) {
    return (TIM2_SR & TIM2_SR_UIF) != 0;
}

uint64_t ekw_port_ticks(void) {
    return ekw_wide(&wraps, 32, elapsed, wrapped);
}
