/* Depthwise convolutions of rows of one column, for dsp.h: four channels at a time, which are neighbours in memory. */
#ifndef EKW_CORE_DSP_COLUMNS_H
#define EKW_CORE_DSP_COLUMNS_H

#include "kernels/cores/dsp_row.h"

/* step: bytes from a row to the next one. taps: of a filter; those of neighbouring channels follow each other. */
EKW_BODY void ekw_columns_sum(const uint8_t *x, int32_t step, const int8_t *w0, int32_t taps, int32_t *sums,
                              bool is_signed) {
    const int8_t *w1 = w0 + taps, *w2 = w1 + taps, *w3 = w2 + taps, *const end = w1;
    int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
    for (; w0 != end; x += step) {
        const ekw_taps4 four = ekw_widen(ekw_load4(x), is_signed);
        acc0 = __smlabb((int32_t)four.even, *w0++, acc0);
        acc1 = __smlabb((int32_t)four.odd, *w1++, acc1);
        acc2 = __smlatb((int32_t)four.even, *w2++, acc2);
        acc3 = __smlatb((int32_t)four.odd, *w3++, acc3);
    }
    sums[0] = acc0, sums[1] = acc1, sums[2] = acc2, sums[3] = acc3;
}

/* Without a question of the sign for each tap. */
EKW_BODY void ekw_columns_four(const uint8_t *x, int32_t step, const int8_t *weight, int32_t taps, int32_t *sums,
                               bool is_signed) {
    if (is_signed) {
        ekw_columns_sum(x, step, weight, taps, sums, true);
    } else {
        ekw_columns_sum(x, step, weight, taps, sums, false);
    }
}

/* A function of its own: within the kernel of general nodes the compiler would run out of registers. */
EKW_HOT void ekw_columns_fixed(const ekw_row_scale *given, const uint8_t *input, uint8_t *output,
                               const int8_t *weight, int32_t channels, int32_t taps, bool is_signed) {
    const ekw_row_scale scale = {given->requant, given->zero, true};
    for (int32_t c = 0; c < channels; c += 4, weight += 4 * taps) {
        int32_t sums[4];
        ekw_columns_four(input + c, channels, weight, taps, sums, is_signed);
        for (int32_t i = 0; i < 4; i++) {
            *output++ = ekw_row_scaled(&scale, sums[i], c + i, (ekw_case){0});
        }
    }
}

EKW_HOT void ekw_columns_shift(ekw_requant requant, const uint8_t *input, uint8_t *output, const int8_t *weight,
                               int32_t channels, int32_t taps, bool is_signed) {
    const ekw_case kind = {.rule = EKW_SHIFT};
    for (int32_t c = 0; c < channels; c += 4, weight += 4 * taps) {
        int32_t sums[4];
        ekw_columns_four(input + c, channels, weight, taps, sums, is_signed);
        for (int32_t i = 0; i < 4; i++) {
            *output++ = ekw_requantize(&requant, sums[i], c + i, kind);
        }
    }
}

/* False where the row is no such one. */
EKW_BODY bool ekw_columns(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t channels = node->in_shape.channels, taps = node->kernel[0];
    const ekw_row_scale scale = ekw_row_scale_of(node, kind);
    if (kind.weight_bits != 8 || node->in_shape.width != 1 || node->out_shape.width != 1 || node->kernel[1] != 1 ||
        channels % 4 != 0 || ekw_is_dilated(kind) || !(scale.is_fixed || kind.rule == EKW_SHIFT)) {
        return false;
    }
    if (scale.is_fixed) {
        ekw_columns_fixed(&scale, input, output, node->weight, channels, taps, kind.is_signed);
    } else {
        ekw_columns_shift(node->requant, input, output, node->weight, channels, taps, kind.is_signed);
    }
    return true;
}

#endif
