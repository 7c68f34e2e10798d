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

/* Functions that kernels of several cases share, so that an image has them once. */
#define EKW_SHARED static __attribute__((noinline, unused))

/* total * mult / 2^places rounded, halves away from zero. */
EKW_BODY int64_t ekw_rounded_once(int32_t total, int32_t mult, int32_t places) {
    const int64_t product = (int64_t)total * mult, half = places > 0 ? INT64_C(1) << (places - 1) : 0;
    return (product + half - (product < 0)) >> places;
}

/* The result of a general node before it is clipped. total: with the offset; Graph.check proves that it fits 32 bits
 * after the shift to the left, too. */
EKW_SHARED int32_t ekw_scaled_general(const ekw_general *general, int32_t total, int32_t channel) {
    const ekw_requant *requant = &general->node.requant;
    if (general->rule == EKW_CLIP) {
        return total + general->zero;
    }
    const int32_t shift = ((const int8_t *)requant->shift)[channel];
    if (general->rule == EKW_SHIFT) {
        return (total * ((const uint8_t *)requant->mult)[channel]) >> shift;
    }
    const int32_t mult = ((const int32_t *)requant->mult)[channel];
    if (general->rule == EKW_ONCE) {
        return (int32_t)ekw_rounded_once(total, mult, 31 + shift) + general->zero;
    }
    total = (int32_t)((uint32_t)total << (shift < 0 ? -shift : 0));
    return ekw_fixed_point(total, mult, shift < 0 ? 0 : shift) + general->zero;
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

EKW_BODY int32_t ekw_general_offset(const ekw_general *general, int32_t channel) {
    return general->rule == EKW_CLIP ? 0 : general->node.requant.offset[channel];
}

EKW_BODY uint8_t ekw_requantize(const ekw_requant *requant, int32_t acc, int32_t channel, ekw_case kind) {
    if (kind.rule == EKW_GENERAL) {
        const int32_t total = acc + ekw_general_offset(kind.general, channel);
        return ekw_clip(requant, ekw_scaled_general(kind.general, total, channel));
    }
    const ekw_stage stage = ekw_stage_of(requant, channel, kind.rule);
    return ekw_clip(requant, ekw_scaled(acc + stage.offset, stage, kind.rule));
}

/* What windows read outside of the input, and the steps between their taps. */
EKW_BODY int32_t ekw_pad_value(ekw_case kind) {
    return kind.general ? kind.general->pad_value : 0;
}

EKW_BODY int32_t ekw_dilation(ekw_case kind, int32_t axis) {
    return kind.general ? kind.general->dilation[axis] : 1;
}

EKW_BODY bool ekw_is_dilated(ekw_case kind) {
    return ekw_dilation(kind, 0) > 1 || ekw_dilation(kind, 1) > 1;
}

/* From the first to the last tap. */
EKW_BODY int32_t ekw_extent(const ekw_node *node, ekw_case kind, int32_t axis) {
    return (node->kernel[axis] - 1) * ekw_dilation(kind, axis) + 1;
}

EKW_BODY bool ekw_is_3x3(const ekw_node *node, ekw_case kind) {
    return node->kernel[0] == 3 && node->kernel[1] == 3 && !ekw_is_dilated(kind);
}

/* The taps of a kernel that lie inside the input; the others read padding. */
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
