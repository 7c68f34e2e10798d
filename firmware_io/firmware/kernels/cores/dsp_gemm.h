/* Matrix products of dsp.h. */
#ifndef EKW_CORE_DSP_GEMM_H
#define EKW_CORE_DSP_GEMM_H

EKW_BODY void ekw_pack_tap(uint8_t *packed, int32_t taps, int32_t slot, int32_t tap, int32_t value,
                           ekw_case kind) {
    (void)kind;
    packed += (slot >> 1) * 2 * EKW_PIXEL_BYTES(taps) + (slot & 1) * 4;
    *(int16_t *)(void *)(packed + (tap >> 2) * 16 + (tap & 1) * 8 + (tap & 2)) = (int16_t)value;
}

EKW_BODY void ekw_pack_end(uint8_t *packed, int32_t taps, int32_t slot) {
    for (int32_t tap = taps; (tap & 3) != 0; tap++) {
        ekw_pack_tap(packed, taps, slot, tap, 0, (ekw_case){0});
    }
}

#include "kernels/windows.h"

/* Four channels of two pixels at a time, which are neighbours in memory:
 *
 *     c0 of both | c2 of both << 16   ->   the first pixel's (c2, c0), the second one's (c2, c0) */
#define EKW_ASM_PACK_SQUARES(extend)                                                                         \
    "1:\n"                                                                                                   \
    "ldrh r4, [%[x]]\n"                                                                                      \
    "ldrh r5, [%[x], %[two]]\n"                                                                              \
    "add %[x], %[x], %[plane]\n"                                                                             \
    "ldrh r6, [%[x]]\n"                                                                                      \
    "ldrh r8, [%[x], %[two]]\n"                                                                              \
    "add %[x], %[x], %[three]\n"                                                                             \
    "orr r4, r4, r5, lsl #16\n"                                                                              \
    "orr r8, r6, r8, lsl #16\n" extend " r5, r4, ror #8\n" extend " r4, r4\n" extend " r6, r8\n" extend     \
    " r8, r8, ror #8\n"                                                                                      \
    "stmia %[out]!, {r4, r5, r6, r8}\n"                                                                      \
    "cmp %[out], %[end]\n"                                                                                   \
    "bne 1b\n"

#define EKW_PACK_SQUARES(extend)                                                                             \
    __asm volatile(EKW_ASM_PACK_SQUARES(extend)                                                              \
                   : [x] "+r"(x), [out] "+r"(out)                                                            \
                   : [end] "r"(end), [plane] "r"(plane), [two] "r"(2 * plane), [three] "r"(3 * plane)        \
                   : "r4", "r5", "r6", "r8", "memory", "cc")

EKW_BODY void ekw_pack_pointwise(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                                 ekw_case kind) {
    const int32_t pair_bytes = 2 * EKW_PIXEL_BYTES(channels), squares = channels & ~3;
    for (; count > 0; count -= 2, packed += pair_bytes, input += 2) {
        uint8_t *out = packed;
        const uint8_t *x = input, *end = packed + 4 * squares;
        if (count > 1 && squares > 0 && kind.is_signed) {
            EKW_PACK_SQUARES("sxtb16");
        } else if (count > 1 && squares > 0) {
            EKW_PACK_SQUARES("uxtb16");
        }
        for (int32_t c = (int32_t)(out - packed) / 4; c < pair_bytes / 4; c++, x += plane) {
            const bool is_there = c < channels;
            ekw_pack_tap(packed, channels, 0, c, is_there ? ekw_at(x, 0, kind.is_signed) : 0, kind);
            ekw_pack_tap(packed, channels, 1, c, is_there && count > 1 ? ekw_at(x, 1, kind.is_signed) : 0, kind);
        }
    }
}

