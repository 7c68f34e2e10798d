#include "port/systick/systick.h"

#include "port/common/wide.h"
#include "port/port.h"

/* Arm v6-M reference manual, B3.3; the same in v7-M and v8-M. */
#define SYST_CSR EKW_REGISTER(0xE000E010u)
#define SYST_CSR_ENABLE_IRQ_CORE_CLOCK 7u
#define SYST_RVR EKW_REGISTER(0xE000E014u)
#define SYST_CVR EKW_REGISTER(0xE000E018u)
#define ICSR EKW_REGISTER(0xE000ED04u)
#define ICSR_PENDSTSET (1u << 26)
#define BITS 24u
#define LAST ((1u << BITS) - 1u)

static volatile uint32_t wraps;

void ekw_systick_start(void) {
    SYST_RVR = LAST;
    SYST_CVR = 0; /* whatever is written */
    SYST_CSR = SYST_CSR_ENABLE_IRQ_CORE_CLOCK;
}

void ekw_systick_interrupt(void) {
    wraps++;
}

/* It counts down and interrupts at 0, where the next period begins. */
static uint32_t elapsed(void) {
    return (0u - SYST_CVR) & LAST;
}

static bool wrapped(void) {
    return (ICSR & ICSR_PENDSTSET) != 0;
}

uint64_t ekw_port_ticks(void) {
    return ekw_wide(&wraps, BITS, elapsed, wrapped);
}
