#include "port/stm32l4r5/clock.h"

#include <stdint.h>

#include "port/stm32l4r5/registers.h"

#define WAIT_STATES 5u /* of the flash for up to 120 MHz, RM0432, read access latency, range 1 boosted */

/* 16 MHz / 2 * 30 = 240 MHz of the VCO, / 2 = 120 MHz. */
#define PLL (RCC_PLLCFGR_HSI16 | RCC_PLLCFGR_M(2u) | RCC_PLLCFGR_N(30u) | RCC_PLLCFGR_R_2)

/* More than the microsecond at half the clock that RM0432 asks for (dynamic voltage scaling). */
#define SETTLE_ROUNDS 200u

_Static_assert(EKW_CLOCK_HZ == 120000000u, "the PLL is set for 120 MHz");

static void wait_for(volatile uint32_t *of, uint32_t bits) {
    while ((*of & bits) != bits) {
    }
}

static void raise_voltage(void) {
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWR;
    (void)RCC_APB1ENR1; /* the clock is on after two cycles */
    PWR_CR5 &= ~PWR_CR5_R1MODE;
}

static void slow_flash_down(void) {
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY) | WAIT_STATES | FLASH_ACR_PREFETCH_AND_CACHES;
    while ((FLASH_ACR & FLASH_ACR_LATENCY) != WAIT_STATES) {
    }
}

static void start_pll(void) {
    RCC_CR |= RCC_CR_HSION;
    wait_for(&RCC_CR, RCC_CR_HSIRDY);
    RCC_PLLCFGR = PLL;
    RCC_CR |= RCC_CR_PLLON;
    wait_for(&RCC_CR, RCC_CR_PLLRDY);
}

/* Above 80 MHz the step is taken in two: first the buses at half the clock. */
static void switch_to_pll(void) {
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_HPRE) | RCC_CFGR_HPRE_2;
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    while ((RCC_CFGR & RCC_CFGR_SWS) != RCC_CFGR_SWS_PLL) {
    }
    for (volatile uint32_t round = 0; round < SETTLE_ROUNDS; round++) {
    }
    RCC_CFGR &= ~RCC_CFGR_HPRE;
}

void ekw_clock_init(void) {
    raise_voltage();
    slow_flash_down();
    start_pll();
    switch_to_pll();
}