/* A row of a window is four taps. Those in the padding are shifted out. */
EKW_SHARED void ekw_pack_rows(const ekw_node *node, const uint8_t *input, uint32_t *packed, int32_t pixel,
                            bool is_signed, uint32_t padding) {
    const int32_t height = node->in_shape.height, width = node->in_shape.width, kernel = node->kernel[0];
    const int32_t top = pixel / node->out_shape.width * node->stride[0] - node->pad[0];
    const int32_t left = pixel % node->out_shape.width * node->stride[1] - node->pad[2];
    const int32_t begin = left < 0 ? 0 : left > width - 4 ? width - 4 : left;
    const int32_t low = begin > left ? 8 * (begin - left) : 0, high = begin < left ? 8 * (left - begin) : 0;
    const bool is_outside = low + high >= 32;
    const uint32_t around = is_outside ? padding : padding & ~(UINT32_MAX << low >> high);
    input += top * width + begin;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += height * width) {
        const uint8_t *row = input;
        for (int32_t i = top; i < top + kernel; i++, packed += 4, row += width) {
            uint32_t bytes = padding;
            if ((uint32_t)i < (uint32_t)height && !is_outside) {
                bytes = (ekw_load4(row) << low >> high) | around;
            }
            const ekw_taps4 taps = is_signed ? ekw_widen(bytes, true) : ekw_widen(bytes, false);
            packed[0] = taps.even;
            packed[2] = taps.odd;
        }
    }
}

/* First layers have kernels of four columns. */
EKW_BODY void ekw_pack_windows(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                               int32_t count, ekw_case kind) {
    if (node->kernel[1] != 4 || node->in_shape.width < 4 || ekw_is_dilated(kind)) {
        ekw_pack_each_window(node, input, packed, first, count, kind);
        return;
    }
    const int32_t bytes = EKW_PIXEL_BYTES(node->kernel[0] * 4 * node->in_shape.channels);
    for (int32_t i = 0; i < count; i++) {
        uint32_t *out = (uint32_t *)(void *)(packed + (i >> 1) * 2 * bytes + (i & 1) * 4);
        ekw_pack_rows(node, input, out, first + i, kind.is_signed, UINT32_C(0x01010101) * (uint8_t)ekw_pad_value(kind));
    }
}

/* Filters are widened like pixels; where a pair has no second one, its place is left unchanged. */
EKW_SHARED void ekw_unpack_filters(uint8_t *unpacked, const ekw_node *node, int32_t first, int32_t filters,
                                   int32_t bits, ekw_rule rule, const ekw_general *general) {
    const int32_t taps = node->kernel[0] * node->kernel[1] * node->in_shape.channels;
    const int32_t stride = ekw_filter_stride(taps, bits), words = EKW_FILTER_BYTES(taps, bits) / 4;
    const int8_t *weights = node->weight + first * stride;
    for (int32_t f = 0; f < filters; f++, weights += stride) {
        uint32_t *out = (uint32_t *)(void *)unpacked + (f >> 1) * 2 * words + (f & 1);
        const int32_t gain = ekw_gain(&node->requant, first + f, bits, rule, general);
        const int8_t *w = weights;
        const bool doubles = bits == 8 && ekw_gain_rule(rule, general) == EKW_FIXED;
        ekw_taps4 four;
        int32_t left = taps;
        for (; left >= 4; left -= 4, w += bits / 2, out += 4) {
            four = ekw_widen_weights(ekw_load_weights(w, 4, bits), bits, gain);
            four = doubles ? ekw_doubled(four) : four;
            out[0] = four.even;
            out[2] = four.odd;
        }
        if (left > 0) {
            four = ekw_widen_weights(ekw_load_weights(w, left, bits), bits, gain);
            four = doubles ? ekw_doubled(four) : four;
            out[0] = four.even;
            out[2] = four.odd;
        }
    }
}

EKW_BODY void ekw_unpack(uint8_t *unpacked, const ekw_node *node, int32_t first, int32_t filters, ekw_case kind) {
    if (kind.weight_bits == 8) {
        ekw_unpack_filters(unpacked, node, first, filters, 8, kind.rule, kind.general);
    } else if (kind.weight_bits == 4) {
        ekw_unpack_filters(unpacked, node, first, filters, 4, kind.rule, kind.general);
    } else {
        ekw_unpack_filters(unpacked, node, first, filters, 2, kind.rule, kind.general);
    }
}

