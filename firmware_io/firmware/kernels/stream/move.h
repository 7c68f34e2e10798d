/* The rows of a stream's buffers: [rows][channels][width], the newest last. */
#ifndef EKW_STREAM_MOVE_H
#define EKW_STREAM_MOVE_H

#include "kernels/inner.h"

/* Moves `count` bytes down by `by`; both and the address are multiples of 4. */
EKW_SHARED void ekw_move_words(uint32_t *words, int32_t by, int32_t count) {
    const uint32_t *from = words + by / 4;
    const uint32_t *end = from + count / 4;
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
    for (const uint32_t *last = from + (count / 4 & ~3); from != last;) {
        __asm volatile("ldmia %0!, {r2, r3, r4, r5}\n"
                       "stmia %1!, {r2, r3, r4, r5}\n"
                       : "+l"(from), "+l"(words)
                       :
                       : "r2", "r3", "r4", "r5", "memory");
    }
#endif
    while (from != end) {
        *words++ = *from++;
    }
}

/* Moves the last rows - new_rows rows to the front. bytes: of the buffer; by: of the new rows. */
EKW_SHARED void ekw_move_rows(uint8_t *buffer, int32_t by, int32_t bytes) {
    if (((by | bytes) & 3) == 0) {
        ekw_move_words((uint32_t *)(void *)buffer, by, bytes - by);
        return;
    }
    for (int32_t i = by; i < bytes; i++) {
        buffer[i - by] = buffer[i];
    }
}

EKW_SHARED void ekw_fill_bytes(uint8_t *bytes, int32_t value, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)value;
    }
}

EKW_SHARED void ekw_copy_to(uint8_t *to, const uint8_t *from, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

#endif
