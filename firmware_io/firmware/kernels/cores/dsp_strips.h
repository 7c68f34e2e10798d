/* Strips of five columns for cores/dsp_plane.h: 3x3 kernels of stride 1 with outputs of 0 to 255. */
#ifndef EKW_CORE_DSP_STRIPS_H
#define EKW_CORE_DSP_STRIPS_H

/* The assembly below reads these fields. */
typedef struct {
    int32_t factor;        /* 0 */
    int32_t output_step;   /* 4 from a row to the next one */
    const int16_t *end;    /* 8 of the rows above the last window */
    const int16_t *values; /* 12 */
    uint8_t *output;       /* 16 */
    int32_t offset;        /* 20 */
    uint32_t weights[6];   /* 24 (w1, w0), (w2, w1) of each row */
} ekw_strip3x3;

/* A row of seven values x in four words, two weights in each of r6 and r7. */
#define EKW_ASM_THREE_TAPS(weights, acc0, acc1, acc2, acc3, acc4)                                            \
    "ldmia r0!, {r2, r3, r4, r5}\n"                                                                          \
    "ldrd r6, r7, [sp, #" weights "]\n"                                                                      \
    "smlad r8, r2, r6, " acc0 "\n"   /* x0 w0 + x1 w1 */                                                     \
    "smlatb r9, r2, r6, " acc1 "\n"  /* x1 w0 */                                                             \
    "smlad r10, r3, r6, " acc2 "\n"  /* x2 w0 + x3 w1 */                                                     \
    "smlatb r11, r3, r6, " acc3 "\n" /* x3 w0 */                                                             \
    "smlad r12, r4, r6, " acc4 "\n"  /* x4 w0 + x5 w1 */                                                     \
    "smlabt r8, r3, r7, r8\n"        /* x2 w2 */                                                             \
    "smlad r9, r3, r7, r9\n"         /* x2 w1 + x3 w2 */                                                     \
    "smlabt r10, r4, r7, r10\n"      /* x4 w2 */                                                             \
    "smlad r11, r4, r7, r11\n"       /* x4 w1 + x5 w2 */                                                     \
    "smlabt r12, r5, r7, r12\n"      /* x6 w2 */

/* Five uint8 outputs of each row. */
__attribute__((naked)) EKW_SHARED void ekw_strip3x3_run(__attribute__((unused)) const ekw_strip3x3 *strip) {
    __asm volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "ldmia r0, {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "push {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "mov r0, r3\n"
        "mov r1, r4\n"
        "mov lr, r5\n"
        ".balign 4\n"
        "1:\n" EKW_ASM_THREE_TAPS("24", "lr", "lr", "lr", "lr", "lr")
            EKW_ASM_THREE_TAPS("32", "r8", "r9", "r10", "r11", "r12")
                EKW_ASM_THREE_TAPS("40", "r8", "r9", "r10", "r11", "r12")
        "ldmia sp, {r2, r3, r4}\n"
        "sub r0, r0, #32\n"
        "smmul r8, r8, r2\n"
        "smmul r9, r9, r2\n"
        "smmul r10, r10, r2\n"
        "smmul r11, r11, r2\n"
        "smmul r12, r12, r2\n"
        "usat r8, #8, r8\n"
        "usat r9, #8, r9\n"
        "usat r10, #8, r10\n"
        "usat r11, #8, r11\n"
        "usat r12, #8, r12\n"
        "strb r9, [r1, #1]\n"
        "strb r10, [r1, #2]\n"
        "strb r11, [r1, #3]\n"
        "strb r12, [r1, #4]\n"
        "strb r8, [r1]\n"
        "add r1, r1, r3\n"
        "cmp r0, r4\n"
        "bne 1b\n"
        "add sp, sp, #48\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n" ::
            : "r0", "r1", "r2", "r3", "r12", "memory", "cc");
}

/* The same for EKW_FIXED: y = (2 acc * mult / 2^32 rounded, + half) >> shift. */
typedef struct {
    int32_t mult;         /* 0 */
    int32_t output_step;  /* 4 */
    const int16_t *end;   /* 8 */
    int32_t half;         /* 12 */
    int32_t shift;        /* 16 */
    int32_t offset;       /* 20 */
    uint32_t weights[6];  /* 24 */
} ekw_strip3x3_fixed;

__attribute__((naked)) EKW_SHARED void ekw_strip3x3_fixed_run(__attribute__((unused)) const ekw_strip3x3_fixed *strip,
                                                              __attribute__((unused)) const int16_t *values,
                                                              __attribute__((unused)) uint8_t *output) {
    __asm volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "mov r12, r1\n"
        "mov lr, r2\n"
        "ldmia r0, {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "push {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "mov r0, r12\n"
        "mov r1, lr\n"
        "mov lr, r5\n"
        ".balign 4\n"
        "1:\n" EKW_ASM_THREE_TAPS("24", "lr", "lr", "lr", "lr", "lr")
            EKW_ASM_THREE_TAPS("32", "r8", "r9", "r10", "r11", "r12")
                EKW_ASM_THREE_TAPS("40", "r8", "r9", "r10", "r11", "r12")
        "ldmia sp, {r2, r3, r4, r5, r6}\n"
        "sub r0, r0, #32\n"
        "smmlar r8, r8, r2, r5\n"
        "smmlar r9, r9, r2, r5\n"
        "smmlar r10, r10, r2, r5\n"
        "smmlar r11, r11, r2, r5\n"
        "smmlar r12, r12, r2, r5\n"
        "asr r8, r8, r6\n"
        "asr r9, r9, r6\n"
        "asr r10, r10, r6\n"
        "asr r11, r11, r6\n"
        "asr r12, r12, r6\n"
        "usat r8, #8, r8\n"
        "usat r9, #8, r9\n"
        "usat r10, #8, r10\n"
        "usat r11, #8, r11\n"
        "usat r12, #8, r12\n"
        "strb r9, [r1, #1]\n"
        "strb r10, [r1, #2]\n"
        "strb r11, [r1, #3]\n"
        "strb r12, [r1, #4]\n"
        "strb r8, [r1]\n"
        "add r1, r1, r3\n"
        "cmp r0, r4\n"
        "bne 1b\n"
        "add sp, sp, #48\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n" ::
            : "r0", "r1", "r2", "r3", "r12", "memory", "cc");
}

#endif