/* A first multiplier of 0 means that what some channel adds does not fit 24 bits, or that it rounds nothing. */
EKW_SMALL void ekw_prepare_fixed(int32_t *words, const ekw_node *node, int32_t zero) {
    const ekw_requant *requant = &node->requant;
    bool is_fast = true;
    for (int32_t f = 0; f < node->out_shape.channels; f++) {
        int32_t *word = words + (f >> 1) * 6 + (f & 1);
        const int32_t shift = requant->shift[f];
        const uint32_t added = ((UINT32_C(1) << shift) >> 1) + ((uint32_t)zero << shift);
        word[0] = (int32_t)((uint32_t)requant->offset[f] << 1);
        word[2] = ((const int32_t *)requant->mult)[f];
        word[4] = (int32_t)(added << 8) | shift;
        is_fast = is_fast && shift <= 15 && (shift > 0 || requant->lo == 0);
    }
    words[2] = is_fast ? words[2] : 0;
}

/* A first factor of 0 means that some channel has none. */
EKW_BODY void ekw_prepare_stages(uint8_t *stages, const ekw_node *node, int32_t taps, ekw_case kind) {
    const ekw_requant *requant = &node->requant;
    int32_t *words = (int32_t *)(void *)stages;
    bool has_factors = true;
    (void)taps;
    if (ekw_gain_rule(kind.rule, kind.general) == EKW_FIXED) {
        ekw_prepare_fixed(words, node, kind.general ? kind.general->zero : 0);
        return;
    }
    for (int32_t f = 0; kind.rule == EKW_SHIFT && f < node->out_shape.channels; f++) {
        const int32_t gain = ekw_gain(requant, f, kind.weight_bits, kind.rule, 0);
        int32_t *pair = words + (f >> 1) * 6, second = f & 1;
        pair[2 * second] = pair[2 * second + 1] = (int32_t)((uint32_t)requant->offset[f] << gain);
        pair[4 + second] = ekw_factor(requant, f, gain);
        has_factors = has_factors && pair[4 + second] != 0;
    }
    words[4] = has_factors ? words[4] : 0;
}

/* Two pixels times pairs of filters; the assembly below reads these fields. */
typedef struct {
    uint8_t *output;        /* at 0: of the first pixel and filter */
    const int32_t *stage;   /* 4: of the first pair; or 0, 0, 0, 0, which become the sums of a single pair */
    int32_t pixel_step;     /* 8: bytes to the second pixel's output; 0 where there is no second pixel */
    int32_t filter_step;    /* 12: bytes to the next filter's output; 0 where there is no second filter */
    const uint8_t *pixels;  /* 16 */
    const uint8_t *last;    /* 20: end of the filters */
    int32_t skip;           /* 24: bytes of code that the first round skips */
    int32_t finish;         /* 28: 0 uint8, 1 int8, 2 sums */
    const uint8_t *end;     /* 32: end of the pixels */
    const uint8_t *filters; /* 36 */
} ekw_strip;

#define EKW_ROUND 16     /* times four taps */
#define EKW_FOUR_TAPS 38 /* bytes of code */

/* Four taps of two pixels and two filters: 16 products, 10 instructions, every register.
 *
 *               pixel 0 (r2, r4)   pixel 1 (r3, r5)
 *     filter 0        r8                 r9            (r6, r12)
 *     filter 1        r10                r11           (r7, lr) */
