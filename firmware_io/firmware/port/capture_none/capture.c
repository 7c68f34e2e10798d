/* A board without a microphone: its sound comes over the serial line (listen/frames.h). */
#include "port/capture.h"

#include <stddef.h>

bool ekw_capture_start(void) {
    return false;
}

void ekw_capture_stop(void) {}

void ekw_capture_reset(void) {}

void ekw_capture_wait(void) {}

const int16_t *ekw_capture_next(uint32_t *lost) {
    *lost = 0;
    return NULL;
}

bool ekw_capture_done(void) {
    return true;
}
