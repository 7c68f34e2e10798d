/* The outputs of the streaming wake word. In energy mode an emulated board sends a byte for each change: `W`, a pulse of
 * WW_DETECTED; `P` and `p`, PROCESSING rises and falls; `T`, the time stamp. Nothing in performance mode. */
#ifndef EKW_PINS_H
#define EKW_PINS_H

#include "port/port.h"

#define EKW_DETECTED 'W'
#define EKW_PROCESSING 'P'
#define EKW_PROCESSING_DONE 'p'

#if EKW_ENERGY_MODE && !defined(EKW_EVENT_BYTES)
#error "the pins of the streaming wake word exist on emulated boards only"
#endif

static inline void ekw_pin(char change) {
#if EKW_ENERGY_MODE
    ekw_port_event(change);
#else
    (void)change;
#endif
}

#endif
