/* Depthwise convolutions of dsp.h. A channel is widened to int16:
 *
 *     scratch: weights | padded plane [rows][columns] int16
 *
 * A 3x3 kernel of stride 1 computes strips of five output columns, which read seven: there the plane is
 *
 *     [strips][rows][8] int16
 *
 * and the last strip begins where five outputs are left, even if it overlaps the one before. */
#ifndef EKW_CORE_DSP_PLANE_H
#define EKW_CORE_DSP_PLANE_H

#include "kernels/cores/dsp_strips.h"

#define EKW_SWEEP_SHIFT_MAX 22 /* beyond, zero points would leave their word */
#define EKW_STRIP 5
#define EKW_STRIP_PITCH 8

#define EKW_PLANE_IS_STRIPED(node, rows, columns)                                                            \
    ((node)->kernel[0] == 3 && (node)->kernel[1] == 3 && (rows) == 3 && (columns) == 3 &&                    \
     (node)->stride[0] == 1 && (node)->stride[1] == 1 && (node)->out_shape.width >= EKW_STRIP)
#define EKW_PLANE_STRIPS(node) (((node)->out_shape.width + EKW_STRIP - 1) / EKW_STRIP)
#define EKW_PLANE_WEIGHT_BYTES(node) (EKW_CHANNEL_TAPS(node) * 8)
#define EKW_PLANE_BYTES(node, rows, columns)                                                                 \
    (EKW_PLANE_WEIGHT_BYTES(node) +                                                                          \
     EKW_PADDED_ROWS(node) * 2 * EKW_IF(EKW_PLANE_IS_STRIPED(node, rows, columns),                           \
                                        EKW_PLANE_STRIPS(node) * EKW_STRIP_PITCH, EKW_PADDED_COLUMNS(node)))

typedef struct {
    int32_t *weights; /* 8 bytes for each tap */
    int16_t *values;
    int32_t rows;
    int32_t pitch;  /* values from a row to the next one */
    int32_t strips; /* 1 for a plane that is not cut into strips */
    int32_t seen;   /* columns of the padded input that a strip reads */
    int32_t width;  /* its output columns */
    int32_t last;   /* the first one of the last strip */
    bool is_3x3;
} ekw_plane;

EKW_BODY ekw_plane ekw_plane_of(const ekw_node *node, uint8_t *scratch, ekw_case kind) {
    const int32_t width = node->out_shape.width, columns = EKW_PADDED_COLUMNS(node);
    ekw_plane plane = {
        .weights = (int32_t *)(void *)scratch,
        .values = (int16_t *)(void *)(scratch + EKW_PLANE_WEIGHT_BYTES(node)),
        .rows = EKW_PADDED_ROWS(node),
        .pitch = columns,
        .strips = 1,
        .seen = columns,
        .width = width,
        .is_3x3 = EKW_PLANE_IS_STRIPED(node, ekw_extent(node, kind, 0), ekw_extent(node, kind, 1)),
    };
    if (plane.is_3x3) {
        plane.pitch = EKW_STRIP_PITCH;
        plane.strips = EKW_PLANE_STRIPS(node);
        plane.seen = EKW_STRIP + 2;
        plane.width = EKW_STRIP;
        plane.last = width - EKW_STRIP;
    }
    return plane;
}

/* The first column of a strip, of the padded plane and of the output. */
EKW_BODY int32_t ekw_strip_column(const ekw_plane *plane, int32_t strip) {
    const int32_t column = strip * EKW_STRIP;
    return column < plane->last ? column : plane->last;
}

EKW_BODY void ekw_plane_clear(const ekw_plane *plane, ekw_case kind) {
    const int32_t values = plane->rows * plane->pitch * plane->strips;
    for (int32_t i = 0; i < values; i++) {
        plane->values[i] = (int16_t)ekw_pad_value(kind);
    }
}

/* Five values of each row. */
EKW_HOT void ekw_copy_five(int16_t *values, int32_t pitch, const uint8_t *x, int32_t width, int32_t rows,
                            bool is_signed) {
    for (; rows > 0; rows--, values += pitch, x += width) {
        const ekw_taps4 four = ekw_widen(ekw_load4(x), is_signed);
        const uint32_t low = ekw_low_halves(four.odd, four.even), high = ekw_high_halves(four.odd, four.even);
        __builtin_memcpy(values, &low, sizeof low);
        __builtin_memcpy(values + 2, &high, sizeof high);
        values[4] = (int16_t)ekw_at(x, 4, is_signed);
    }
}

