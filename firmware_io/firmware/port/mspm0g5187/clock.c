#include "port/mspm0g5187/clock.h"

#include <stdint.h>

#include "port/mspm0g5187/registers.h"

/* 32 MHz / 2 * 10 = 160 MHz, of which CLK2X is the double, / 4 = 80 MHz (SLAU846, SYSPLL). */
#define PLL0 (SYSPLLCFG0_MCLK2XVCO | SYSPLLCFG0_ENABLECLK2X | SYSPLLCFG0_RDIVCLK2X(4u))
#define PLL1 (SYSPLLCFG1_PDIV_2 | SYSPLLCFG1_QDIV(10u))

_Static_assert(EKW_CLOCK_HZ == 80000000u && EKW_UART_CLOCK_HZ == 40000000u, "the PLL is set for 80 MHz");

static void wait_for(uint32_t status) {
    while ((CLKSTATUS & status) == 0) {
    }
}

/* Tuning that the factory measured for a reference of 16 to 32 MHz. Read without the instruction cache, as
 * TI's driver does. */
static void load_tuning(void) {
    const uint32_t control = CPUSS_CTL;
    CPUSS_CTL = control & ~CPUSS_CTL_ICACHE;
    SYSPLLPARAM0 = FACTORY_PLLSTARTUP0_16_32MHZ;
    SYSPLLPARAM1 = FACTORY_PLLSTARTUP1_16_32MHZ;
    CPUSS_CTL = control;
}

/* Erratum SYSPLL_ERR_01 (SLVSJM6): it rarely locks at a wrong frequency. TI's check is not implemented here:
 * the UART uses the same clock, so a wrong frequency shows as garbage on the line, and a reset
 * cures it. */
static void start_pll(void) {
    HSCLKEN &= ~HSCLKEN_SYSPLLEN; /* a debugger's reset leaves it on */
    wait_for(CLKSTATUS_SYSPLLOFF);
    SYSPLLCFG0 = PLL0;
    SYSPLLCFG1 = PLL1;
    load_tuning();
    HSCLKEN |= HSCLKEN_SYSPLLEN;
    wait_for(CLKSTATUS_SYSPLLGOOD);
}

void ekw_clock_init(void) {
    MCLKCFG = MCLKCFG_FLASHWAIT_2 | MCLKCFG_UDIV_2; /* still at 32 MHz: both are needed above 40 */
    start_pll();
    HSCLKCFG = HSCLKCFG_SYSPLL;
    wait_for(CLKSTATUS_HSCLKGOOD);
    MCLKCFG |= MCLKCFG_USEHSCLK;
    wait_for(CLKSTATUS_HSCLKMUX);
}
