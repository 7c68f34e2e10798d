/* Products, leading zeros and pairs of samples of the fixed-point front end, for the core that this is compiled for.
 *
 * One multiplication serves all stages: floor(a * c / 2^16), a int32 and c int16 (edgekws/features/integer).
 *
 *     EKW_FRONTEND_DSP      Armv7E-M: SMULWB, SMULWT, SMLAWB, SMLAWT (Arm DDI 0403E.e, A7.7.150)
 *     EKW_FRONTEND_SHORT    Armv6-M: its MULS has 32 bits only, so it takes two
 *     else                  the upper half of the 64-bit product with c * 2^16, one instruction on most cores
 *
 * Tables of cosines and sines, and of coefficients, are read two int16 at a time; the first is in the lower half. */
#ifndef EKW_FRONTEND_ARITHMETIC_H
#define EKW_FRONTEND_ARITHMETIC_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cores/core.h"
#include "kernels/inner.h"

#if defined(__arm__) && __ARM_ARCH_ISA_THUMB == 2
#define EKW_FRONTEND_THUMB2 1 /* RBIT; loads of words at any even address */
#endif
#if EKW_CORE == EKW_DSP
#define EKW_FRONTEND_DSP 1
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define EKW_FRONTEND_SHORT 1
#endif

#if defined(EKW_FRONTEND_SHORT)
#define EKW_FRONTEND_UNROLL /* its registers are too few */
#elif defined(__clang__)
#define EKW_FRONTEND_UNROLL _Pragma("unroll 16")
#else
#define EKW_FRONTEND_UNROLL _Pragma("GCC unroll 16")
#endif

/* Of an array that is aligned to 4 bytes. */
EKW_BODY uint32_t ekw_fe_two(const int16_t *values) {
    uint32_t word;
    __builtin_memcpy(&word, __builtin_assume_aligned(values, 4), sizeof word);
    return word;
}

EKW_BODY int32_t ekw_fe_low_half(uint32_t word) {
    return (int16_t)(uint16_t)word;
}

EKW_BODY int32_t ekw_fe_high_half(uint32_t word) {
    return (int32_t)word >> 16;
}

#if defined(EKW_FRONTEND_DSP)

typedef uint32_t ekw_fe_halves;

EKW_BODY ekw_fe_halves ekw_fe_halves_of(uint32_t word) {
    return word;
}

EKW_BODY int32_t ekw_fe_mul_low(int32_t a, ekw_fe_halves c) {
    int32_t high;
    __asm("smulwb %0, %1, %2" : "=r"(high) : "r"(a), "r"(c));
    return high;
}

EKW_BODY int32_t ekw_fe_mul_high(int32_t a, ekw_fe_halves c) {
    int32_t high;
    __asm("smulwt %0, %1, %2" : "=r"(high) : "r"(a), "r"(c));
    return high;
}

EKW_BODY int32_t ekw_fe_add_mul_low(int32_t sum, int32_t a, ekw_fe_halves c) {
    __asm("smlawb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(c));
    return sum;
}

EKW_BODY int32_t ekw_fe_add_mul_high(int32_t sum, int32_t a, ekw_fe_halves c) {
    __asm("smlawt %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(c));
    return sum;
}

#else

#if defined(EKW_FRONTEND_SHORT)

EKW_BODY int32_t ekw_fe_product(int32_t a, int32_t c) {
    return (a >> 16) * c + (((a & 0xFFFF) * c) >> 16);
}

typedef struct {
    int32_t low, high;
} ekw_fe_halves;

EKW_BODY ekw_fe_halves ekw_fe_halves_of(uint32_t word) {
    return (ekw_fe_halves){ekw_fe_low_half(word), ekw_fe_high_half(word)};
}

#else

/* c: times 2^16 */
EKW_BODY int32_t ekw_fe_product(int32_t a, int32_t c) {
    return (int32_t)(((int64_t)a * c) >> 32);
}

typedef struct {
    int32_t low, high; /* times 2^16 */
} ekw_fe_halves;

EKW_BODY ekw_fe_halves ekw_fe_halves_of(uint32_t word) {
    return (ekw_fe_halves){(int32_t)(word << 16), (int32_t)(word & 0xFFFF0000u)};
}

#endif

EKW_BODY int32_t ekw_fe_mul_low(int32_t a, ekw_fe_halves c) {
    return ekw_fe_product(a, c.low);
}

EKW_BODY int32_t ekw_fe_mul_high(int32_t a, ekw_fe_halves c) {
    return ekw_fe_product(a, c.high);
}

EKW_BODY int32_t ekw_fe_add_mul_low(int32_t sum, int32_t a, ekw_fe_halves c) {
    return sum + ekw_fe_product(a, c.low);
}

EKW_BODY int32_t ekw_fe_add_mul_high(int32_t sum, int32_t a, ekw_fe_halves c) {
    return sum + ekw_fe_product(a, c.high);
}

#endif

/* floor(a * c / 2^16) */
EKW_BODY int32_t ekw_fe_mul(int32_t a, int16_t c) {
    return ekw_fe_mul_low(a, ekw_fe_halves_of((uint16_t)c));
}

/* 31 less the number of the highest set bit; of 0: 31. */
EKW_BODY int32_t ekw_fe_zeros(uint32_t value) {
    return __builtin_clz(value | 1);
}

/* log2 in 1/65536 of 1 to 2^31 - 1: the leading bit's number, the fraction behind it, and LOG's curve above that line. */
#define EKW_FRONTEND_LOG_BITS 6
#define EKW_FRONTEND_LOG_REST (16 - EKW_FRONTEND_LOG_BITS)

EKW_BODY int32_t ekw_fe_log2(int32_t value, const int16_t *curve) {
    const int32_t zeros = __builtin_clz((uint32_t)value);
    const int32_t fraction = (int32_t)((uint32_t)value << zeros >> 15) & 0xFFFF;
    const int16_t *at = curve + (fraction >> EKW_FRONTEND_LOG_REST);
    const int32_t rest = fraction & ((1 << EKW_FRONTEND_LOG_REST) - 1);
    return ((31 - zeros) << 16) + fraction + at[0] + (((at[1] - at[0]) * rest) >> EKW_FRONTEND_LOG_REST);
}

#endif
