/* Rows of one column, for dsp.h: a matrix times a vector, and depthwise convolutions over time, four channels at once.
 *
 * The host puts their weights in another order (edgekws/emit/c/stream/column.py):
 *
 *     convolution   [filters / 4][taps / 8][two pairs of filters a, b][taps (0, 2) (1, 3) (4, 6) (5, 7)] b | a
 *     depthwise     [channels / 4][taps / 2][two pairs of channels c, d][two taps] c | d, and [four channels] of an odd tap
 *
 * Bytes a and b are a 16-bit number, 256 a + b: a is one less where b is negative. SMLAD multiplies two of them by two
 * inputs, and SXTB16 leaves b: 256 times the sum of filter a is the difference of both sums. So eight products are six
 * instructions, where widening both filters would make it eight. The sums of a convolution have 23 bits, for they are
 * multiplied by 512. */
#ifndef EKW_CORE_DSP_COLUMN_H
#define EKW_CORE_DSP_COLUMN_H

#include "kernels/cores/dsp_row.h"

/* The assembly below reads these fields. */
typedef struct {
    uint8_t *output;       /* 0 */
    const void *mult;      /* 4 */
    const uint8_t *shift;  /* 8 */
    const int32_t *offset; /* 12 */
    const uint8_t *end;    /* 16: of the outputs */
    uintptr_t input;       /* 20: packed pixels; depthwise: the first row, minus `output` */
    uintptr_t last;        /* 24: end of the pixels; depthwise: bytes from a row to the next one */
    int32_t skip;          /* 28: bytes of code that the first round skips */
    int32_t zero;          /* 32 */
    int32_t is_signed;     /* 36: the output */
    int32_t rounds;        /* 40: depthwise */
    int32_t is_odd;        /* 44: depthwise, the number of taps */
    const int8_t *weights; /* 48 */
} ekw_column;

#define EKW_COLUMN_ROUND 4        /* times eight taps; depthwise: times two */
#define EKW_COLUMN_EIGHT_TAPS 108 /* bytes of code */
#define EKW_COLUMN_TWO_TAPS 72

/* Copies the fields to sp, where 28 becomes the address of the taps' code, 36 of what makes outputs of the sums, and 44
 * of what follows the pairs of taps. Then r0 output, r1 weights, r2 mult, r3 shift, lr offset. */
#define EKW_ASM_COLUMN_BEGIN                                                                                 \
    "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"                                                          \
    "ldmia r0!, {r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12}\n"                                       \
    "adr lr, 1f + 1\n"                                                                                       \
    "add r8, r8, lr\n"                                                                                       \
    "adr lr, 5f + 1\n"                                                                                       \
    "cmp r10, #0\n"                                                                                          \
    "it ne\n"                                                                                                \
    "adrne lr, 6f + 1\n"                                                                                     \
    "mov r10, lr\n"                                                                                          \
    "cmp r12, #0\n"                                                                                          \
    "it ne\n"                                                                                                \
    "adrne lr, 7f + 1\n"                                                                                     \
    "mov r12, lr\n"                                                                                          \
    "push {r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12}\n"                                             \
    "mov lr, r4\n"                                                                                           \
    "ldr r4, [r0]\n"                                                                                         \
    "mov r0, r1\n"                                                                                           \
    "mov r1, r4\n"
/* The next four channels, at 4, unless these were the last. */
#define EKW_ASM_COLUMN_NEXT                                                                                  \
    "ldr r12, [sp, #16]\n"                                                                                   \
    "cmp r0, r12\n"                                                                                          \
    "bne.w 4b\n"                                                                                             \
    "b.w 8f\n"
#define EKW_ASM_COLUMN_END                                                                                   \
    "8:\n"                                                                                                   \
    "add sp, sp, #48\n"                                                                                      \
    "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"

