#include "port/capture.h"

#include <stddef.h>

#include "port/common/core.h"
#include "port/port.h"

int16_t ekw_capture_buffer[2 * EKW_CAPTURE_SAMPLES];
static volatile uint32_t filled; /* halves, by the interrupt */
static uint32_t taken;           /* halves, by the application */

void ekw_capture_filled(void) {
    filled++;
}

void ekw_capture_reset(void) {
    filled = 0;
    taken = 0;
}

/* Interrupts are off between the check and the sleep, so that none is missed. */
void ekw_capture_wait(void) {
    ekw_interrupts_off();
    while (filled == taken && !ekw_port_byte_waits()) {
        ekw_wait_for_interrupt();
        ekw_interrupts_on();
        ekw_interrupts_off();
    }
    ekw_interrupts_on();
}

/* With two or more full halves, the older one is being overwritten already. */
const int16_t *ekw_capture_next(uint32_t *lost) {
    const uint32_t now = filled, full = now - taken;
    *lost = 0;
    if (full == 0) {
        return NULL;
    }
    if (full > 1) {
        *lost = (full - 1) * EKW_CAPTURE_SAMPLES;
        taken = now - 1;
    }
    return ekw_capture_buffer + (taken % 2) * EKW_CAPTURE_SAMPLES;
}

bool ekw_capture_done(void) {
    taken++;
    return filled == taken; /* else the other half is full, and this one is being overwritten */
}
