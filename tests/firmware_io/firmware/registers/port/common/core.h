/* In place of the firmware's own: a core of this computer, whose registers are imitated (recorder.c). */
#ifndef EKW_CORE_H
#define EKW_CORE_H

#include <stdint.h>

volatile uint32_t *recorded_register(uint32_t address);

#define EKW_REGISTER(address) (*recorded_register(address))

static inline void ekw_interrupts_off(void) {}
static inline void ekw_interrupts_on(void) {}
static inline void ekw_wait_for_interrupt(void) {}

#endif
