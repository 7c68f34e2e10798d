/* What drivers need of any core: registers, interrupts, sleep. RISC-V (machine mode) and Cortex-M. */
#ifndef EKW_CORE_H
#define EKW_CORE_H

#include <stdint.h>

#define EKW_REGISTER(address) (*(volatile uint32_t *)(address))

#if defined(__riscv)

#define EKW_MSTATUS_MIE "8" /* machine interrupts enabled: bit 3 of mstatus */

static inline void ekw_interrupts_off(void) {
    __asm volatile("csrci mstatus, " EKW_MSTATUS_MIE ::: "memory");
}

static inline void ekw_interrupts_on(void) {
    __asm volatile("csrsi mstatus, " EKW_MSTATUS_MIE ::: "memory");
}

/* Returns at any pending interrupt that is enabled in mie, also while interrupts are off. */
static inline void ekw_wait_for_interrupt(void) {
    __asm volatile("fence\n\twfi" ::: "memory");
}

#else

static inline void ekw_interrupts_off(void) {
    __asm volatile("cpsid i" ::: "memory");
}

static inline void ekw_interrupts_on(void) {
    __asm volatile("cpsie i" ::: "memory");
}

/* Returns at any pending interrupt, also while interrupts are off. */
static inline void ekw_wait_for_interrupt(void) {
    __asm volatile("dsb\n\twfi" ::: "memory");
}

#endif

#endif