/* The outputs of r4 to r7, which are doubled: the high half of sum * mult, and the shift, whose last bit out rounds. */
#define EKW_ASM_COLUMN_FIXED                                                                                 \
    "ldmia sp, {r0, r2, r3, lr}\n"                                                                           \
    "ldmia r2!, {r8, r9, r10, r11}\n"                                                                        \
    "ldr r12, [r3], #4\n"                                                                                    \
    "smmulr r4, r4, r8\n"                                                                                    \
    "smmulr r5, r5, r9\n"                                                                                    \
    "smmulr r6, r6, r10\n"                                                                                   \
    "smmulr r7, r7, r11\n"
#define EKW_ASM_COLUMN_STORE(clip, sum) clip " " sum ", #8, " sum "\n strb " sum ", [r0], #1\n"
/* Negative numbers are clipped, so halves of them may be rounded up. */
#define EKW_ASM_COLUMN_UNSIGNED(sum)                                                                         \
    "asrs " sum ", " sum ", r12\n"                                                                           \
    "adc " sum ", " sum ", #0\n" EKW_ASM_COLUMN_STORE("usat", sum)
/* Halves away from zero; r8 is the zero point. */
#define EKW_ASM_COLUMN_SIGNED(sum)                                                                           \
    "add " sum ", " sum ", " sum ", asr #31\n"                                                               \
    "asrs " sum ", " sum ", r12\n"                                                                           \
    "adc " sum ", " sum ", r8\n" EKW_ASM_COLUMN_STORE("ssat", sum)
#define EKW_ASM_COLUMN_FOUR(one)                                                                             \
    one("r4") "lsr r12, r12, #8\n" one("r5") "lsr r12, r12, #8\n" one("r6") "lsr r12, r12, #8\n" one("r7")
#define EKW_ASM_COLUMN_FIXED_UNSIGNED EKW_ASM_COLUMN_FIXED EKW_ASM_COLUMN_FOUR(EKW_ASM_COLUMN_UNSIGNED)
#define EKW_ASM_COLUMN_FIXED_SIGNED                                                                          \
    EKW_ASM_COLUMN_FIXED "ldr r8, [sp, #32]\n" EKW_ASM_COLUMN_FOUR(EKW_ASM_COLUMN_SIGNED)

/* (sum * mult) >> shift is the high half of sum * mult * 2^(32 - shift). */
#define EKW_ASM_COLUMN_SCALE(sum, byte, clip)                                                                \
    "uxtb r9, r8, ror #" byte "\n"                                                                           \
    "lsl r9, r9, r12\n"                                                                                      \
    "smmul " sum ", " sum ", r9\n" EKW_ASM_COLUMN_STORE(clip, sum)
#define EKW_ASM_COLUMN_SHIFT(clip)                                                                           \
    "ldmia sp, {r0, r2, r3, lr}\n"                                                                           \
    "ldr r8, [r2], #4\n"                                                                                     \
    "ldr r12, [r3], #4\n"                                                                                    \
    "rsb r12, r12, #0x20202020\n" EKW_ASM_COLUMN_SCALE("r4", "0", clip) "lsr r12, r12, #8\n"                 \
    EKW_ASM_COLUMN_SCALE("r5", "8", clip) "lsr r12, r12, #8\n" EKW_ASM_COLUMN_SCALE("r6", "16", clip)        \
    "lsr r12, r12, #8\n" EKW_ASM_COLUMN_SCALE("r7", "24", clip)

/* Eight taps of four filters: inputs in r8 to r11, weights in r2, r3, r12 and lr; sums of 256 a + b in r4 and r6, of b
 * in r5 and r7. */
#define EKW_ASM_COLUMN_TWO(inputs, weights, both, low)                                                       \
    "smlad " both ", " inputs ", " weights ", " both "\n"                                                    \
    "sxtb16 " weights ", " weights "\n"                                                                      \
    "smlad " low ", " inputs ", " weights ", " low "\n"
