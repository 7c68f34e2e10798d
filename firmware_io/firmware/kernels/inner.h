/* Shared by all kernels: reading a byte of either type, requantization, the taps of a window. */
#ifndef EKW_INNER_H
#define EKW_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Every body is written once for all cases; inlining makes the ekw_case of a kernel a constant. */
#define EKW_BODY static inline __attribute__((always_inline))

/* C11 leaves the right shift of a negative number to the compiler. It must round toward minus infinity here. */
_Static_assert((-1 >> 1) == -1 && (-5 >> 1) == -3 && (INT32_MIN >> 31) == -1, "the compiler must shift arithmetically");
_Static_assert((INT64_MIN >> 31) == -(INT64_C(1) << 32), "the compiler must shift 64 bits arithmetically");

/* Bytes are stored through uint8_t and read back through int8_t. */
_Static_assert((int8_t)-128 == -128 && (uint8_t)-128 == 128, "integers must be two's complement");

EKW_BODY int32_t ekw_at(const uint8_t *values, int32_t index, bool is_signed) {
    return is_signed ? ((const int8_t *)values)[index] : values[index];
}

/* gemmlowp's two roundings: the high half of the doubled product, halves up; the shift, halves away from zero. */
EKW_BODY int32_t ekw_fixed_point(int32_t total, int32_t mult, int32_t shift) {
    const int64_t product = (int64_t)total * mult;
    const int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
    const int32_t mask = (int32_t)((UINT32_C(1) << shift) - 1);
    const int32_t threshold = (mask >> 1) + (high < 0);
    return (high >> shift) + ((high & mask) > threshold);
}

/* The requantization of one channel. */
typedef struct {
    int32_t offset;
    int32_t mult;
    int32_t shift;
} ekw_stage;

EKW_BODY ekw_stage ekw_stage_of(const ekw_requant *requant, int32_t channel, ekw_rule rule) {
    if (rule == EKW_CLIP) {
        return (ekw_stage){0, 1, 0};
    }
    const int32_t mult =
        rule == EKW_SHIFT ? ((const uint8_t *)requant->mult)[channel] : ((const int32_t *)requant->mult)[channel];
    return (ekw_stage){requant->offset[channel], mult, requant->shift[channel]};
}

/* total: with the offset. */
EKW_BODY int32_t ekw_scaled(int32_t total, ekw_stage stage, ekw_rule rule) {
    if (rule == EKW_CLIP) {
        return total;
    }
    return rule == EKW_SHIFT ? (total * stage.mult) >> stage.shift : ekw_fixed_point(total, stage.mult, stage.shift);
}

EKW_BODY uint8_t ekw_clip(const ekw_requant *stage, int32_t y) {
    y = y < stage->lo ? stage->lo : y;
    y = y > stage->hi ? stage->hi : y;
    return (uint8_t)y;
}

EKW_BODY uint8_t ekw_requantize(const ekw_requant *requant, int32_t acc, int32_t channel, ekw_rule rule) {
    const ekw_stage stage = ekw_stage_of(requant, channel, rule);
    return ekw_clip(requant, ekw_scaled(acc + stage.offset, stage, rule));
}

/* The taps of a kernel that lie inside the input; the others read padding, which is 0. */
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
