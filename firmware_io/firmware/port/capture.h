/* Sound of a microphone in the background. A buffer of two halves is filled in turn (by DMA where there is one); an
 * interrupt tells when a half is full. While the application works on it, the other one is filled. Between two halves
 * the core sleeps.
 *
 * A driver is a folder port/capture_NAME, which a board's TOML file names: it implements start and stop, and calls
 * ekw_capture_filled in its interrupt, at half and at full buffer. */
#ifndef EKW_CAPTURE_H
#define EKW_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "ekw_config.h"

#define EKW_CAPTURE_SAMPLES EKW_HOP_SAMPLES /* of one half: the time that the work on it may take */

/* Both halves, which the driver fills from the beginning after each start. */
extern int16_t ekw_capture_buffer[2 * EKW_CAPTURE_SAMPLES];

/* By the driver. False: this board has no microphone. */
bool ekw_capture_start(void);
void ekw_capture_stop(void);
void ekw_capture_interrupt(void);

/* For the driver's interrupt: the next half is full. */
void ekw_capture_filled(void);

/* For the application. reset: before a start. */
void ekw_capture_reset(void);

/* Sleeps until a half is full or a byte of the host waits. */
void ekw_capture_wait(void);

/* The oldest half that is full and not overwritten, or NULL. *lost: samples before it that were overwritten. It has to
 * be given back by ekw_capture_done, which gives whether it was still whole then: the work was fast enough. */
const int16_t *ekw_capture_next(uint32_t *lost);
bool ekw_capture_done(void);

#endif