#define EKW_ASM_COLUMN_PAIR(both, low)                                                                       \
    "ldmia.w r1!, {r2, r3, r12, lr}\n" EKW_ASM_COLUMN_TWO("r8", "r2", both, low)                             \
    EKW_ASM_COLUMN_TWO("r9", "r3", both, low) EKW_ASM_COLUMN_TWO("r10", "r12", both, low)                    \
    EKW_ASM_COLUMN_TWO("r11", "lr", both, low)
#define EKW_ASM_COLUMN_EIGHT_TAPS                                                                            \
    "ldmia.w r0!, {r8, r9, r10, r11}\n" EKW_ASM_COLUMN_PAIR("r4", "r5") EKW_ASM_COLUMN_PAIR("r6", "r7")

/* Doubled or plain sums of r4 to r7. */
#define EKW_ASM_COLUMN_DENSE_TWICE                                                                           \
    "sub r4, r4, r5\n"                                                                                       \
    "sub r6, r6, r7\n"                                                                                       \
    "asr r4, r4, #7\n"                                                                                       \
    "lsl r5, r5, #1\n"                                                                                       \
    "asr r6, r6, #7\n"                                                                                       \
    "lsl r7, r7, #1\n"
#define EKW_ASM_COLUMN_DENSE_ONCE                                                                            \
    "sub r4, r4, r5\n"                                                                                       \
    "sub r6, r6, r7\n"                                                                                       \
    "asr r4, r4, #8\n"                                                                                       \
    "asr r6, r6, #8\n"

#define EKW_COLUMN_DENSE(name, unsigned_finish, signed_finish)                                               \
    __attribute__((naked)) EKW_SHARED void name(__attribute__((unused)) const ekw_column *column) {          \
        __asm volatile(EKW_ASM_COLUMN_BEGIN                                                \
                       "4:\n"                                                                                \
                       "ldmia lr!, {r4, r5, r6, r7}\n"                                                       \
                       "stmia sp, {r0, r2, r3, lr}\n"                                                        \
                       "add r4, r5, r4, lsl #8\n"                                                            \
                       "add r6, r7, r6, lsl #8\n"                                                            \
                       "ldr r0, [sp, #20]\n"                                                                 \
                       "ldr pc, [sp, #28]\n"                                                                 \
                       ".balign 4\n"                                                                         \
                       "1:\n"                                                                                \
                       ".rept 4\n" EKW_ASM_COLUMN_EIGHT_TAPS ".endr\n"                                       \
                       ".org 1b + 4 * 108\n"                                                                 \
                       "ldr r2, [sp, #24]\n"                                                                 \
                       "cmp r0, r2\n"                                                                        \
                       "bne 1b\n"                                                                            \
                       "ldr pc, [sp, #36]\n"                                                                 \
                       ".balign 4\n"                                                                         \
                       "7:\n" /* never: all taps are multiples of eight */                                  \
                       "5:\n" unsigned_finish EKW_ASM_COLUMN_NEXT ".balign 4\n"                              \
                       "6:\n" signed_finish EKW_ASM_COLUMN_NEXT EKW_ASM_COLUMN_END ::                        \
                           : "r0", "r1", "r2", "r3", "r12", "memory", "cc");                                 \
    }

EKW_COLUMN_DENSE(ekw_column_dense_fixed, EKW_ASM_COLUMN_DENSE_TWICE EKW_ASM_COLUMN_FIXED_UNSIGNED,
                 EKW_ASM_COLUMN_DENSE_TWICE EKW_ASM_COLUMN_FIXED_SIGNED)
EKW_COLUMN_DENSE(ekw_column_dense_shift, EKW_ASM_COLUMN_DENSE_ONCE EKW_ASM_COLUMN_SHIFT("usat"),
                 EKW_ASM_COLUMN_DENSE_ONCE EKW_ASM_COLUMN_SHIFT("ssat"))

