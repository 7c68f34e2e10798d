/* Convolutions that give one row, for dsp.h: few pixels, so weights are widened as they are read, and never stored.
 *
 *     scratch: packed pixels [taps / 4] five (t2, t0) | five (t3, t1), or [taps / 4] (t2, t0) | (t3, t1) of one pixel
 *
 * Five pixels times four taps of a filter are 20 products in 15 instructions; one pixel times eight taps of two filters
 * are 16 in 19. */
#ifndef EKW_CORE_DSP_ROW_H
#define EKW_CORE_DSP_ROW_H

#include "kernels/cores/select.h"

#define EKW_ROW_PIXELS 5
#define EKW_ROW_IS_SINGLE(node) ((node)->out_shape.width == 1 && EKW_TAPS(node) % 8 == 0)
#define EKW_CONV2D_ROW_BYTES(node) (EKW_TAPS(node) * 2 * EKW_IF(EKW_ROW_IS_SINGLE(node), 1, EKW_ROW_PIXELS))
#define EKW_LINEAR_ROW_BYTES(node) ((node)->in_shape.channels * 2)

/* A filter or all of them times five pixels; the assembly below reads these fields. */
typedef struct {
    uint8_t *output;      /* 0: of the first filter */
    const uint8_t *mult;  /* 4 */
    const uint8_t *shift; /* 8 */
    const int32_t *offset; /* 12 */
    const int32_t *end;    /* 16: of the offsets */
    int32_t step;          /* 20: bytes from a filter's output to the next one's */
    const uint8_t *pixels; /* 24 */
    const uint8_t *last;   /* 28: end of the pixels */
    int32_t skip;          /* 32: bytes of code that the first round skips */
    int32_t finish;        /* 36: 0 uint8, 1 int8, 2 the five sums of one filter at `output` */
    const int8_t *weights; /* 40 */
} ekw_row5;

#define EKW_ROW_ROUND 16     /* times four taps */
#define EKW_ROW_FOUR_TAPS 60 /* bytes of code */

/* Four taps: weights in r2 and r3, five sums in r4 to r8, five pixels in r9 to r12 and lr. */
#define EKW_ASM_FIVE_PIXELS(weights)                                                                         \
    "ldmia.w r0!, {r9, r10, r11, r12, lr}\n"                                                                 \
    "smlad r4, r9, " weights ", r4\n"                                                                        \
    "smlad r5, r10, " weights ", r5\n"                                                                       \
    "smlad r6, r11, " weights ", r6\n"                                                                       \
    "smlad r7, r12, " weights ", r7\n"                                                                       \
    "smlad r8, lr, " weights ", r8\n"
/* The same for the first taps: the initial value of all sums is in r4. */
#define EKW_ASM_FIRST_PIXELS(weights)                                                                        \
    "ldmia.w r0!, {r9, r10, r11, r12, lr}\n"                                                                 \
    "smlad r5, r10, " weights ", r4\n"                                                                       \
    "smlad r6, r11, " weights ", r4\n"                                                                       \
    "smlad r7, r12, " weights ", r4\n"                                                                       \
    "smlad r8, lr, " weights ", r4\n"                                                                        \
    "smlad r4, r9, " weights ", r4\n"
#define EKW_ASM_ROW_FOUR_TAPS                                                                                \
    "ldr.w r2, [r1], #4\n"                                                                                   \
    "sxtb16 r3, r2, ror #8\n"                                                                                \
    "sxtb16 r2, r2\n" EKW_ASM_FIVE_PIXELS("r2") EKW_ASM_FIVE_PIXELS("r3")

