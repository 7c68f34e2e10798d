#include "stream_line.h"

#include <stdlib.h>
#include <string.h>

#include "app/crc32.h"
#include "port/port.h"

char text[TEXT_BYTES];
size_t written;

void ekw_port_init(void) {}

int ekw_port_getc(void) {
    abort();
}

bool ekw_port_byte_waits(void) {
    return true;
}

void ekw_port_putc(char c) {
    if (written == TEXT_BYTES - 1) {
        abort(); /* no answer is that long */
    }
    text[written++] = c;
}

void ekw_port_flush(void) {}

void ekw_port_edge(void) {}

uint64_t ekw_port_ticks(void) {
    static uint64_t now;
    return now += 7;
}

uint32_t ekw_port_stack_size(void) {
    return 2048;
}

uint32_t ekw_port_stack_used(void) {
    return 777;
}

void ekw_port_image(ekw_span parts[EKW_IMAGE_PARTS]) {
    memset(parts, 0, EKW_IMAGE_PARTS * sizeof parts[0]);
}

/* Stuffed by the definition of COBS, one block at a time. */
size_t encoded(uint32_t kind, uint32_t sequence, const int16_t *samples, int32_t count, uint8_t *wire) {
    uint8_t plain[EKW_FRAME_BYTES + 8] = {(uint8_t)kind, 0, (uint8_t)sequence, (uint8_t)(sequence >> 8)};
    size_t size = 4, used = 0, code = 0;
    for (int32_t i = 0; i < count; i++) {
        plain[size++] = (uint8_t)samples[i];
        plain[size++] = (uint8_t)((uint16_t)samples[i] >> 8);
    }
    const uint32_t crc = ekw_crc32(0, plain, (int32_t)size);
    for (int32_t shift = 0; shift < 32; shift += 8) {
        plain[size++] = (uint8_t)(crc >> shift);
    }
    wire[used++] = 1;
    for (size_t i = 0; i < size; i++) {
        if (plain[i] != 0) {
            wire[used++] = plain[i];
            wire[code]++;
        }
        if (plain[i] == 0 || wire[code] == 255) {
            code = used;
            wire[used++] = 1;
        }
    }
    wire[used++] = 0;
    return used;
}
