/* Arm MPS2 with the AN386 image (Cortex-M4F): CMSDK UART0 and TIMER0 (Arm DAI 0386, table 4-1). */
#include "port/port.h"

#include "port/cortexm/cortexm.h"
#include "port/cortexm/uart_cmsdk.h"

#define TIMER_CTRL EKW_REGISTER(0x40000000u)
#define TIMER_VALUE EKW_REGISTER(0x40000004u)
#define TIMER_RELOAD EKW_REGISTER(0x40000008u)
#define TIMER_INTSTATUS EKW_REGISTER(0x4000000Cu)
#define TIMER_ENABLE_WITH_IRQ ((1u << 0) | (1u << 3))

#define UART0_RECEIVE_IRQ 0
#define TIMER0_IRQ 8

static volatile uint32_t wraps;

static void timer_interrupt(void) {
    TIMER_INTSTATUS = 1u;
    wraps++;
}

__attribute__((section(".isr_vector"), used)) static const ekw_vector vectors[EKW_FIRST_IRQ + TIMER0_IRQ + 1] = {
    EKW_SYSTEM_VECTORS,
    [EKW_FIRST_IRQ + UART0_RECEIVE_IRQ] = {.handler = ekw_uart_receive_interrupt},
    [EKW_FIRST_IRQ + TIMER0_IRQ] = {.handler = timer_interrupt},
};

void ekw_port_init(void) {
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CTRL = TIMER_ENABLE_WITH_IRQ;
    ekw_irq_enable(TIMER0_IRQ);
    ekw_uart_init(UART0_RECEIVE_IRQ);
}

/* The 32-bit counter runs down. A wrap whose interrupt has not been served yet is added by hand; the
 * counter is then read again, because the wrap may have come after the first reading. */
uint64_t ekw_port_ticks(void) {
    ekw_interrupts_off();
    uint32_t high = wraps, low = UINT32_MAX - TIMER_VALUE;
    if ((TIMER_INTSTATUS & 1u) != 0) {
        high++;
        low = UINT32_MAX - TIMER_VALUE;
    }
    ekw_interrupts_on();
    return ((uint64_t)high << 32) | low;
}
