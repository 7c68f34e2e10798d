/* Arm MPS2 with the images AN385 (Cortex-M3), AN386 (M4F) and AN500 (M7): all have the CMSDK UART0 and
 * TIMER0 at the same place (Arm DAI 0385, 0386 and 0500, memory map and interrupt tables). */
#include "port/port.h"

#include "port/cmsdk/event_cmsdk.h"
#include "port/common/uart.h"
#include "port/common/wide.h"
#include "port/cortexm/cortexm.h"
#ifdef EKW_CAPTURE_IRQ
#include "port/capture.h"
#endif

#define TIMER_CTRL EKW_REGISTER(0x40000000u)
#define TIMER_VALUE EKW_REGISTER(0x40000004u)
#define TIMER_RELOAD EKW_REGISTER(0x40000008u)
#define TIMER_INTSTATUS EKW_REGISTER(0x4000000Cu)
#define TIMER_ENABLE_WITH_IRQ ((1u << 0) | (1u << 3))

#define UART0_RECEIVE_IRQ 0
#define TIMER0_IRQ 8
#ifdef EKW_CAPTURE_IRQ /* of TIMER1, the next one */
#define LAST_IRQ EKW_CAPTURE_IRQ
#else
#define LAST_IRQ TIMER0_IRQ
#endif

static volatile uint32_t wraps;

static void timer_interrupt(void) {
    TIMER_INTSTATUS = 1u;
    wraps++;
}

__attribute__((section(".isr_vector"), used)) static const ekw_vector vectors[EKW_FIRST_IRQ + LAST_IRQ + 1] = {
    EKW_SYSTEM_VECTORS,
    [EKW_FIRST_IRQ + UART0_RECEIVE_IRQ] = {.handler = ekw_uart_receive_interrupt},
    [EKW_FIRST_IRQ + TIMER0_IRQ] = {.handler = timer_interrupt},
#ifdef EKW_CAPTURE_IRQ
    [EKW_FIRST_IRQ + EKW_CAPTURE_IRQ] = {.handler = ekw_capture_interrupt},
#endif
};

static void start_timer(void) {
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CTRL = TIMER_ENABLE_WITH_IRQ;
    ekw_irq_enable(TIMER0_IRQ);
}

void ekw_port_init(void) {
    if (EKW_ENERGY_MODE) {
        ekw_event_init();
    } else {
        start_timer();
    }
    ekw_uart_init();
    ekw_irq_enable(UART0_RECEIVE_IRQ);
}

static uint32_t elapsed(void) { /* the timer counts down */
    return UINT32_MAX - TIMER_VALUE;
}

static bool wrapped(void) {
    return (TIMER_INTSTATUS & 1u) != 0;
}

uint64_t ekw_port_ticks(void) {
    return ekw_wide(&wraps, 32, elapsed, wrapped);
}
