/* Arm MPS3 with the AN547 image (Corstone SSE-300, Cortex-M55, secure state): CMSDK UART0 and the
 * 64-bit system counter (Arm DAI 0547; Corstone SSE-300 reference manual, system counter frames). */
#include "port/port.h"

#include "port/cmsdk/event_cmsdk.h"
#include "port/common/uart.h"
#include "port/cortexm/cortexm.h"

#define COUNTER_CONTROL EKW_REGISTER(0x58100000u)
#define COUNTER_LOW EKW_REGISTER(0x58100008u)
#define COUNTER_HIGH EKW_REGISTER(0x5810000Cu)
#define COUNTER_ENABLE (1u << 0)

#define UART0_RECEIVE_IRQ 33

__attribute__((section(".isr_vector"), used)) static const ekw_vector
    vectors[EKW_FIRST_IRQ + UART0_RECEIVE_IRQ + 1] = {
        EKW_SYSTEM_VECTORS,
        [EKW_FIRST_IRQ + UART0_RECEIVE_IRQ] = {.handler = ekw_uart_receive_interrupt},
};

void ekw_port_init(void) {
    if (EKW_ENERGY_MODE) {
        ekw_event_init();
    } else {
        COUNTER_CONTROL = COUNTER_ENABLE;
    }
    ekw_uart_init();
    ekw_irq_enable(UART0_RECEIVE_IRQ);
}

/* The two halves are read separately; read again if the upper one changed in between. */
uint64_t ekw_port_ticks(void) {
    uint32_t high, low;
    do {
        high = COUNTER_HIGH;
        low = COUNTER_LOW;
    } while (high != COUNTER_HIGH);
    return ((uint64_t)high << 32) | low;
}
