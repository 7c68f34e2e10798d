/* The inner loops in C11, for cores whose only multiplication has 32 bits.
 *
 * Two multiplications serve three pixels. Pixels a, b, c are packed into two words,
 *
 *     first  = a + b * 2^21
 *     second = c + b * 2^10        all modulo 2^32
 *
 * and so are the sums of their products with the same weights. As long as no sum leaves 21 bits, the low bits
 * of the first word are the sum of a; above them are the low 11 bits of the sum of b; subtracting these from the
 * second word leaves the sum of c and the rest of that of b. Sums are split before they can leave 21 bits.
 *
 *     packed pixels      [pixels / 3][taps] pairs of words
 *     unpacked filters   [filters][taps] int8; weights of 8 bits are read in place
 *     stages             [filters] int32: the initial value of a sum */
#ifndef EKW_CORE_PORTABLE_H
#define EKW_CORE_PORTABLE_H

#include "kernels/panel.h"
#include "kernels/weights.h"

#define EKW_PIXELS_STEP 3
#define EKW_FILTERS_STEP 4
#define EKW_STAGE_BYTES 4
#define EKW_PACKED_SPARE 0
#define EKW_PAIR_BYTES 8
#define EKW_PIXEL_BYTES(taps) (((taps) * EKW_PAIR_BYTES + EKW_PIXELS_STEP - 1) / EKW_PIXELS_STEP)
#define EKW_FILTER_BYTES(taps, bits) EKW_IF((bits) == 8, 0, taps)
#define EKW_PIXEL_BLOCK 3
#define EKW_KEPT_BYTES 12288
#define EKW_UNPACKINGS 6

/* Loops over a block are unrolled completely. */
#ifdef __clang__
#define EKW_UNROLL _Pragma("unroll 4")
#define EKW_UNROLL_8 _Pragma("unroll 8")
#else
#define EKW_UNROLL _Pragma("GCC unroll 4")
#define EKW_UNROLL_8 _Pragma("GCC unroll 8")
#endif

/* Filters that share the loads of the pixels: as many as there are registers for their sums; and how the loops over
 * taps and over the outputs of a block are unrolled. */
#if defined(__ARM_ARCH_6M__)
#define EKW_FILTER_BLOCK 1
#define EKW_UNROLL_TAPS EKW_UNROLL_8
#define EKW_UNROLL_OUTPUTS EKW_UNROLL
#elif defined(__arm__)
#define EKW_FILTER_BLOCK 2
#define EKW_UNROLL_TAPS EKW_UNROLL_8
#define EKW_UNROLL_OUTPUTS EKW_UNROLL
#else
#define EKW_FILTER_BLOCK 4
#define EKW_UNROLL_TAPS EKW_UNROLL
#define EKW_UNROLL_OUTPUTS
#endif

typedef struct {
    uint32_t first;
    uint32_t second;
} ekw_pair;

_Static_assert(sizeof(ekw_pair) == EKW_PAIR_BYTES, "the sizes of scratch memory count pairs");

/* Taps whose sum stays within 21 bits: values are within -128..127, weights within +-127, +-7 or +-1, and -128, -8 or -2
 * in general nodes (Graph.check). */
EKW_BODY int32_t ekw_group(ekw_case kind) {
    const int32_t bits = kind.weight_bits;
    if (kind.rule == EKW_GENERAL) {
        return bits == 8 ? 63 : bits == 4 ? 1023 : 4095;
    }
    return bits == 8 ? 64 : bits == 4 ? 1024 : 8128;
}

/* Subtracted from unsigned values before packing; ekw_prepare_stages adds it back to the sums. */
EKW_BODY int32_t ekw_center(ekw_case kind) {
    return kind.is_signed ? 0 : 128;
}

EKW_BODY ekw_pair ekw_pair_of(int32_t a, int32_t b, int32_t c) {
    return (ekw_pair){(uint32_t)a + ((uint32_t)b << 21), (uint32_t)c + ((uint32_t)b << 10)};
}