/* (acc * mult) >> shift is the high half of acc * factor, factor = mult * 2^(32 - shift). */
#define EKW_ASM_ROW_SCALE(clip)                                                                              \
    "ldmia sp, {r0, r2, r3, r9, r10, r11}\n"                                                                 \
    "ldrb r12, [r2], #1\n"                                                                                   \
    "ldrb lr, [r3], #1\n"                                                                                    \
    "rsb lr, lr, #32\n"                                                                                      \
    "lsl r12, r12, lr\n"                                                                                     \
    "smmul r4, r4, r12\n"                                                                                    \
    "smmul r5, r5, r12\n"                                                                                    \
    "smmul r6, r6, r12\n"                                                                                    \
    "smmul r7, r7, r12\n"                                                                                    \
    "smmul r8, r8, r12\n" clip " r4, #8, r4\n" clip " r5, #8, r5\n" clip " r6, #8, r6\n" clip              \
    " r7, #8, r7\n" clip " r8, #8, r8\n"

/* What follows the taps is at 36 of the stack. */
__attribute__((naked)) EKW_SHARED void ekw_row5_run(__attribute__((unused)) const ekw_row5 *row) {
    __asm volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "ldr r1, [r0, #40]\n"
        "ldmia r0, {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "adr r12, 1f + 1\n"
        "add r10, r10, r12\n"
        "adr r12, 5f + 1\n"
        "cmp r11, #1\n"
        "it eq\n"
        "adreq r12, 6f + 1\n"
        "it hi\n"
        "adrhi r12, 7f + 1\n"
        "mov r11, r12\n"
        "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "mov r0, r8\n"
        "ldr r4, [r5], #4\n"
        "str r5, [sp, #12]\n"
        "4:\n"
        "ldr r2, [r1], #4\n"
        "sxtb16 r3, r2, ror #8\n"
        "sxtb16 r2, r2\n" EKW_ASM_FIRST_PIXELS("r2") EKW_ASM_FIVE_PIXELS("r3")
        "ldr pc, [sp, #32]\n"

        ".balign 4\n"
        "1:\n"
        ".rept 16\n" EKW_ASM_ROW_FOUR_TAPS ".endr\n"
        ".org 1b + 16 * 60\n" /* where the first taps are all */
        "ldr r9, [sp, #28]\n"
        "cmp r0, r9\n"
        "bne 1b\n"
        "ldr pc, [sp, #36]\n"

        "6:\n" EKW_ASM_ROW_SCALE("ssat") "b 2f\n"
        "5:\n" EKW_ASM_ROW_SCALE("usat")
        "2:\n"
        "strb r5, [r0, #1]\n"
        "strb r6, [r0, #2]\n"
        "strb r7, [r0, #3]\n"
        "strb r8, [r0, #4]\n"
        "strb r4, [r0]\n"
        "cmp r9, r10\n"
        "beq 8f\n"
        "ldr r4, [r9], #4\n"
        "add r0, r0, r11\n"
        "stmia sp, {r0, r2, r3, r9}\n"
        "ldr r0, [sp, #24]\n"
        "b 4b\n"

        "7:\n"
        "ldr r0, [sp]\n"
        "stmia r0, {r4, r5, r6, r7, r8}\n"
        "8:\n"
        "add sp, sp, #40\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n" ::
            : "r0", "r1", "r2", "r3", "r12", "memory", "cc");
}

/* One pixel times two filters; the assembly below reads these fields. */
typedef struct {
    const uint8_t *pixels;  /* 0 */
    const int8_t *first;    /* 4: weights */
    const int8_t *second;   /* 8 */
    int32_t sums[2];        /* 12 */
    const uint8_t *last;    /* 20: end of the pixels */
    int32_t skip;           /* 24: bytes of code that the first round skips */
} ekw_row1;

#define EKW_ROW1_ROUND 4       /* times eight taps */
#define EKW_ROW1_EIGHT_TAPS 76 /* bytes of code */

#define EKW_ASM_EIGHT_TAPS(weights, sum)                                                                     \
    "ldrd r9, r10, [" weights "], #8\n"                                                                      \
    "sxtb16 r11, r9\n"                                                                                       \
    "sxtb16 r9, r9, ror #8\n"                                                                                \
    "smlad " sum ", r5, r11, " sum "\n"                                                                      \
    "smlad " sum ", r6, r9, " sum "\n"                                                                       \
    "sxtb16 r11, r10\n"                                                                                      \
    "sxtb16 r10, r10, ror #8\n"                                                                              \
    "smlad " sum ", r7, r11, " sum "\n"                                                                      \
    "smlad " sum ", r8, r10, " sum "\n"

