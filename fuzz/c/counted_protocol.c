/* The protocol with a prefilled command buffer, to see how far a command wrote into it. */
#include "harness.h"

#include <string.h>

#include "protocol.c"

#define PAINT '\xA5' /* not printable, so never kept */

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