#define EKW_ASM_FOUR_TAPS                                                                                    \
    "ldmia.n r0!, {r2, r3, r4, r5}\n"                                                                        \
    "ldmia.w r1!, {r6, r7, r12, lr}\n"                                                                       \
    "smlad r8, r2, r6, r8\n"                                                                                 \
    "smlad r9, r3, r6, r9\n"                                                                                 \
    "smlad r10, r2, r7, r10\n"                                                                               \
    "smlad r11, r3, r7, r11\n"                                                                               \
    "smlad r8, r4, r12, r8\n"                                                                                \
    "smlad r9, r5, r12, r9\n"                                                                                \
    "smlad r10, r4, lr, r10\n"                                                                               \
    "smlad r11, r5, lr, r11\n"

#define EKW_ASM_SCALE(clip)                                                                                  \
    "ldmia sp, {r2, r3, r12, lr}\n"                                                                          \
    "ldmia r3!, {r4, r5}\n"                                                                                  \
    "smmul r8, r8, r4\n"                                                                                     \
    "smmul r9, r9, r4\n"                                                                                     \
    "smmul r10, r10, r5\n"                                                                                   \
    "smmul r11, r11, r5\n" clip " r8, #8, r8\n" clip " r9, #8, r9\n" clip " r10, #8, r10\n" clip             \
    " r11, #8, r11\n"

/* y = (2 acc * mult / 2^32 rounded, + added) >> shift */
#define EKW_ASM_LOAD_FIXED                                                                                   \
    "ldr r3, [sp, #4]\n"                                                                                     \
    "ldmia r3!, {r2, r4, r5, r6}\n"                                                                          \
    "asr r0, r5, #8\n"                                                                                       \
    "asr r7, r6, #8\n"
#define EKW_ASM_SHIFT_FIXED(clip)                                                                            \
    "asr r8, r8, r5\n"                                                                                       \
    "asr r9, r9, r5\n"                                                                                       \
    "asr r10, r10, r6\n"                                                                                     \
    "asr r11, r11, r6\n" clip " r8, #8, r8\n" clip " r9, #8, r9\n" clip " r10, #8, r10\n" clip              \
    " r11, #8, r11\n"                                                                                        \
    "ldr r2, [sp]\n"                                                                                         \
    "ldrd r12, lr, [sp, #8]\n"
#define EKW_ASM_SCALE_FIXED                                                                                  \
    EKW_ASM_LOAD_FIXED                                                                                       \
    "smmlar r8, r8, r2, r0\n"                                                                                \
    "smmlar r9, r9, r2, r0\n"                                                                                \
    "smmlar r10, r10, r4, r7\n"                                                                              \
    "smmlar r11, r11, r4, r7\n" EKW_ASM_SHIFT_FIXED("usat")
#define EKW_ASM_SCALE_SIGNED                                                                                 \
    EKW_ASM_LOAD_FIXED                                                                                       \
    "smmulr r8, r8, r2\n"                                                                                    \
    "smmulr r9, r9, r2\n"                                                                                    \
    "smmulr r10, r10, r4\n"                                                                                  \
    "smmulr r11, r11, r4\n"                                                                                  \
    "add r8, r8, r8, asr #31\n"                                                                              \
    "add r9, r9, r9, asr #31\n"                                                                              \
    "add r10, r10, r10, asr #31\n"                                                                           \
    "add r11, r11, r11, asr #31\n"                                                                           \
    "add r8, r8, r0\n"                                                                                       \
    "add r9, r9, r0\n"                                                                                       \
    "add r10, r10, r7\n"                                                                                     \
    "add r11, r11, r7\n" EKW_ASM_SHIFT_FIXED("ssat")

/* How outputs are scaled, by ekw_strip.finish; 7 returns the sums in place of their initial values. */
#define EKW_ASM_FINISH_SHIFT                                                                                 \
    "6:\n" EKW_ASM_SCALE("ssat") "b 3f\n"                                                                    \
    "5:\n" EKW_ASM_SCALE("usat")
#define EKW_ASM_FINISH_FIXED                                                                                 \
    "6:\n" EKW_ASM_SCALE_SIGNED "b 3f\n"                                                                     \
    "5:\n" EKW_ASM_SCALE_FIXED

