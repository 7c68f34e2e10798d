/* From the FFT to the int8 row: spectrum, magnitudes, mel bands, logarithms, DCT, input steps. The definition is
 * edgekws/features/fixed.py and integer/. */
#ifndef EKW_FRONTEND_CEPSTRUM_H
#define EKW_FRONTEND_CEPSTRUM_H

#include "kernels/frontend/transform.h"

/* Places of frequencies that rise by 1: bit-reversed numbers, counted in that order. */
typedef struct {
    int32_t place;   /* of frequency k */
    int32_t partner; /* of points - k */
} ekw_fe_places;

EKW_BODY ekw_fe_places ekw_fe_next_places(ekw_fe_places at) {
    int32_t bit = EKW_FRONTEND_POINTS / 2;
    for (; (at.place & bit) != 0; bit >>= 1) {
        at.place ^= bit;
    }
    at.place |= bit; /* the highest bit set of this number, the lowest of k: -k differs in all above */
    at.partner = at.place ^ (bit - 1);
    return at;
}

/* Twice the frequency k of the real samples' spectrum, in the units of the FFT. a, b: the FFT's k and points - k */
EKW_BODY ekw_fe_complex ekw_fe_split(ekw_fe_complex a, ekw_fe_complex b, ekw_fe_halves w) {
    const ekw_fe_complex odd = ekw_fe_turned((ekw_fe_complex){a.im + b.im, b.re - a.re}, w);
    return (ekw_fe_complex){((a.re + b.re) >> 1) + odd.re, ((a.im - b.im) >> 1) + odd.im};
}

EKW_BODY ekw_fe_halves ekw_fe_split_turn(int32_t k) {
    const bool is_within = EKW_FRONTEND_FIRST_BIN + EKW_FRONTEND_BINS <= EKW_FRONTEND_POINTS / 2;
    return ekw_fe_halves_of(is_within ? ekw_fe_two(ekw_frontend_turns + 2 * k) : ekw_fe_turn(k));
}

#define EKW_FRONTEND_ROOT_SHIFT 24

/* floor(sqrt(re^2 + im^2) / 2^(1 + guard)): both parts shifted left until the larger fills 31 bits, their upper halves
 * squared, and the root read from a table, linear between its entries. */
EKW_BODY int32_t ekw_fe_magnitude(ekw_fe_complex x) {
    const uint32_t re = (uint32_t)(x.re ^ (x.re >> 31)), im = (uint32_t)(x.im ^ (x.im >> 31));
    const int32_t left = ekw_fe_zeros(re | im) - 1;
    const uint32_t a = re << left >> 16, b = im << left >> 16, square = a * a + b * b;
    const uint16_t *at = ekw_frontend_roots + (square >> EKW_FRONTEND_ROOT_SHIFT);
    const int32_t fraction = (int32_t)(square >> (EKW_FRONTEND_ROOT_SHIFT - 16) & 0xFFFF);
    const int32_t rest = ((at[1] - at[0]) * fraction) >> (1 + EKW_FRONTEND_GUARD);
    return ((at[0] << (15 - EKW_FRONTEND_GUARD)) + rest) >> left;
}

/* log2(band + floor) - level, in 1/65536, of each band. A bin between two bands adds to both: ekw_frontend_counts
 * [bands + 1] are the bins before band b, its rising side, and ekw_frontend_rises the share that band b gets. */
EKW_SHARED void ekw_frontend_bands(const ekw_fe_complex *z, int32_t floor, int32_t level, int32_t *logarithms) {
    ekw_fe_places at = {EKW_FRONTEND_FIRST_PLACE, EKW_FRONTEND_FIRST_PARTNER};
    const int16_t *rise = ekw_frontend_rises;
    int32_t k = EKW_FRONTEND_FIRST_BIN;
    const uint8_t *counts = ekw_frontend_counts;
    int32_t band = 0;
    for (int32_t b = 0; b <= EKW_FRONTEND_BANDS; b++) {
        int32_t falling = 0, rising = 0;
        for (int32_t count = *counts++; count > 0; count--, k++) {
            const ekw_fe_complex x =
                ekw_fe_split(ekw_fe_load(z + at.place), ekw_fe_load(z + at.partner), ekw_fe_split_turn(k));
            const int32_t magnitude = ekw_fe_magnitude(x), share = ekw_fe_mul(magnitude, *rise++);
            rising += share;
            falling += (magnitude >> 1) - share;
            at = ekw_fe_next_places(at);
        }
        if (b > 0) {
            *logarithms++ = ekw_fe_log2(band + falling + floor, ekw_frontend_curve) - level;
        }
        band = rising;
    }
}

/* Sums and differences of bands at equal distances from the middle, in place: cosines of even order are symmetric about
 * it, those of odd order antisymmetric. */
EKW_BODY void ekw_fe_pairs(int32_t *logarithms) {
    int32_t *first = logarithms, *last = logarithms + EKW_FRONTEND_BANDS - 1;
    for (; first < last; first++, last--) {
        const int32_t a = *first * (1 << EKW_FRONTEND_LOG_SHIFT), b = *last * (1 << EKW_FRONTEND_LOG_SHIFT);
        *first = a + b;
        *last = a - b;
    }
    if (first == last) {
        *first *= 1 << EKW_FRONTEND_LOG_SHIFT;
    }
}

EKW_BODY int32_t ekw_fe_steps(int32_t sum, int32_t c) {
    const int32_t value = ekw_fe_mul(sum, ekw_frontend_mult[c]), shift = ekw_frontend_shift[c];
#if EKW_FRONTEND_TRUNCATES
    const int32_t below = (int32_t)((UINT32_C(1) << shift) - 1);
    int32_t steps = (value >> shift) + ekw_frontend_zero[c];
    steps += steps < 0 && (value & below) != 0;
#else
    const int32_t steps = ((value + (1 << (shift - 1))) >> shift) + ekw_frontend_zero[c];
#endif
    return steps < -128 ? -128 : steps > 127 ? 127 : steps;
}

#define EKW_FRONTEND_PAIRS ((EKW_FRONTEND_BANDS + 1) / 2)
#define EKW_FRONTEND_COSINES EKW_ROUND_UP(EKW_FRONTEND_PAIRS, 2) /* of one order, in ekw_frontend_cosines */

EKW_SHARED void ekw_frontend_row(int32_t *logarithms, int8_t *row) {
    ekw_fe_pairs(logarithms);
    const int16_t *cosine = ekw_frontend_cosines;
    for (int32_t c = 0; c < EKW_FRONTEND_COEFFICIENTS; c++) {
        const int32_t *pair = (c & 1) == 0 ? logarithms : logarithms + EKW_FRONTEND_BANDS - 1;
        const int32_t step = (c & 1) == 0 ? 1 : -1;
        int32_t sum = 0;
        for (int32_t b = 0; b < EKW_FRONTEND_PAIRS / 2; b++, pair += 2 * step, cosine += 2) {
            const ekw_fe_halves w = ekw_fe_halves_of(ekw_fe_two(cosine));
            sum = ekw_fe_add_mul_low(sum, pair[0], w);
            sum = ekw_fe_add_mul_high(sum, pair[step], w);
        }
        if (EKW_FRONTEND_PAIRS % 2 != 0) {
            sum = ekw_fe_add_mul_low(sum, pair[0], ekw_fe_halves_of(ekw_fe_two(cosine)));
            cosine += 2;
        }
        row[c] = (int8_t)ekw_fe_steps(sum, c);
    }
}

#endif