EKW_BODY void ekw_plane_fill(const ekw_node *node, const ekw_plane *plane, const uint8_t *input, ekw_case kind) {
    const int32_t left = node->pad[2], height = node->in_shape.height, width = node->in_shape.width;
    int16_t *values = plane->values + node->pad[0] * plane->pitch;
    for (int32_t s = 0; s < plane->strips; s++, values += plane->rows * plane->pitch) {
        const int32_t origin = ekw_strip_column(plane, s) - left;
        const ekw_taps seen = ekw_inside(origin, plane->seen, width);
        if (seen.end - seen.begin == EKW_STRIP) {
            const uint8_t *x = input + origin + seen.begin;
            ekw_copy_five(values + seen.begin, plane->pitch, x, width, height, kind.is_signed);
            continue;
        }
        for (int32_t i = 0; i < height; i++) {
            for (int32_t j = seen.begin; j < seen.end; j++) {
                values[i * plane->pitch + j] = (int16_t)ekw_at(input, i * width + origin + j, kind.is_signed);
            }
        }
    }
}

/* Each kernel reads its weights when it runs. */
EKW_BODY void ekw_plane_weights(const ekw_plane *plane, const int8_t *filter, int32_t taps, ekw_case kind) {
    (void)plane, (void)filter, (void)taps, (void)kind;
}

EKW_BODY void ekw_plane_strips_run(const ekw_node *node, const ekw_plane *plane, ekw_strip3x3 *strip,
                                     uint8_t *output) {
    strip->output_step = node->out_shape.width;
    strip->values = plane->values;
    for (int32_t s = 0; s < plane->strips; s++) {
        strip->output = output + ekw_strip_column(plane, s);
        strip->end = strip->values + node->out_shape.height * EKW_STRIP_PITCH;
        ekw_strip3x3_run(strip);
        strip->values += plane->rows * EKW_STRIP_PITCH;
    }
}

/* The requantization of one channel. factor: 0 where ekw_requantize scales the sums; then there is no gain. */
typedef struct {
    int32_t gain;
    int32_t factor;
    int32_t offset;
} ekw_plane_stage;

EKW_BODY ekw_plane_stage ekw_plane_stage_of(const ekw_requant *requant, int32_t channel, ekw_case kind) {
    if (ekw_gain_rule(kind.rule, kind.general) == EKW_FIXED && requant->shift[channel] <= EKW_SWEEP_SHIFT_MAX) {
        const int32_t mult = ((const int32_t *)requant->mult)[channel];
        return (ekw_plane_stage){1, mult, (int32_t)((uint32_t)requant->offset[channel] << 1)};
    }
    if (kind.rule != EKW_SHIFT) {
        return (ekw_plane_stage){0, 0, 0};
    }
    const int32_t gain = ekw_gain(requant, channel, kind.weight_bits, kind.rule, 0);
    const int32_t factor = ekw_factor(requant, channel, gain);
    return factor == 0 ? (ekw_plane_stage){0, 0, 0}
                       : (ekw_plane_stage){gain, factor, (int32_t)((uint32_t)requant->offset[channel] << gain)};
}

EKW_BODY uint8_t ekw_saturated(int32_t y, bool is_signed) {
    if (is_signed) {
        __asm("ssat %0, #8, %0" : "+r"(y) : : "cc");
    } else {
        __asm("usat %0, #8, %0" : "+r"(y) : : "cc");
    }
    return (uint8_t)y;
}

/* Outputs of a plane or strip by any kernel, [rows][columns]. Sums are scaled where there is a factor:
 *
 *     EKW_SHIFT   the high half of acc * factor
 *     EKW_FIXED   (the high half of acc * factor, rounded; one less where it is negative; + added) >> shift, see dsp.h */
typedef struct {
    const int16_t *values;
    int32_t pitch;
    const int32_t *weights; /* [taps]{where it is in a window, bytes; weight} */
    const int32_t *end;     /* of the weights */
    uint8_t *output;
    int32_t rows;
    int32_t columns;
    int32_t offset; /* 0 where there is no factor */
    int32_t factor;
    int32_t less; /* EKW_FIXED: 0 where a shift of 0 rounds nothing, else all ones */
    int32_t added;
    int32_t shift;
} ekw_sweep;

