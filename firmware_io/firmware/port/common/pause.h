/* Waiting without a clock, which does not run in energy mode. */
#ifndef EKW_PAUSE_H
#define EKW_PAUSE_H

#include <stdint.h>

#define EKW_PAUSE_ROUND_CLOCKS 4u /* at least: a load, a subtraction, a store, a branch */

/* Busy loop of at least so many core clocks; some cores take three times as long. */
static inline void ekw_pause(uint32_t clocks) {
    for (volatile uint32_t rounds = clocks / EKW_PAUSE_ROUND_CLOCKS + 1u; rounds > 0u; rounds--) {
    }
}

/* One byte on the line: 10 bits. */
#define EKW_BYTE_CLOCKS (EKW_CLOCK_HZ / EKW_BAUD * 10u)

/* How long a pin is low. */
#define EKW_EDGE_CLOCKS (EKW_CLOCK_HZ / 1000000u * EKW_EDGE_US)

#endif