/* Two taps of four channels: rows a and b in r8 and r9, r3 bytes apart, become (b1 b0 a1 a0) and (b3 b2 a3 a2). */
#define EKW_ASM_COLUMN_PRODUCTS(widen, rows, weights, first, second)                                         \
    widen " r8, " rows "\n"                                                                                  \
    "sxtb16 lr, " weights "\n"                                                                               \
    "smlad " first ", r8, lr, " first "\n" widen " r8, " rows ", ror #8\n"                                   \
    "sxtb16 lr, " weights ", ror #8\n"                                                                       \
    "smlad " second ", r8, lr, " second "\n"
#define EKW_ASM_COLUMN_TWO_TAPS(widen)                                                                       \
    "ldr.w r8, [r0]\n"                                                                                       \
    "ldr.w r9, [r0, r3]\n"                                                                                   \
    "add.w r0, r0, r3, lsl #1\n"                                                                             \
    "ldmia.w r1!, {r10, r11}\n"                                                                              \
    "pkhbt r12, r8, r9, lsl #16\n"                                                                           \
    "pkhtb r9, r9, r8, asr #16\n" EKW_ASM_COLUMN_PRODUCTS(widen, "r12", "r10", "r4", "r5")                   \
    EKW_ASM_COLUMN_PRODUCTS(widen, "r9", "r11", "r6", "r7")
#define EKW_ASM_COLUMN_ONE_TAP(widen)                                                                        \
    "ldr r8, [r0]\n"                                                                                         \
    "ldr r10, [r1], #4\n" widen " r9, r8\n" widen " r8, r8, ror #8\n"                                        \
    "sxtb16 r11, r10\n"                                                                                      \
    "sxtb16 r10, r10, ror #8\n"                                                                              \
    "smlabb r4, r9, r11, r4\n"                                                                               \
    "smlabb r5, r8, r10, r5\n"                                                                               \
    "smlatt r6, r9, r11, r6\n"                                                                               \
    "smlatt r7, r8, r10, r7\n"

#define EKW_ASM_COLUMN_TWICE                                                                                 \
    "lsl r4, r4, #1\n"                                                                                       \
    "lsl r5, r5, #1\n"                                                                                       \
    "lsl r6, r6, #1\n"                                                                                       \
    "lsl r7, r7, #1\n"

#define EKW_COLUMN_DEPTHWISE(name, widen, unsigned_finish, signed_finish)                                    \
    __attribute__((naked)) EKW_SHARED void name(__attribute__((unused)) const ekw_column *column) {          \
        __asm volatile(EKW_ASM_COLUMN_BEGIN                                                                  \
                       "4:\n"                                                                                \
                       "ldmia lr!, {r4, r5, r6, r7}\n"                                                       \
                       "stmia sp, {r0, r2, r3, lr}\n"                                                        \
                       "ldrd r2, r3, [sp, #20]\n"                                                            \
                       "add r0, r0, r2\n"                                                                    \
                       "ldr r2, [sp, #40]\n"                                                                 \
                       "ldr pc, [sp, #28]\n"                                                                 \
                       ".balign 4\n"                                                                         \
                       "1:\n"                                                                                \
                       ".rept 4\n" EKW_ASM_COLUMN_TWO_TAPS(widen) ".endr\n"                                  \
                       ".org 1b + 4 * 72\n"                                                                  \
                       "subs r2, r2, #1\n"                                                                   \
                       "bne.w 1b\n"                                                                          \
                       "ldr pc, [sp, #44]\n"                                                                 \
                       ".balign 4\n"                                                                         \
                       "7:\n" EKW_ASM_COLUMN_ONE_TAP(widen)                                                  \
                       "ldr pc, [sp, #36]\n"                                                                 \
                       ".balign 4\n"                                                                         \
                       "5:\n" unsigned_finish EKW_ASM_COLUMN_NEXT ".balign 4\n"                              \
                       "6:\n" signed_finish EKW_ASM_COLUMN_NEXT EKW_ASM_COLUMN_END ::                        \
                           : "r0", "r1", "r2", "r3", "r12", "memory", "cc");                                 \
    }