/* Pixels come in order. */
EKW_BODY void ekw_pack_tap(uint8_t *packed, int32_t taps, int32_t slot, int32_t tap, int32_t value, ekw_case kind) {
    value -= ekw_center(kind);
    ekw_pair *pair = (ekw_pair *)(void *)packed + slot / EKW_PIXELS_STEP * taps + tap;
    const int32_t place = slot % EKW_PIXELS_STEP;
    if (place == 0) {
        *pair = ekw_pair_of(value, 0, 0);
    } else if (place == 1) {
        const ekw_pair one = ekw_pair_of(0, value, 0);
        pair->first += one.first;
        pair->second = one.second;
    } else {
        pair->second += (uint32_t)value;
    }
}

EKW_BODY void ekw_pack_end(uint8_t *packed, int32_t taps, int32_t slot) {
    (void)packed, (void)taps, (void)slot;
}

#include "kernels/windows.h"

EKW_BODY void ekw_pack_windows(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                               int32_t count, ekw_case kind) {
    ekw_pack_each_window(node, input, packed, first, count, kind);
}

/* Packing is the same code for both signs: bytes are centered by arithmetic. */
#define EKW_PACK EKW_SHARED

EKW_BODY int32_t ekw_centered(uint8_t byte, uint32_t flip) {
    return (int32_t)(byte ^ flip) - 128;
}

/* Where fewer than three pixels are left, the first of them is repeated. */
EKW_BODY void ekw_pack_pointwise(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                                 ekw_case kind) {
    const uint32_t flip = kind.is_signed ? 128 : 0;
    ekw_pair *pair = (ekw_pair *)(void *)packed;
    for (int32_t i = 0; i < count; i += EKW_PIXELS_STEP, input += EKW_PIXELS_STEP) {
        const int32_t b = count - i > 1 ? 1 : 0, c = count - i > 2 ? 2 : 0;
        const uint8_t *x = input;
        for (const ekw_pair *end = pair + channels; pair != end; pair++, x += plane) {
            *pair = ekw_pair_of(ekw_centered(x[0], flip), ekw_centered(x[b], flip), ekw_centered(x[c], flip));
        }
    }
}

/* Four weights; all are read before the first is written. */
EKW_BODY void ekw_unpack_four(uint8_t *unpacked, const int8_t *weights, int32_t bits) {
    const int32_t a = ekw_weight(weights, 0, bits), b = ekw_weight(weights, 1, bits);
    const int32_t c = ekw_weight(weights, 2, bits), d = ekw_weight(weights, 3, bits);
    unpacked[0] = (uint8_t)a;
    unpacked[1] = (uint8_t)b;
    unpacked[2] = (uint8_t)c;
    unpacked[3] = (uint8_t)d;
}

EKW_BODY void ekw_unpack_filters(uint8_t *unpacked, const int8_t *weights, int32_t taps, int32_t filters,
                                 int32_t bits) {
    for (int32_t f = 0; f < filters; f++, weights += ekw_filter_stride(taps & 3, bits)) {
        for (const uint8_t *end = unpacked + (taps & ~3); unpacked != end; unpacked += 4, weights += bits / 2) {
            ekw_unpack_four(unpacked, weights, bits);
        }
        for (int32_t i = 0; i < (taps & 3); i++) {
            *unpacked++ = (uint8_t)ekw_weight(weights, i, bits);
        }
    }
}

EKW_SHARED void ekw_unpack_4(uint8_t *unpacked, const int8_t *weights, int32_t taps, int32_t filters) {
    ekw_unpack_filters(unpacked, weights, taps, filters, 4);
}

EKW_SHARED void ekw_unpack_2(uint8_t *unpacked, const int8_t *weights, int32_t taps, int32_t filters) {
    ekw_unpack_filters(unpacked, weights, taps, filters, 2);
}

EKW_BODY void ekw_unpack(uint8_t *unpacked, const ekw_node *node, int32_t first, int32_t filters, ekw_case kind) {
    const int32_t taps = ekw_taps_of(node);
    const int8_t *weights = ekw_filter_at(node, first, kind.weight_bits);
    if (kind.weight_bits == 4) {
        ekw_unpack_4(unpacked, weights, taps, filters);
    } else {
        ekw_unpack_2(unpacked, weights, taps, filters);
    }
}

