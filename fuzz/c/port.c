#include "port/port.h"

#include <stdlib.h>

#include "line.h"

fuzz_line line;

void ekw_port_init(void) {}

int ekw_port_getc(void) {
    abort(); /* the harness feeds bytes itself */
}

void fuzz_answered(char byte_or_mark) {
    if (line.used == ANSWER_BYTES) {
        abort(); /* no answer of this model is that long */
    }
    line.answer[line.used++] = byte_or_mark;
}

void ekw_port_putc(char c) {
    fuzz_answered(c);
}

void ekw_port_edge(void) {
    fuzz_answered(EDGE_MARK);
}

void ekw_port_flush(void) {
    fuzz_answered(FLUSH_MARK);
}

uint32_t ekw_port_stack_size(void) {
    return STACK_SIZE;
}

uint32_t ekw_port_stack_used(void) {
    return STACK_USED;
}

void ekw_port_image(ekw_span parts[EKW_IMAGE_PARTS]) {
    parts[0] = (ekw_span){(const uint8_t *)IMAGE, 4};
    parts[1] = (ekw_span){(const uint8_t *)IMAGE + 4, 5};
}

/* Does not advance within a command, so that the oracle can predict it. */
uint64_t ekw_port_ticks(void) {
    return line.ticks;
}
