/* Depthwise 3x3 convolutions of rows of five columns, for dsp.h: one row of output, from bytes as they lie in memory. */
#ifndef EKW_CORE_DSP_ROW3X3_H
#define EKW_CORE_DSP_ROW3X3_H

#include "kernels/cores/dsp_row.h"

/* The assembly below reads these fields. */
typedef struct {
    uint8_t *output;       /* 0: packed pixels */
    const uint8_t *mult;   /* 4 */
    const uint8_t *shift;  /* 8 */
    const int32_t *offset; /* 12 */
    const int32_t *end;    /* 16: of the offsets */
    int32_t step;          /* 20: bytes from a row to the next one */
    int32_t back;          /* 24: bytes from the third row to the next channel's first */
} ekw_row3x3;

/* Five values of a row: r11 (x2, x0), r12 (x3, x1), r9 (x2, x4), r10 (0, x4). */
#define EKW_ASM_ROW_OF_FIVE                                                                                  \
    "ldr r9, [r0]\n"                                                                                         \
    "ldrb r10, [r0, #4]\n"                                                                                   \
    "uxtb16 r11, r9\n"                                                                                       \
    "uxtb16 r12, r9, ror #8\n"                                                                               \
    "pkhbt r9, r10, r11\n"

/* Three weights: w (w0, w2) in the high and low half, m the one between them, in half `b` or `t` of it. */
#define EKW_ASM_ROW_TAPS(w, m, half)                                                                         \
    "smlab" half " r4, r11, " m ", r4\n"                                                                     \
    "smlabb r4, r12, " w ", r4\n"                                                                            \
    "smladx r5, r11, " w ", r5\n"                                                                            \
    "smlab" half " r5, r12, " m ", r5\n"                                                                     \
    "smladx r6, r12, " w ", r6\n"                                                                            \
    "smlat" half " r6, r11, " m ", r6\n"                                                                     \
    "smlad r7, r9, " w ", r7\n"                                                                              \
    "smlat" half " r7, r12, " m ", r7\n"                                                                     \
    "smlatt r8, r12, " w ", r8\n"                                                                            \
    "smlab" half " r8, r10, " m ", r8\n"

/* The windows of one channel; its outputs are in r4 to r8. The columns beside a row are padding of 0. */
#define EKW_ASM_ROW3X3                                                                                       \
    "ldr r2, [sp, #12]\n"                                                                                    \
    "ldr lr, [r2], #4\n"                                                                                     \
    "str r2, [sp, #12]\n" /* (w2, w0), (w3, w1) */                                                           \
    "ldr r2, [r1], #4\n"                                                                                     \
    "sxtb16 r3, r2, ror #8\n"                                                                                \
    "sxtb16 r2, r2\n" EKW_ASM_ROW_OF_FIVE                                                                    \
    "smlabb r4, r11, r3, lr\n"                                                                               \
    "smlabt r4, r12, r2, r4\n"                                                                               \
    "smlad r5, r11, r2, lr\n"                                                                                \
    "smlabb r5, r12, r3, r5\n"                                                                               \
    "smlad r6, r12, r2, lr\n"                                                                                \
    "smlatb r6, r11, r3, r6\n"                                                                               \
    "smladx r7, r9, r2, lr\n"                                                                                \
    "smlatb r7, r12, r3, r7\n"                                                                               \
    "smlatb r8, r12, r2, lr\n"                                                                               \
    "smlabb r8, r10, r3, r8\n" /* r3 (w3, w5), r2 (w6, w4), lr (w7, w5) */                                   \
    "ldr r2, [r1], #4\n"                                                                                     \
    "ldr r9, [sp, #20]\n"                                                                                    \
    "sxtb16 lr, r2, ror #8\n"                                                                                \
    "sxtb16 r2, r2\n"                                                                                        \
    "pkhbt r3, lr, r3\n"                                                                                     \
    "add r0, r0, r9\n" EKW_ASM_ROW_OF_FIVE EKW_ASM_ROW_TAPS("r3", "r2", "b") /* r2 (w6, w8) */               \
    "ldrsb r3, [r1], #1\n"                                                                                   \
    "ldr r9, [sp, #20]\n"                                                                                    \
    "pkhbt r2, r3, r2\n"                                                                                     \
    "add r0, r0, r9\n" EKW_ASM_ROW_OF_FIVE EKW_ASM_ROW_TAPS("r2", "lr", "t")                                 \
    "ldmia sp, {r2, r3, r9}\n"                                                                               \
    "ldrb r10, [r3], #1\n"                                                                                   \
    "ldrb r11, [r9], #1\n"                                                                                   \
    "rsb r11, r11, #32\n"                                                                                    \
    "lsl r10, r10, r11\n"                                                                                    \
    "smmul r4, r4, r10\n"                                                                                    \
    "smmul r5, r5, r10\n"                                                                                    \
    "smmul r6, r6, r10\n"                                                                                    \
    "smmul r7, r7, r10\n"                                                                                    \
    "smmul r8, r8, r10\n"                                                                                    \
    "usat r4, #8, r4\n"                                                                                      \
    "usat r5, #8, r5\n"                                                                                      \
    "usat r6, #8, r6\n"                                                                                      \
    "usat r7, #8, r7\n"                                                                                      \
    "usat r8, #8, r8\n"