EKW_BODY int32_t ekw_sweep_scaled(int32_t acc, const ekw_sweep *sweep, bool is_fixed) {
    if (is_fixed && sweep->factor != 0) {
        int32_t high;
        __asm("smmulr %0, %1, %2" : "=r"(high) : "r"(acc), "r"(sweep->factor));
        return (high + ((high >> 31) & sweep->less) + sweep->added) >> sweep->shift;
    }
    return sweep->factor == 0 ? acc : (int32_t)((int64_t)acc * sweep->factor >> 32);
}

/* Four sums of windows that lie `step` bytes apart; scaled where there is a factor. */
EKW_HOT void ekw_sweep_four(const ekw_sweep *sweep, const char *x, int32_t step, int32_t *sums, ekw_rule rule) {
    const bool is_fixed = rule == EKW_FIXED || rule == EKW_GENERAL;
    const int32_t *tap = sweep->weights, *end = sweep->end;
    const char *x1 = x + step, *x2 = x1 + step, *x3 = x2 + step;
    int32_t acc0 = sweep->offset, acc1 = acc0, acc2 = acc0, acc3 = acc0;
    do {
        const int32_t at = *tap++, w = *tap++;
        acc0 += *(const int16_t *)(const void *)(x + at) * w;
        acc1 += *(const int16_t *)(const void *)(x1 + at) * w;
        acc2 += *(const int16_t *)(const void *)(x2 + at) * w;
        acc3 += *(const int16_t *)(const void *)(x3 + at) * w;
    } while (tap != end);
    sums[0] = ekw_sweep_scaled(acc0, sweep, is_fixed), sums[1] = ekw_sweep_scaled(acc1, sweep, is_fixed);
    sums[2] = ekw_sweep_scaled(acc2, sweep, is_fixed), sums[3] = ekw_sweep_scaled(acc3, sweep, is_fixed);
}

/* Four at a time along the longer side, then one by one. */
EKW_SMALL void ekw_sweep_run(const ekw_node *node, const ekw_sweep *sweep, int32_t channel, ekw_rule rule,
                             const ekw_general *general) {
    const ekw_case kind = {.rule = rule, .general = general};
    const bool is_tall = sweep->rows > sweep->columns, is_signed = node->requant.lo < 0;
    const int32_t down = 2 * node->stride[0] * sweep->pitch, right = 2 * node->stride[1], width = node->out_shape.width;
    const int32_t length = is_tall ? sweep->rows : sweep->columns, lines = is_tall ? sweep->columns : sweep->rows;
    const int32_t step = is_tall ? down : right, out_step = is_tall ? width : 1;
    for (int32_t line = 0; line < lines; line++) {
        const char *x = (const char *)sweep->values + line * (is_tall ? right : down);
        uint8_t *output = sweep->output + line * (is_tall ? 1 : width);
        for (int32_t left = length, some; left > 0; left -= some, x += some * step) {
            int32_t sums[4];
            some = left >= 4 ? 4 : 1;
            ekw_sweep_four(sweep, x, some == 4 ? step : 0, sums, rule);
            for (int32_t i = 0; i < some; i++, output += out_step) {
                if (sweep->factor != 0) {
                    *output = ekw_saturated(sums[i], is_signed);
                } else {
                    *output = ekw_requantize(&node->requant, sums[i], channel, kind);
                }
            }
        }
    }
}

EKW_BODY void ekw_sweep_fixed(ekw_sweep *sweep, const ekw_requant *requant, int32_t channel, int32_t zero) {
    if (sweep->factor != 0) {
        sweep->shift = requant->shift[channel];
        sweep->less = sweep->shift == 0 ? 0 : -1;
        sweep->added = (int32_t)(((UINT32_C(1) << sweep->shift) >> 1) + ((uint32_t)zero << sweep->shift));
    }
}