/* Zeros fill the last byte. */
EKW_BODY int32_t ekw_weights_sum(const int8_t *weights, int32_t taps, int32_t bits) {
    int32_t sum = 0;
    for (const int8_t *end = weights + ekw_filter_stride(taps, bits); weights != end; weights++) {
        sum += ekw_weight(weights, 0, bits);
        sum += bits < 8 ? ekw_weight(weights, 1, bits) : 0;
        sum += bits == 2 ? ekw_weight(weights, 2, bits) + ekw_weight(weights, 3, bits) : 0;
    }
    return sum;
}

/* The initial value of the sum of a filter: its offset, and the compensation for the center of the input. */
EKW_BODY void ekw_prepare_stages(uint8_t *stages, const ekw_node *node, int32_t taps, ekw_case kind) {
    int32_t *begin = (int32_t *)(void *)stages;
    const int8_t *weights = node->weight;
    for (int32_t f = 0; f < node->out_shape.channels; f++, weights += ekw_filter_stride(taps, kind.weight_bits)) {
        const int32_t sum = kind.is_signed ? 0 : ekw_weights_sum(weights, taps, kind.weight_bits);
        const int32_t offset = kind.rule == EKW_GENERAL ? ekw_general_offset(kind.general, f)
                                                        : ekw_stage_of(&node->requant, f, kind.rule).offset;
        begin[f] = offset + sum * ekw_center(kind);
    }
}

EKW_BODY int32_t ekw_low_21(uint32_t word) {
    return (int32_t)(word << 11) >> 11;
}

/* Adds the sums of three pixels to theirs so far. */
EKW_BODY void ekw_split(int32_t *acc, ekw_pair sums) {
    const int32_t a = ekw_low_21(sums.first);
    const uint32_t b_low = sums.first - (uint32_t)a;
    const uint32_t rest = sums.second - (b_low >> 11);
    const int32_t c = ekw_low_21(rest);
    const int32_t b_high = (int32_t)(rest - (uint32_t)c);
    acc[0] += a;
    acc[1] += (int32_t)(b_low >> 21) + (b_high >> 10);
    acc[2] += c;
}

EKW_BODY void ekw_multiply_add(ekw_pair *sum, ekw_pair x, int32_t weight) {
    sum->first += x.first * (uint32_t)weight;
    sum->second += x.second * (uint32_t)weight;
}

/* Adds to acc [EKW_FILTER_BLOCK][3] the sums of as many filters, `stride` bytes apart, at three pixels. A separate
 * function, for the loop needs all registers and is the same for kernels of all cases. */
EKW_SHARED void ekw_sums(int32_t *acc, const ekw_pair *x, const ekw_pair *end, const int8_t *weights, int32_t stride) {
    ekw_pair sums[EKW_FILTER_BLOCK] = {{0, 0}};
    const int8_t *w[EKW_FILTER_BLOCK];
    EKW_UNROLL
    for (int32_t f = 0; f < EKW_FILTER_BLOCK; f++) {
        w[f] = weights + f * stride;
    }
    EKW_UNROLL_TAPS
    for (; x != end; x++) {
        const ekw_pair pixels = *x;
        EKW_UNROLL
        for (int32_t f = 0; f < EKW_FILTER_BLOCK; f++) {
            ekw_multiply_add(&sums[f], pixels, *w[f]++);
        }
    }
    EKW_UNROLL
    for (int32_t f = 0; f < EKW_FILTER_BLOCK; f++) {
        ekw_split(acc + 3 * f, sums[f]);
    }
}

/* Stores three outputs, or what is left of them. */
EKW_BODY void ekw_store(uint8_t *output, int32_t step, const int32_t *y, int32_t lo, int32_t hi, int32_t count) {
    const ekw_requant range = {.lo = lo, .hi = hi};
    output[0] = ekw_clip(&range, y[0]);
    if (count > 1) {
        output[step] = ekw_clip(&range, y[1]);
    }
    if (count > 2) {
        output[2 * step] = ekw_clip(&range, y[2]);
    }
}

