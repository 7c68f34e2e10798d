/* Frames of a stream on the serial line: COBS (Cheshire, Baker: Consistent overhead byte stuffing, 1999), so that the
 * byte 0 occurs only at the end of a frame and a damaged one never damages the next. Decoded, little endian:
 *
 *     uint8 kind | uint8 0 | uint16 sequence number | int16 samples ... | uint32 CRC-32 of all before it
 */
#ifndef EKW_FRAMES_H
#define EKW_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "ekw_config.h"

#define EKW_FRAME_AUDIO 1u
#define EKW_FRAME_END 2u /* no samples: the stream ends before this sequence number */
#define EKW_FRAME_SAMPLES EKW_HOP_SAMPLES
#define EKW_FRAME_HEAD 4
#define EKW_FRAME_CRC 4
#define EKW_FRAME_BYTES (EKW_FRAME_HEAD + 2 * EKW_FRAME_SAMPLES + EKW_FRAME_CRC)
#define EKW_FRAME_COMMAND 8 /* a word in front of a '%' that is a command and no frame, at most */

typedef struct {
    uint32_t kind, sequence;
    const int16_t *samples;
    int32_t count;
} ekw_frame;

typedef enum { EKW_FRAME_PART, EKW_FRAME_WHOLE, EKW_FRAME_DAMAGED, EKW_FRAME_IS_COMMAND } ekw_frame_state;

/* Forget what was received of a frame. */
void ekw_frame_reset(void);

/* The next byte. WHOLE: *frame has a frame, valid until the next byte. DAMAGED: bytes between two ends that are no
 * frame. IS_COMMAND: printable bytes and a '%' in place of a frame: a host that knows nothing of the stream asks. */
ekw_frame_state ekw_frame_feed(uint8_t byte, ekw_frame *frame);

/* The command, which ends with '%' and 0. */
const char *ekw_frame_command(void);

#endif