/* Strips without a factor, or with int8 outputs, are planes of five columns. */
EKW_BODY void ekw_plane_sweep(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                              const int8_t *filter, ekw_plane_stage stage, ekw_case kind) {
    int32_t *tap = plane->weights, number = 0;
    for (int32_t i = 0; i < node->kernel[0]; i++) {
        for (int32_t j = 0; j < node->kernel[1]; j++) {
            *tap++ = 2 * (i * ekw_dilation(kind, 0) * plane->pitch + j * ekw_dilation(kind, 1));
            *tap++ = (int32_t)((uint32_t)ekw_weight(filter, number++, kind.weight_bits) << stage.gain);
        }
    }
    ekw_sweep sweep = {plane->values, plane->pitch, plane->weights, tap, output, node->out_shape.height, plane->width,
                       stage.offset, stage.factor, 0, 0, 0};
    if (kind.rule == EKW_FIXED || kind.rule == EKW_GENERAL) {
        ekw_sweep_fixed(&sweep, &node->requant, channel, kind.general ? kind.general->zero : 0);
    }
    for (int32_t s = 0; s < plane->strips; s++, sweep.values += plane->rows * plane->pitch) {
        sweep.output = output + ekw_strip_column(plane, s);
        ekw_sweep_run(node, &sweep, channel, kind.rule, kind.general);
    }
}

/* Nine weights: (w2, w0), (w3, w1), (w6, w4), (w7, w5) and w8 become the words of ekw_strip3x3. */
EKW_BODY void ekw_strip_weights(uint32_t *words, const int8_t *filter, int32_t bits, int32_t gain, bool doubles) {
    ekw_taps4 a = ekw_widen_weights(ekw_load_weights(filter, 4, bits), bits, gain);
    ekw_taps4 b = ekw_widen_weights(ekw_load_weights(filter + bits / 2, 4, bits), bits, gain);
    if (bits == 8 && doubles) {
        a = ekw_doubled(a), b = ekw_doubled(b);
    }
    const uint32_t w8 = (uint32_t)ekw_weight(filter, 8, bits) << gain;
    words[0] = ekw_low_halves(a.odd, a.even);
    words[1] = (a.even & 0xffff0000) | (a.odd & 0xffff);
    words[2] = b.even << 16 | a.odd >> 16;
    words[3] = ekw_low_halves(b.odd, b.even);
    words[4] = ekw_high_halves(b.odd, b.even);
    words[5] = w8 << 16 | b.odd >> 16;
}

EKW_BODY void ekw_plane_fixed_run(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                                  const int8_t *filter, int32_t bits) {
    const ekw_requant *requant = &node->requant;
    ekw_strip3x3_fixed strip = {
        .mult = ((const int32_t *)requant->mult)[channel],
        .output_step = node->out_shape.width,
        .half = (int32_t)((UINT32_C(1) << requant->shift[channel]) >> 1),
        .shift = requant->shift[channel],
        .offset = (int32_t)((uint32_t)requant->offset[channel] << 1),
    };
    ekw_strip_weights(strip.weights, filter, bits, 1, true);
    const int16_t *values = plane->values;
    for (int32_t s = 0; s < plane->strips; s++, values += plane->rows * EKW_STRIP_PITCH) {
        strip.end = values + node->out_shape.height * EKW_STRIP_PITCH;
        ekw_strip3x3_fixed_run(&strip, values, output + ekw_strip_column(plane, s));
    }
}

EKW_BODY void ekw_plane_run(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                            ekw_case kind) {
    const int32_t taps = node->kernel[0] * node->kernel[1];
    const int8_t *filter = node->weight + channel * ekw_filter_stride(taps, kind.weight_bits);
    if (kind.rule == EKW_FIXED && plane->is_3x3 && node->requant.lo == 0) {
        ekw_plane_fixed_run(node, plane, channel, output, filter, kind.weight_bits);
        return;
    }
    const ekw_plane_stage stage = ekw_plane_stage_of(&node->requant, channel, kind);
    if (!plane->is_3x3 || stage.factor == 0 || node->requant.lo != 0) {
        ekw_plane_sweep(node, plane, channel, output, filter, stage, kind);
        return;
    }
    ekw_strip3x3 strip;
    strip.factor = stage.factor;
    strip.offset = stage.offset;
    ekw_strip_weights(strip.weights, filter, kind.weight_bits, stage.gain, false);
    ekw_plane_strips_run(node, plane, &strip, output);
}

#endif
