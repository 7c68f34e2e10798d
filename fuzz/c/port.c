#include "port/port.h"

#include <stdlib.h>

#include "line.h"

fuzz_line line;

void ekw_port_init(void) {}

int ekw_port_getc(void) {
    abort(); /* the harness feeds bytes itself */
}

void ekw_port_putc(char c) {
    if (line.used == ANSWER_BYTES) {
        abort(); /* no answer of this model is as long */
    }
    line.answer[line.used++] = c;
}

uint32_t ekw_port_stack_size(void) {
    return STACK_SIZE;
}

uint32_t ekw_port_stack_used(void) {
    return STACK_USED;
}

/* Stands still within a command, so that the oracle knows it. */
uint64_t ekw_port_ticks(void) {
    return line.ticks;
}
