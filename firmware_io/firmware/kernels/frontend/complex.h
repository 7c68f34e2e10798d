/* Complex values of the front end's FFT, and its twiddle factors.
 *
 * ekw_frontend_turns [points / 2 or more, points for log_mel.h] has the cosine and sine of pi * k / points, which the split of the spectrum
 * needs. Twiddle factors are every second (leg 1) and fourth (leg 2) of these, a quarter turn further beyond half the
 * points; those of leg 3 have a table of their own, ekw_frontend_third [leg length]. */
#ifndef EKW_FRONTEND_COMPLEX_H
#define EKW_FRONTEND_COMPLEX_H

#include "kernels/frontend/arithmetic.h"

/* log2 of the points is odd: a radix-2 stage is first. */
#define EKW_FRONTEND_IS_ODD (EKW_FRONTEND_POINTS == 32 || EKW_FRONTEND_POINTS == 128 || EKW_FRONTEND_POINTS == 512)
#define EKW_FRONTEND_BLOCK (EKW_FRONTEND_IS_ODD ? EKW_FRONTEND_POINTS / 2 : EKW_FRONTEND_POINTS)
#define EKW_FRONTEND_HALF_WINDOW (EKW_FRONTEND_WINDOW / 2)

/* The weight of sample n is that of sample MIRROR - n: the Hann window is periodic; that of log_mel.h is symmetric. */
#if defined(EKW_FRONTEND_LOG_MEL)
#define EKW_FRONTEND_ALL_TURNS 1 /* ekw_frontend_turns has all points */
#define EKW_FRONTEND_MIRROR (EKW_FRONTEND_WINDOW - 1)
#else
#define EKW_FRONTEND_ALL_TURNS 0
#define EKW_FRONTEND_MIRROR EKW_FRONTEND_WINDOW
#endif

typedef struct {
    int32_t re, im;
} ekw_fe_complex;

EKW_BODY ekw_fe_complex ekw_fe_plus(ekw_fe_complex a, ekw_fe_complex b) {
    return (ekw_fe_complex){a.re + b.re, a.im + b.im};
}

EKW_BODY ekw_fe_complex ekw_fe_minus(ekw_fe_complex a, ekw_fe_complex b) {
    return (ekw_fe_complex){a.re - b.re, a.im - b.im};
}

EKW_BODY ekw_fe_complex ekw_fe_halved(ekw_fe_complex a) {
    return (ekw_fe_complex){a.re >> 1, a.im >> 1};
}

/* Keeps a loop over `index` from being vectorized, where the compiler is known to do it wrong. */
#if defined(__x86_64__)
#define EKW_FRONTEND_SCALAR(index) __asm("" : "+r"(index))
#else
#define EKW_FRONTEND_SCALAR(index) (void)0
#endif

#if defined(EKW_FRONTEND_DSP)
/* The compiler forms addresses of 64 bits as LDRD and STRD have them. */
typedef int64_t __attribute__((may_alias)) ekw_fe_both;

EKW_BODY ekw_fe_complex ekw_fe_load(const ekw_fe_complex *at) {
    ekw_fe_complex value;
    __asm("ldrd %0, %1, %2" : "=r"(value.re), "=r"(value.im) : "Uv"(*(const ekw_fe_both *)at));
    return value;
}

EKW_BODY void ekw_fe_store(ekw_fe_complex *at, ekw_fe_complex value) {
    __asm("strd %1, %2, %0" : "=Uv"(*(ekw_fe_both *)at) : "r"(value.re), "r"(value.im));
}
#else
EKW_BODY ekw_fe_complex ekw_fe_load(const ekw_fe_complex *at) {
    return *at;
}

EKW_BODY void ekw_fe_store(ekw_fe_complex *at, ekw_fe_complex value) {
    *at = value;
}
#endif

/* value * (cos - i sin) / 2, w: (cos, sin) */
EKW_BODY ekw_fe_complex ekw_fe_turned(ekw_fe_complex value, ekw_fe_halves w) {
    const int32_t re = ekw_fe_add_mul_high(ekw_fe_mul_low(value.re, w), value.im, w);
    return (ekw_fe_complex){re, ekw_fe_mul_low(value.im, w) - ekw_fe_mul_high(value.re, w)};
}

/* A quarter turn further: (-sin, cos). */
EKW_BODY uint32_t ekw_fe_quarter_turned(uint32_t w) {
    return ((uint32_t)-ekw_fe_high_half(w) & 0xFFFF) | w << 16;
}

EKW_BODY uint32_t ekw_fe_turn(int32_t number) {
    return EKW_FRONTEND_ALL_TURNS || number < EKW_FRONTEND_POINTS / 2
               ? ekw_fe_two(ekw_frontend_turns + 2 * number)
               : ekw_fe_quarter_turned(ekw_fe_two(ekw_frontend_turns + 2 * (number - EKW_FRONTEND_POINTS / 2)));
}

#define EKW_FRONTEND_WINDOW_SHIFT (16 - EKW_FRONTEND_DATA_SHIFT)

/* product * 2^exponent, which fits, then in the unit of the FFT */
EKW_BODY int32_t ekw_fe_scaled(int32_t product, int32_t exponent) {
    return (int32_t)((uint32_t)product << exponent) >> EKW_FRONTEND_WINDOW_SHIFT;
}

#endif