__attribute__((naked)) EKW_SHARED void ekw_row1_run(__attribute__((unused)) ekw_row1 *row) {
    __asm volatile(
        "push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "ldmia r0, {r0, r1, r2, r3, r4, r5, r6}\n"
        "mov lr, r5\n"
        "adr r12, 1f + 1\n"
        "add r12, r12, r6\n"
        "bx r12\n"
        ".balign 4\n"
        "1:\n"
        ".rept 4\n"
        "ldmia.w r0!, {r5, r6, r7, r8}\n" EKW_ASM_EIGHT_TAPS("r1", "r3") EKW_ASM_EIGHT_TAPS("r2", "r4") ".endr\n"
        ".org 1b + 4 * 76\n"
        "cmp r0, lr\n"
        "bne 1b\n"
        "pop {r0}\n"
        "strd r3, r4, [r0, #12]\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n" ::
            : "r0", "r1", "r2", "r3", "r12", "memory", "cc");
}

/* Stores one value among packed pixels; `pixels` are interleaved. */
EKW_BODY void ekw_row_put(uint8_t *packed, int32_t pixels, int32_t pixel, int32_t tap, int32_t value) {
    uint8_t *word = packed + 4 * ((tap >> 2) * 2 * pixels + (tap & 1) * pixels + pixel);
    *(int16_t *)(void *)(word + (tap & 2)) = (int16_t)value;
}

/* Any window, tap by tap. first: the first pixel's column. */
EKW_SMALL void ekw_row_pack_any(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                                int32_t pixels, bool is_signed, const ekw_general *general) {
    const ekw_case kind = {.is_signed = is_signed, .general = general};
    const int32_t width = node->in_shape.width, right = ekw_dilation(kind, 1), pad = ekw_pad_value(kind);
    for (int32_t p = 0; p < pixels; p++) {
        const int32_t left = (first + p) * node->stride[1] - node->pad[2];
        const uint8_t *row = input;
        int32_t tap = 0;
        for (int32_t c = 0; c < node->in_shape.channels; c++, row += width) {
            for (int32_t j = 0; j < node->kernel[1]; j++, tap++) {
                const int32_t column = left + j * right;
                const bool is_inside = (uint32_t)column < (uint32_t)width;
                ekw_row_put(packed, pixels, p, tap, is_inside ? ekw_at(row, column, is_signed) : pad);
            }
        }
    }
}

/* Windows of four columns: each is four taps. Those in the padding are shifted out. */
EKW_HOT void ekw_row_pack_fours(const ekw_node *node, const uint8_t *input, uint32_t *packed, int32_t first,
                                bool is_signed, uint32_t padding) {
    const int32_t width = node->in_shape.width, channels = node->in_shape.channels;
    for (int32_t p = 0; p < EKW_ROW_PIXELS; p++) {
        const int32_t left = (first + p) * node->stride[1] - node->pad[2];
        const int32_t begin = left < 0 ? 0 : left > width - 4 ? width - 4 : left;
        const int32_t low = begin > left ? 8 * (begin - left) : 0, high = begin < left ? 8 * (left - begin) : 0;
        const bool is_outside = low + high >= 32;
        const uint32_t around = is_outside ? padding : padding & ~(UINT32_MAX << low >> high);
        const uint8_t *row = input + begin;
        uint32_t *out = packed + p;
        for (int32_t c = 0; c < channels; c++, row += width, out += 2 * EKW_ROW_PIXELS) {
            const uint32_t bytes = is_outside ? padding : (ekw_load4(row) << low >> high) | around;
            const ekw_taps4 taps = ekw_widen(bytes, is_signed);
            out[0] = taps.even;
            out[EKW_ROW_PIXELS] = taps.odd;
        }
    }
}

