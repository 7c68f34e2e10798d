/* What the kernels share: reading a byte of either type, dot products, the offset-scale-shift stage. */
#ifndef EKW_INNER_H
#define EKW_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Every kernel body is written once for both input types; inlining makes `is_signed` a constant. */
#define EKW_BODY static inline __attribute__((always_inline))

/* C11 leaves the right shift of a negative number to the compiler. Ours must round toward minus infinity. */
_Static_assert((-1 >> 1) == -1 && (-5 >> 1) == -3 && (INT32_MIN >> 31) == -1, "the compiler must shift arithmetically");

/* Bytes are stored through uint8_t and read back through int8_t. */
_Static_assert((int8_t)-128 == -128 && (uint8_t)-128 == 128, "integers must be two's complement");

EKW_BODY int32_t ekw_at(const uint8_t *values, int32_t index, bool is_signed) {
    return is_signed ? ((const int8_t *)values)[index] : values[index];
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, const int8_t *w, int32_t length, bool is_signed) {
    int32_t acc = 0;
    for (int32_t i = 0; i < length; i++) {
        acc += ekw_at(x, i, is_signed) * w[i];
    }
    return acc;
}

/* Four filters at once, so that each input byte is loaded once for four products. `filter_bytes`: step
 * from a filter to the next. Adds to acc[4]. */
EKW_BODY void ekw_dot4(int32_t *acc, const uint8_t *x, const int8_t *w, int32_t filter_bytes, int32_t length,
                       bool is_signed) {
    const int8_t *w1 = w + filter_bytes, *w2 = w1 + filter_bytes, *w3 = w2 + filter_bytes;
    int32_t acc0 = acc[0], acc1 = acc[1], acc2 = acc[2], acc3 = acc[3];
    for (int32_t i = 0; i < length; i++) {
        int32_t value = ekw_at(x, i, is_signed);
        acc0 += value * w[i];
        acc1 += value * w1[i];
        acc2 += value * w2[i];
        acc3 += value * w3[i];
    }
    acc[0] = acc0, acc[1] = acc1, acc[2] = acc2, acc[3] = acc3;
}

EKW_BODY uint8_t ekw_requantize(const ekw_requant *stage, int32_t acc, int32_t channel) {
    int32_t y = ((acc + stage->offset[channel]) * stage->mult[channel]) >> stage->shift[channel];
    y = y < stage->lo ? stage->lo : y;
    y = y > stage->hi ? stage->hi : y;
    return (uint8_t)y;
}

/* The taps of a kernel that lie inside the input; the others meet padding, which is 0. */
typedef struct {
    int32_t begin;
    int32_t end; /* begin when there is none */
} ekw_taps;

EKW_BODY ekw_taps ekw_inside(int32_t origin, int32_t kernel, int32_t size) {
    ekw_taps taps = {origin < 0 ? -origin : 0, size - origin < kernel ? size - origin : kernel};
    if (taps.end < taps.begin) {
        taps.end = taps.begin;
    }
    return taps;
}

#endif