/* Two channels a round, as pixels of four taps: the next convolution reads them (dsp_row.h). The second channel's words
 * follow those of the first; every other pair is in the high halves. */
__attribute__((naked)) EKW_SHARED void ekw_row3x3_run(__attribute__((unused)) const ekw_row3x3 *row,
                                                      __attribute__((unused)) const uint8_t *input,
                                                      __attribute__((unused)) const int8_t *weights) {
    __asm volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "ldmia r0, {r3, r4, r5, r6, r7, r8, r9}\n"
        "push {r3, r4, r5, r6, r7, r8, r9}\n"
        "mov r0, r1\n"
        "mov r1, r2\n"
        ".balign 4\n"
        "1:\n" EKW_ASM_ROW3X3
        "strh r4, [r2]\n"
        "strh r5, [r2, #4]\n"
        "strh r6, [r2, #8]\n"
        "strh r7, [r2, #12]\n"
        "strh r8, [r2, #16]\n"
        "strd r3, r9, [sp, #4]\n"
        "ldr r9, [sp, #24]\n"
        "add r0, r0, r9\n" EKW_ASM_ROW3X3
        "strh r4, [r2, #20]\n"
        "strh r5, [r2, #24]\n"
        "strh r6, [r2, #28]\n"
        "strh r7, [r2, #32]\n"
        "strh r8, [r2, #36]\n"
        "tst r2, #2\n"
        "ite eq\n"
        "addeq r2, r2, #2\n"
        "addne r2, r2, #38\n"
        "stmia sp, {r2, r3, r9}\n"
        "ldr r9, [sp, #24]\n"
        "ldrd r2, r3, [sp, #12]\n"
        "add r0, r0, r9\n"
        "cmp r2, r3\n"
        "bne 1b\n"
        "add sp, sp, #28\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n" ::
            : "r0", "r1", "r2", "r3", "r12", "memory", "cc");
}

/* A depthwise 3x3 convolution of uint8 rows of five columns, and the 1x1 convolution that reads its output; both scale by
 * factors of 31 bits, and channels are a multiple of four. edgekws/emit/c/stream/rows.py says where this is so. */
EKW_BODY void ekw_separable_row(const ekw_node *depthwise, const ekw_node *pointwise, const uint8_t *input,
                                uint8_t *between, uint8_t *output, ekw_scratch scratch) {
    (void)between;
    const int32_t step = 5 * depthwise->in_shape.channels;
    const ekw_row3x3 row = {
        .output = scratch.bytes,
        .mult = (const uint8_t *)depthwise->requant.mult,
        .shift = depthwise->requant.shift,
        .offset = depthwise->requant.offset,
        .end = depthwise->requant.offset + depthwise->out_shape.channels,
        .step = step,
        .back = 5 - 2 * step,
    };
    ekw_row3x3_run(&row, input, depthwise->weight);
    ekw_row_five(pointwise, scratch.bytes, output, EKW_ROW_PIXELS, (ekw_case){.weight_bits = 8, .rule = EKW_SHIFT});
}

#endif