/* The initial values of four sums: two of each filter, or one that is taken twice. */
#define EKW_ASM_BEGIN_SHIFT(stage) "ldmia " stage "!, {r8, r9, r10, r11}\n"
#define EKW_ASM_BEGIN_FIXED(stage)                                                                           \
    "ldmia " stage "!, {r8, r10}\n"                                                                          \
    "mov r9, r8\n"                                                                                           \
    "mov r11, r10\n"

/* The tap loop is unrolled; the first round enters it at the number of taps that it has to process, later ones at its
 * top. Where there is no second pixel or filter, its output is written first, to the place that the other one
 * overwrites. Behind the last pair of filters, the next initial values are no such values.
 *
 *     r7 += ...        at 24: where to begin
 *     r8               at 28: how to finish
 *     r12              at 36: what follows a round: this, or the question whether another one does
 *     .org             an error where the taps took more */
#define EKW_ASM_STRIP(begin, finish, begin_bytes)                                                            \
    "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"                                                          \
    "ldmia r0!, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n"                                                      \
    "ldr r0, [r0]\n"                                                                                         \
    "adr r12, 1f + 1\n"                                                                                      \
    "add r7, r7, r12\n"                                                                                      \
    "adr lr, 5f + 1\n"                                                                                       \
    "cmp r8, #1\n"                                                                                           \
    "it eq\n"                                                                                                \
    "adreq lr, 6f + 1\n"                                                                                     \
    "it hi\n"                                                                                                \
    "adrhi lr, 7f + 1\n"                                                                                     \
    "mov r8, lr\n"                                                                                           \
    "mov r12, lr\n"                                                                                          \
    "sub lr, r9, r5\n"                                                                                       \
    "cmp lr, #16 * 16\n"                                                                                     \
    "it hi\n"                                                                                                \
    "adrhi r12, 8f + 1\n"                                                                                    \
    "push {r1, r2, r3, r4, r5, r6, r7, r8, r9, r12}\n"                                                       \
    "mov r1, r0\n" begin("r2") "str r2, [sp, #4]\n"                                                         \
    "b 4f\n"                                                                                                 \
    ".balign 4\n"                                                                                            \
    "1:\n"                                                                                                   \
    ".rept 16\n" EKW_ASM_FOUR_TAPS ".endr\n"                                                                \
    ".org 1b + 16 * 38\n"                                                                                    \
    "ldr pc, [sp, #36]\n"                                                                                    \
                                                                                                             \
    "8:\n"                                                                                                   \
    "ldr r2, [sp, #32]\n"                                                                                    \
    "cmp r0, r2\n"                                                                                           \
    "bne 1b\n"                                                                                               \
    "ldr pc, [sp, #28]\n"                                                                                    \
                                                                                                             \
    finish                                                                                                   \
    "3:\n"                                                                                                   \
    "add r4, r2, lr\n"                                                                                       \
    "strb r11, [r4, r12]\n"                                                                                  \
    "strb r10, [r4]\n"                                                                                       \
    "strb r9, [r2, r12]\n"                                                                                   \
    "strb r8, [r2]\n"                                                                                        \
    "add r2, r4, lr\n" begin("r3") "strd r2, r3, [sp]\n"                                                    \
    "4:\n"                                                                                                   \
    "ldrd r0, r2, [sp, #16]\n"                                                                               \
    "cmp r1, r2\n"                                                                                           \
    "it ne\n"                                                                                                \
    "ldrne pc, [sp, #24]\n"                                                                                  \
    "b 9f\n"                                                                                                 \
                                                                                                             \
    "7:\n"                                                                                                   \
    "ldr r3, [sp, #4]\n"                                                                                     \
    "sub r3, r3, #" begin_bytes "\n"                                                                         \
    "stmia r3, {r8, r9, r10, r11}\n"                                                                         \
    "9:\n"                                                                                                   \
    "add sp, sp, #40\n"                                                                                      \
    "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"