/* Two channels of five pixels of a 1x1 convolution. */
EKW_BODY void ekw_row_pack_two(uint32_t *packed, const uint8_t *a, const uint8_t *b, bool is_signed) {
    const ekw_taps4 low = ekw_widen(ekw_load4(a), is_signed), high = ekw_widen(ekw_load4(b), is_signed);
    packed[0] = ekw_low_halves(high.even, low.even);
    packed[1] = ekw_low_halves(high.odd, low.odd);
    packed[2] = ekw_high_halves(high.even, low.even);
    packed[3] = ekw_high_halves(high.odd, low.odd);
    packed[4] = ekw_low_halves((uint32_t)ekw_at(b, 4, is_signed), (uint32_t)ekw_at(a, 4, is_signed));
}

EKW_HOT void ekw_row_pack_pointwise(uint32_t *packed, const uint8_t *x, int32_t width, int32_t channels,
                                    bool is_signed) {
    for (int32_t c = 0; c < channels; c += 4, x += 4 * width, packed += 4 * EKW_ROW_PIXELS / 2) {
        ekw_row_pack_two(packed, x, x + 2 * width, is_signed);
        ekw_row_pack_two(packed + EKW_ROW_PIXELS, x + width, x + 3 * width, is_signed);
    }
}

/* One pixel of a row of one column, whose channels are neighbours. */
EKW_HOT void ekw_row_pack_single(uint32_t *packed, const uint8_t *x, int32_t channels, bool is_signed) {
    for (int32_t c = 0; c < channels; c += 4, x += 4, packed += 2) {
        const ekw_taps4 taps = ekw_widen(ekw_load4(x), is_signed);
        packed[0] = taps.even;
        packed[1] = taps.odd;
    }
}

EKW_BODY bool ekw_row_is_pointwise(const ekw_node *node) {
    return node->kernel[1] == 1 && node->stride[1] == 1 && (node->pad[2] | node->pad[3]) == 0;
}

EKW_BODY void ekw_row_pack(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first, int32_t pixels,
                           int32_t count, ekw_case kind) {
    uint32_t *words = (uint32_t *)(void *)packed;
    const int32_t width = node->in_shape.width, channels = node->in_shape.channels;
    if (pixels == 1 && width == 1 && ekw_row_is_pointwise(node)) {
        ekw_row_pack_single(words, input, channels, kind.is_signed);
    } else if (count == EKW_ROW_PIXELS && ekw_row_is_pointwise(node)) {
        ekw_row_pack_pointwise(words, input + first, width, channels, kind.is_signed);
    } else if (count == EKW_ROW_PIXELS && node->kernel[1] == 4 && width >= 4 && !ekw_is_dilated(kind)) {
        ekw_row_pack_fours(node, input, words, first, kind.is_signed,
                           UINT32_C(0x01010101) * (uint8_t)ekw_pad_value(kind));
    } else {
        ekw_row_pack_any(node, input, packed, first, pixels, kind.is_signed, kind.general);
    }
}

/* A requantization, copied: bytes that are stored might be it, as far as the compiler knows. is_fixed: fixed-point rules
 * with a gain of 1, as dsp.h explains it; other rules are scaled as on all cores. */
typedef struct {
    ekw_requant requant;
    int32_t zero;
    bool is_fixed;
} ekw_row_scale;

EKW_BODY ekw_row_scale ekw_row_scale_of(const ekw_node *node, ekw_case kind) {
    const bool is_fixed = ekw_gain_rule(kind.rule, kind.general) == EKW_FIXED;
    return (ekw_row_scale){node->requant, is_fixed && kind.general ? kind.general->zero : 0, is_fixed};
}

/* acc: without the offset. */
EKW_BODY uint8_t ekw_row_scaled(const ekw_row_scale *scale, int32_t acc, int32_t channel, ekw_case kind) {
    const ekw_requant *requant = &scale->requant;
    if (!scale->is_fixed) {
        return ekw_requantize(requant, acc, channel, kind);
    }
    const int32_t shift = requant->shift[channel], mult = ((const int32_t *)requant->mult)[channel];
    int32_t high;
    __asm("smmulr %0, %1, %2" : "=r"(high) : "r"((acc + requant->offset[channel]) * 2), "r"(mult));
    if (shift > 0) {
        high = (high + (high >> 31) + (int32_t)(UINT32_C(1) << (shift - 1))) >> shift;
    }
    return ekw_clip(requant, high + scale->zero);
}