EKW_COLUMN_DEPTHWISE(ekw_column_depthwise_u8_fixed, "uxtb16", EKW_ASM_COLUMN_TWICE EKW_ASM_COLUMN_FIXED_UNSIGNED,
                     EKW_ASM_COLUMN_TWICE EKW_ASM_COLUMN_FIXED_SIGNED)
EKW_COLUMN_DEPTHWISE(ekw_column_depthwise_s8_fixed, "sxtb16", EKW_ASM_COLUMN_TWICE EKW_ASM_COLUMN_FIXED_UNSIGNED,
                     EKW_ASM_COLUMN_TWICE EKW_ASM_COLUMN_FIXED_SIGNED)
EKW_COLUMN_DEPTHWISE(ekw_column_depthwise_u8_shift, "uxtb16", EKW_ASM_COLUMN_SHIFT("usat"),
                     EKW_ASM_COLUMN_SHIFT("ssat"))
EKW_COLUMN_DEPTHWISE(ekw_column_depthwise_s8_shift, "sxtb16", EKW_ASM_COLUMN_SHIFT("usat"),
                     EKW_ASM_COLUMN_SHIFT("ssat"))

/* What both have in common. */
EKW_BODY ekw_column ekw_column_of(const ekw_node *node, uint8_t *output, ekw_case kind) {
    const ekw_requant *requant = &node->requant;
    return (ekw_column){.output = output,
                        .mult = requant->mult,
                        .shift = requant->shift,
                        .offset = requant->offset,
                        .end = output + node->out_shape.channels,
                        .zero = kind.general ? kind.general->zero : 0,
                        .is_signed = requant->lo < 0,
                        .weights = node->weight};
}

EKW_BODY void ekw_conv2d_column(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                                ekw_case kind) {
    const int32_t taps = EKW_TAPS(node), eights = taps >> 3;
    ekw_column column = ekw_column_of(node, output, kind);
    ekw_row_pack_single((uint32_t *)(void *)scratch.bytes, input, taps, kind.is_signed);
    column.input = (uintptr_t)scratch.bytes;
    column.last = column.input + 2 * (uintptr_t)taps;
    column.skip = (-eights & (EKW_COLUMN_ROUND - 1)) * EKW_COLUMN_EIGHT_TAPS;
    if (kind.rule == EKW_SHIFT) {
        ekw_column_dense_shift(&column);
    } else {
        ekw_column_dense_fixed(&column);
    }
}

EKW_BODY void ekw_depthwise_conv2d_column(const ekw_node *node, const uint8_t *input, uint8_t *output,
                                          ekw_scratch scratch, ekw_case kind) {
    (void)scratch;
    const int32_t taps = node->kernel[0], pairs = taps >> 1, rounds = (pairs + EKW_COLUMN_ROUND - 1) / EKW_COLUMN_ROUND;
    ekw_column column = ekw_column_of(node, output, kind);
    column.input = (uintptr_t)input - (uintptr_t)output;
    column.last = (uintptr_t)node->in_shape.channels;
    column.rounds = rounds > 0 ? rounds : 1;
    column.skip = (column.rounds * EKW_COLUMN_ROUND - pairs) * EKW_COLUMN_TWO_TAPS;
    column.is_odd = taps & 1;
    if (kind.rule == EKW_SHIFT && kind.is_signed) {
        ekw_column_depthwise_s8_shift(&column);
    } else if (kind.rule == EKW_SHIFT) {
        ekw_column_depthwise_u8_shift(&column);
    } else if (kind.is_signed) {
        ekw_column_depthwise_s8_fixed(&column);
    } else {
        ekw_column_depthwise_u8_fixed(&column);
    }
}

#endif
