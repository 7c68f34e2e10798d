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
    uint64_t known;      /* that begin with a word of the protocol */
    uint64_t refused;    /* answered by e-[...] or by an error about a size */
    uint64_t inferences; /* commands whose inferences completed */
    uint64_t cut;        /* commands with too many inferences, ended by the harness */
    uint64_t bytes;      /* from the host */
    size_t longest;      /* most characters in the firmware's command buffer */
} fuzz_counts;

extern fuzz_counts fuzz_counted;

/* In counted_protocol.c: fill the command buffer before a command; bytes of it that the command wrote, with the NUL. */
void fuzz_paint_buffer(void);
size_t fuzz_written_buffer(void);

#endif
