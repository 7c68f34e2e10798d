/* The simulated port: what the firmware wrote, its clock, and a way out of an endless inference. */
#ifndef FUZZ_LINE_H
#define FUZZ_LINE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_BYTES 8192
#define RUNS_PER_COMMAND 64
/* Events other than text leave a mark between the bytes of the answer, so that their order is compared too. */
#define EDGE_MARK '\x01'  /* the pin falls */
#define FLUSH_MARK '\x02' /* waited until all text has left */
#define RUN_MARK '\x03'   /* the model, or one of its layers, ran */
#define IS_MARK(c) ((c) >= EDGE_MARK && (c) <= RUN_MARK)
#define STACK_SIZE 2048
#define STACK_USED 777
#define IMAGE "123456789" /* the usual test of a CRC */
#define IMAGE_CRC32 0xcbf43926u

typedef struct {
    char answer[ANSWER_BYTES];
    size_t used;
    uint64_t ticks;
    int64_t runs;    /* of the model, in this command */
    jmp_buf give_up; /* jump out of run RUNS_PER_COMMAND + 1, in place of a reset */
} fuzz_line;

extern fuzz_line line;

void fuzz_answered(char byte_or_mark);

#endif
