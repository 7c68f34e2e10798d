/* LP-MSPM0G5187. Written against TI's documents and headers (registers.h says which), NOT RUN ON HARDWARE.
 * Serial line: UC0 on PA10 and PA11, the back channel of the board's XDS110 (SLAU967; the pins are those of
 * TI's examples for this board). Time: SysTick at the core's clock; in energy mode it is off, and the edges are on
 * PA25, pin 2 of J1, the test pin of TI's example gpio_toggle_output for this board. The NPU is not used. */
#include "port/port.h"

#include "port/common/pause.h"
#include "port/common/uart.h"
#include "port/cortexm/cortexm.h"
#include "port/mspm0g5187/clock.h"
#include "port/mspm0g5187/registers.h"
#include "port/systick/systick.h"

#define UC0_IRQ 9 /* mspm0g518x.h */

#define PA10 21u /* numbers of the pin control registers, SLVSJB5 */
#define PA11 22u
#define PA25 55u
#define FUNCTION_GPIO 1u
#define FUNCTION_UC0 2u

#define EDGE_PIN (1u << 25) /* of port A */
#define POWER_UP_CLOCKS 16u /* TI's driver waits for as many */

__attribute__((section(".isr_vector"), used)) static const ekw_vector vectors[EKW_FIRST_IRQ + UC0_IRQ + 1] = {
    EKW_SYSTEM_VECTORS,
    [EKW_SYSTICK_VECTOR] = {.handler = ekw_systick_interrupt},
    [EKW_FIRST_IRQ + UC0_IRQ] = {.handler = ekw_uart_receive_interrupt},
};

/* Set high before it becomes an output, so that this makes no edge. */
static void prepare_edges(void) {
    GPIOA_RSTCTL = GPIOA_RSTCTL_RESET;
    GPIOA_PWREN = GPIOA_PWREN_ON;
    ekw_pause(POWER_UP_CLOCKS);
    GPIOA_DOUTSET = EDGE_PIN;
    GPIOA_DOESET = EDGE_PIN;
    PINCM(PA25) = PINCM_CONNECTED | FUNCTION_GPIO;
}

void ekw_port_edge(void) {
    GPIOA_DOUTCLR = EDGE_PIN;
    ekw_pause(EKW_EDGE_CLOCKS);
    GPIOA_DOUTSET = EDGE_PIN;
}

void ekw_port_init(void) {
    ekw_clock_init();
    PINCM(PA10) = PINCM_CONNECTED | FUNCTION_UC0;
    PINCM(PA11) = PINCM_CONNECTED | PINCM_INPUT | FUNCTION_UC0;
    if (EKW_ENERGY_MODE) {
        prepare_edges();
    } else {
        ekw_systick_start();
    }
    ekw_uart_init();
    ekw_irq_enable(UC0_IRQ);
}
