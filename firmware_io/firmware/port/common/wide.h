/* A counter of fewer than 64 bits and the interrupt at its wrap, as one 64-bit time. */
#ifndef EKW_WIDE_H
#define EKW_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "port/common/core.h"

/* low: reads the counter, which counts up from 0 and has `bits` bits. pending: whether a wrap has not been
 * counted by its interrupt yet; it is added by hand, and the counter is read again, because the wrap
 * may have come after the first reading. */
static inline uint64_t ekw_wide(const volatile uint32_t *wraps, uint32_t bits, uint32_t (*low)(void),
                                bool (*pending)(void)) {
    ekw_interrupts_off();
    uint32_t high = *wraps, rest = low();
    if (pending()) {
        high++;
        rest = low();
    }
    ekw_interrupts_on();
    return ((uint64_t)high << bits) | rest;
}

#endif
