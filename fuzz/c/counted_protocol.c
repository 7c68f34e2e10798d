/* The protocol itself, its command buffer painted, so that how far it was ever written can be seen. */
#include "harness.h"

#include <string.h>

#include "protocol.c"

#define PAINT '\xA5' /* no character that is kept */

void fuzz_paint_buffer(void) {
    memset(line.text, PAINT, sizeof line.text);
}

size_t fuzz_written_buffer(void) {
    size_t written = sizeof line.text;
    while (written > 0 && line.text[written - 1] == PAINT) {
        written--;
    }
    return written;
}