#define EKW_STRIP_FUNCTION(name, ...)                                                                        \
    __attribute__((naked)) EKW_SHARED void name(__attribute__((unused)) const ekw_strip *strip) {             \
        __asm volatile(EKW_ASM_STRIP(__VA_ARGS__)::: "r0", "r1", "r2", "r3", "r12", "memory", "cc");           \
    }
EKW_STRIP_FUNCTION(ekw_strip_shift, EKW_ASM_BEGIN_SHIFT, EKW_ASM_FINISH_SHIFT, "16")
EKW_STRIP_FUNCTION(ekw_strip_fixed, EKW_ASM_BEGIN_FIXED, EKW_ASM_FINISH_FIXED, "8")

/* One of the two, so that an image has one of them. */
EKW_BODY void ekw_strip_run(const ekw_strip *strip, ekw_rule rule) {
    if (rule == EKW_FIXED || rule == EKW_GENERAL) {
        ekw_strip_fixed(strip);
    } else {
        ekw_strip_shift(strip);
    }
}

/* One of four sums before requantization. */
EKW_SMALL void ekw_store_sum(const ekw_node *node, const ekw_panel *panel, int32_t acc, int32_t filter, int32_t pixel,
                             int32_t bits, ekw_rule rule, const ekw_general *general) {
    if (filter < panel->filter_count && pixel < panel->pixel_count) {
        const int32_t channel = panel->first_filter + filter, gain = ekw_gain(&node->requant, channel, bits, rule, general);
        panel->output[filter * panel->plane + pixel] = ekw_requantize(&node->requant, acc >> gain, channel, (ekw_case){.rule = rule, .general = general});
    }
}

/* Two pixels times all pairs of filters at once; a filter without a partner alone, and one pair at a time where the
 * sums are returned. */
EKW_SMALL void ekw_panel_pairs(const ekw_node *node, const ekw_panel *panel, bool is_scaled, int32_t bits,
                               ekw_rule rule, const ekw_general *general) {
    const int32_t fours = (panel->taps + 3) >> 2, pair_bytes = 16 * fours;
    int32_t sums[4] = {0, 0, 0, 0};
    ekw_strip strip;
    strip.skip = (-fours & (EKW_ROUND - 1)) * EKW_FOUR_TAPS;
    strip.finish = !is_scaled ? 2 : node->requant.lo < 0;
    strip.pixels = panel->pixels;
    for (int32_t p = 0; p < panel->pixel_count; p += 2, strip.pixels += pair_bytes) {
        strip.end = strip.pixels + pair_bytes;
        strip.pixel_step = panel->pixel_count - p > 1;
        strip.filters = panel->filters;
        for (int32_t f = 0, some; f < panel->filter_count; f += some, strip.filters = strip.last) {
            const int32_t *stage = (const int32_t *)(const void *)panel->stages + (panel->first_filter + f) * 3;
            const int32_t left = panel->filter_count - f;
            some = left > 2 && is_scaled ? left & ~1 : 2;
            strip.last = strip.filters + some / 2 * pair_bytes;
            strip.output = panel->output + f * panel->plane + p;
            strip.filter_step = left > 1 ? panel->plane : 0;
            strip.stage = is_scaled ? stage : sums;
            ekw_strip_run(&strip, rule);
            for (int32_t i = 0; i < 4 && !is_scaled; i++) {
                ekw_store_sum(node, panel, sums[i], f + (i >> 1), p + (i & 1), bits, rule, general);
                sums[i] = 0;
            }
        }
    }
}

EKW_BODY void ekw_panel_run(const ekw_node *node, const ekw_panel *panel, ekw_case kind) {
    const int32_t *stage = (const int32_t *)(const void *)panel->stages;
    const ekw_rule rule = ekw_gain_rule(kind.rule, kind.general);
    const bool is_scaled = (rule == EKW_SHIFT && stage[4] != 0) || (rule == EKW_FIXED && stage[2] != 0);
    ekw_panel_pairs(node, panel, is_scaled, kind.weight_bits, kind.rule, kind.general);
}

#endif