EKW_BODY void ekw_row_single(const ekw_node *node, const uint8_t *packed, uint8_t *output, int32_t taps,
                             ekw_case kind) {
    const int32_t filters = node->out_shape.channels, eights = taps >> 3;
    const ekw_row_scale scale = ekw_row_scale_of(node, kind);
    ekw_row1 row = {.skip = (-eights & (EKW_ROW1_ROUND - 1)) * EKW_ROW1_EIGHT_TAPS, .last = packed + taps * 2};
    const int8_t *weights = node->weight;
    for (int32_t f = 0; f < filters; f += 2, weights += 2 * taps) {
        const bool has_second = f + 1 < filters;
        row.pixels = packed;
        row.first = weights;
        row.second = has_second ? weights + taps : weights;
        row.sums[0] = row.sums[1] = 0;
        ekw_row1_run(&row);
        output[f] = ekw_row_scaled(&scale, row.sums[0], f, kind);
        if (has_second) {
            output[f + 1] = ekw_row_scaled(&scale, row.sums[1], f + 1, kind);
        }
    }
}

/* Up to five pixels. All filters at once where that is compiled, else one by one. */
EKW_BODY void ekw_row_five(const ekw_node *node, const uint8_t *packed, uint8_t *output, int32_t count, ekw_case kind) {
    static const int32_t none[1] = {0};
    const int32_t taps = EKW_TAPS(node), filters = node->out_shape.channels, width = node->out_shape.width;
    int32_t sums[EKW_ROW_PIXELS];
    ekw_row5 row = {.output = (uint8_t *)sums, .offset = none, .step = width, .pixels = packed,
                    .last = packed + taps * 2 * EKW_ROW_PIXELS, .finish = 2, .weights = node->weight};
    const int32_t after = (taps >> 2) - 1; /* those of the first taps */
    row.skip = (after == 0 ? EKW_ROW_ROUND : -after & (EKW_ROW_ROUND - 1)) * EKW_ROW_FOUR_TAPS;
    if (kind.rule == EKW_SHIFT && count == EKW_ROW_PIXELS) {
        row.output = output;
        row.mult = (const uint8_t *)node->requant.mult;
        row.shift = node->requant.shift;
        row.offset = node->requant.offset;
        row.end = row.offset + filters;
        row.finish = node->requant.lo < 0;
        ekw_row5_run(&row);
        return;
    }
    const ekw_row_scale scale = ekw_row_scale_of(node, kind);
    for (int32_t f = 0; f < filters; f++, output += width, row.weights += taps) {
        ekw_row5_run(&row);
        for (int32_t p = 0; p < count; p++) {
            output[p] = ekw_row_scaled(&scale, sums[p], f, kind);
        }
    }
}

/* A matrix times a row of one column, whose channels are multiples of eight. */
EKW_BODY void ekw_linear_row(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                             ekw_case kind) {
    const int32_t taps = node->in_shape.channels;
    ekw_row_pack_single((uint32_t *)(void *)scratch.bytes, input, taps, kind.is_signed);
    ekw_row_single(node, scratch.bytes, output, taps, kind);
}

EKW_BODY void ekw_conv2d_row(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                             ekw_case kind) {
    uint8_t *packed = scratch.bytes;
    if (EKW_ROW_IS_SINGLE(node)) {
        ekw_row_pack(node, input, packed, 0, 1, 1, kind);
        ekw_row_single(node, packed, output, EKW_TAPS(node), kind);
        return;
    }
    for (int32_t first = 0; first < node->out_shape.width; first += EKW_ROW_PIXELS) {
        const int32_t left = node->out_shape.width - first, count = left < EKW_ROW_PIXELS ? left : EKW_ROW_PIXELS;
        ekw_row_pack(node, input, packed, first, EKW_ROW_PIXELS, count, kind);
        ekw_row_five(node, packed, output + first, count, kind);
    }
}

#endif
