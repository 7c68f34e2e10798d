/* LP-MSPM0G5187. Written against TI's documents and headers (registers.h says which), NOT RUN ON HARDWARE.
 * Serial line: UC0 on PA10 and PA11, the back channel of the board's XDS110 (SLAU967; the pins are those of
 * TI's examples for this board). Time: SysTick at the core's clock. The NPU is not used. */
#include "port/port.h"

#include "port/common/uart.h"
#include "port/cortexm/cortexm.h"
#include "port/mspm0g5187/clock.h"
#include "port/mspm0g5187/registers.h"
#include "port/systick/systick.h"

#define UC0_IRQ 9 /* mspm0g518x.h */

#define PA10 21u /* numbers of the pin control registers, SLVSJB5 */
#define PA11 22u
#define FUNCTION_UC0 2u

__attribute__((section(".isr_vector"), used)) static const ekw_vector vectors[EKW_FIRST_IRQ + UC0_IRQ + 1] = {
    EKW_SYSTEM_VECTORS,
    [EKW_SYSTICK_VECTOR] = {.handler = ekw_systick_interrupt},
    [EKW_FIRST_IRQ + UC0_IRQ] = {.handler = ekw_uart_receive_interrupt},
};

void ekw_port_init(void) {
    ekw_clock_init();
    PINCM(PA10) = PINCM_CONNECTED | FUNCTION_UC0;
    PINCM(PA11) = PINCM_CONNECTED | PINCM_INPUT | FUNCTION_UC0;
    ekw_systick_start();
    ekw_uart_init();
    ekw_irq_enable(UC0_IRQ);
}