/* The fixed-point rule for outputs of 0 to 255, which clip all that is negative, so that both roundings may be halves up:
 * (2 total * mult / 2^32 rounded, + half) >> shift. total is within +-2^30. Cores whose products have 32 bits multiply
 * halves of words; only some multiply 64 bits and add in one instruction. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
EKW_BODY int32_t ekw_fixed_unsigned(int32_t total, ekw_stage stage, int32_t half) {
    const uint32_t low = (uint32_t)total & 0xFFFF, high = (uint32_t)total >> 16;
    const uint32_t mult_low = (uint32_t)stage.mult & 0xFFFF, mult_high = (uint32_t)stage.mult >> 16;
    if (total < 0) {
        return 0;
    }
    const uint32_t middle = (low * mult_low >> 16) + low * mult_high + high * mult_low + (UINT32_C(1) << 14);
    return (int32_t)((2 * high * mult_high + (middle >> 15) + (uint32_t)half) >> stage.shift);
}
#elif defined(__arm__)
EKW_BODY int32_t ekw_fixed_unsigned(int32_t total, ekw_stage stage, int32_t half) {
    const uint64_t begin = (uint64_t)(uint32_t)half << 32 | UINT64_C(1) << 31;
    return (int32_t)(((int64_t)(2 * total) * stage.mult + (int64_t)begin) >> 32) >> stage.shift;
}
#else
EKW_BODY int32_t ekw_fixed_unsigned(int32_t total, ekw_stage stage, int32_t half) {
    if (total < 0) {
        return 0;
    }
    const uint64_t product = (uint64_t)(uint32_t)(2 * total) * (uint32_t)stage.mult + (UINT64_C(1) << 31);
    return (int32_t)((uint32_t)(product >> 32) + (uint32_t)half) >> stage.shift;
}
#endif

/* acc: with the offset. For a constant range, compilers use instructions that clip. */
EKW_BODY void ekw_finish(uint8_t *output, int32_t step, const int32_t *acc, ekw_stage stage, bool is_signed,
                         int32_t count, ekw_rule rule) {
    if (rule == EKW_FIXED && !is_signed) {
        const int32_t half = (int32_t)((UINT32_C(1) << stage.shift) >> 1);
        const int32_t y[3] = {ekw_fixed_unsigned(acc[0], stage, half), ekw_fixed_unsigned(acc[1], stage, half),
                              ekw_fixed_unsigned(acc[2], stage, half)};
        ekw_store(output, step, y, 0, 255, count);
        return;
    }
    const int32_t y[3] = {ekw_scaled(acc[0], stage, rule), ekw_scaled(acc[1], stage, rule),
                          ekw_scaled(acc[2], stage, rule)};
    if (is_signed) {
        ekw_store(output, step, y, -128, 127, count);
    } else {
        ekw_store(output, step, y, 0, 255, count);
    }
}

EKW_SHARED void ekw_finish_general(uint8_t *output, int32_t step, const int32_t *acc, int32_t channel, int32_t count,
                                   const ekw_general *general) {
    for (int32_t i = 0; i < count && i < 3; i++, output += step) {
        *output = ekw_clip(&general->node.requant, ekw_scaled_general(general, acc[i], channel));
    }
}

