/* The serial line of the firmware that listens: what it wrote, and the bytes of a frame. */
#ifndef FUZZ_STREAM_LINE_H
#define FUZZ_STREAM_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "listen/frames.h"

#define TEXT_BYTES 65536
#define WIRE_BYTES (2 * EKW_FRAME_BYTES + 64)

extern char text[TEXT_BYTES]; /* what the firmware wrote since the last input */
extern size_t written;

/* The whole frame, with the 0 at its end; gives its size. */
size_t encoded(uint32_t kind, uint32_t sequence, const int16_t *samples, int32_t count, uint8_t *wire);

#endif
