/* The firmware's protocol between an imitated serial line and an oracle. Any finding ends the program. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One byte to the firmware; checks the whole answer when it ends a command. */
void fuzz_feed(uint8_t byte);

typedef struct {
    uint64_t commands;   /* bytes up to a '%' */
    uint64_t known;      /* begun with a word of the protocol */
    uint64_t refused;    /* answered by e-[...] or by a complaint about a size */
    uint64_t inferences; /* commands that ran the model to their end */
    uint64_t cut;        /* inferences that would have taken years, ended by the harness */
    uint64_t bytes;      /* from the host */
    size_t longest;      /* characters that were ever in the firmware's command buffer */
} fuzz_counts;

extern fuzz_counts fuzz_counted;

/* Of counted_protocol.c: before a command, and how many bytes of the buffer it has written, its NUL included. */
void fuzz_paint_buffer(void);
size_t fuzz_written_buffer(void);

#endif