/* Three pixels, EKW_FILTER_BLOCK filters from number f on. step: 0 repeats the first one. */
EKW_BODY void ekw_block(const ekw_requant *requant, const ekw_panel *panel, const ekw_pair *x, int32_t f, int32_t step,
                        uint8_t *output, int32_t count, int32_t group, ekw_rule rule, const ekw_general *general) {
    const int32_t taps = panel->taps, plane = panel->plane, channel = panel->first_filter + f;
    const int32_t *begin = (const int32_t *)(const void *)panel->stages + channel;
    int32_t acc[3 * EKW_FILTER_BLOCK];
    EKW_UNROLL
    for (int32_t i = 0; i < EKW_FILTER_BLOCK; i++) {
        acc[3 * i] = acc[3 * i + 1] = acc[3 * i + 2] = begin[i * step];
    }
    const int8_t *weights = (const int8_t *)panel->filters + f * taps;
    for (const ekw_pair *end = x + taps; x != end;) {
        const ekw_pair *until = end - x < group ? end : x + group;
        ekw_sums(acc, x, until, weights, step * taps);
        weights += until - x;
        x = until;
    }
    output += f * plane;
    EKW_UNROLL_OUTPUTS
    for (int32_t i = 0; i < EKW_FILTER_BLOCK; i++, output += step * plane) {
        if (rule == EKW_GENERAL) {
            ekw_finish_general(output, 1, acc + 3 * i, channel + i * step, count, general);
            continue;
        }
        const ekw_stage stage = ekw_stage_of(requant, channel + i * step, rule);
        ekw_finish(output, 1, acc + 3 * i, stage, requant->lo < 0, count, rule);
    }
}

/* The last block overlaps the one before it where the filters are not a multiple of a block. */
EKW_BODY void ekw_blocks(const ekw_node *node, const ekw_panel *panel, int32_t group, ekw_rule rule,
                         const ekw_general *general) {
    const int32_t filters = panel->filter_count, last = filters - EKW_FILTER_BLOCK, step = last < 0 ? 0 : 1;
    const ekw_requant requant = node->requant;
    const ekw_panel local = *panel;
    const ekw_pair *x = (const ekw_pair *)(const void *)panel->pixels;
    uint8_t *output = panel->output;
    for (int32_t left = panel->pixel_count; left > 0; left -= 3, x += local.taps, output += 3) {
        for (int32_t f = 0; f < filters; f += step ? EKW_FILTER_BLOCK : 1) {
            ekw_block(&requant, &local, x, step && f > last ? last : f, step, output, left, group, rule, general);
        }
    }
}

EKW_SHARED void ekw_blocks_clip(const ekw_node *node, const ekw_panel *panel, int32_t group) {
    ekw_blocks(node, panel, group, EKW_CLIP, 0);
}

EKW_SHARED void ekw_blocks_shift(const ekw_node *node, const ekw_panel *panel, int32_t group) {
    ekw_blocks(node, panel, group, EKW_SHIFT, 0);
}

EKW_SHARED void ekw_blocks_fixed(const ekw_node *node, const ekw_panel *panel, int32_t group) {
    ekw_blocks(node, panel, group, EKW_FIXED, 0);
}

EKW_SHARED void ekw_blocks_general(const ekw_general *general, const ekw_panel *panel, int32_t group) {
    ekw_blocks(&general->node, panel, group, EKW_GENERAL, general);
}

EKW_BODY void ekw_panel_run(const ekw_node *node, const ekw_panel *panel, ekw_case kind) {
    const int32_t group = ekw_group(kind);
    if (kind.rule == EKW_CLIP) {
        ekw_blocks_clip(node, panel, group);
    } else if (kind.rule == EKW_SHIFT) {
        ekw_blocks_shift(node, panel, group);
    } else if (kind.rule == EKW_GENERAL) {
        ekw_blocks_general(kind.general, panel, group);
    } else {
        ekw_blocks_fixed(node, panel, group);
    }
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, const int8_t *filter, int32_t length, ekw_case kind) {
    int32_t acc = 0;
    for (int32_t k = 0; k < length; k++) {
        acc += ekw_at(x, k, kind.is_signed) * ekw_weight(filter, k, kind.weight_bits);
    }
    return acc;
}

EKW_BODY int32_t ekw_sum(const uint8_t *x, int32_t count, ekw_case kind) {
    int32_t acc = 0;
    for (int32_t i = 0; i < count; i++) {
        acc += ekw_at(x, i, kind.is_signed);
    }
    return acc;
}

#include "kernels/cores/portable_plane.h"

#endif
