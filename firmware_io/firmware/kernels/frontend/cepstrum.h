/* From the FFT to the int8 row: spectrum, magnitudes, mel bands, logarithms, DCT, input steps. The definition is
 * edgekws/features/fixed.py and integer/. */
#ifndef EKW_FRONTEND_CEPSTRUM_H
#define EKW_FRONTEND_CEPSTRUM_H

#include "kernels/frontend/transform.h"
#include "kernels/sizes.h"

/* Where frequencies are in the FFT's result, in bytes: bit-reversed numbers. */
typedef struct {
    uint32_t place;   /* of frequency k */
    uint32_t partner; /* of points - k */
} ekw_fe_places;

#define EKW_FRONTEND_FIRST_PLACES ((ekw_fe_places){8 * EKW_FRONTEND_FIRST_PLACE, 8 * EKW_FRONTEND_FIRST_PARTNER})

/* Those of frequency k, from those of k - 1. */
EKW_BODY ekw_fe_places ekw_fe_next_places(ekw_fe_places at, int32_t k) {
#if defined(EKW_FRONTEND_THUMB2)
    (void)at;
    uint32_t place, partner;
    __asm("rbit %0, %1" : "=r"(place) : "r"(k));
    __asm("rbit %0, %1" : "=r"(partner) : "r"(EKW_FRONTEND_POINTS - k));
    const uint32_t all = UINT32_C(0xFFFFFFFF) / EKW_FRONTEND_POINTS + 1; /* the highest bits, moved down to 8 and above */
    return (ekw_fe_places){place / (all / 8), partner / (all / 8)};
#else
    (void)k;
    uint32_t bit = 8 * EKW_FRONTEND_POINTS / 2;
    for (; (at.place & bit) != 0; bit >>= 1) {
        at.place ^= bit;
    }
    at.place |= bit; /* the highest bit set of this number, the lowest of k: -k differs in all above */
    at.partner = at.place ^ (bit - 8);
    return at;
#endif
}

EKW_BODY ekw_fe_complex ekw_fe_at(const ekw_fe_complex *z, uint32_t place) {
    return ekw_fe_load((const ekw_fe_complex *)(const void *)((const uint8_t *)z + place));
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
 * squared, and the root read from a table, linear between its entries. Here one place further left: the last bit of the
 * root does not count. */
EKW_BODY int32_t ekw_fe_magnitude(ekw_fe_complex x) {
    const uint32_t re = (uint32_t)(x.re ^ (x.re >> 31)), im = (uint32_t)(x.im ^ (x.im >> 31));
    const int32_t zeros = ekw_fe_zeros(re | im);
    const uint32_t a = re << zeros >> 17, b = im << zeros >> 17, square = a * a + b * b;
    const uint16_t *at = ekw_frontend_roots + (square >> EKW_FRONTEND_ROOT_SHIFT);
#if defined(__ARM_FEATURE_UNALIGNED)
    uint32_t both;
    __builtin_memcpy(&both, at, sizeof both);
    const uint32_t root = both & 0xFFFF, step = (both >> 16) - root;
#else
    const uint32_t root = at[0], step = at[1] - root;
#endif
    const uint32_t rest = step * (square >> (EKW_FRONTEND_ROOT_SHIFT - 16) & 0xFFFF);
    return (int32_t)(((root << (16 - EKW_FRONTEND_GUARD)) + (rest >> EKW_FRONTEND_GUARD)) >> zeros);
}

/* The mel bands, behind a place for what lies below the first: [1 + bands]. A bin between two bands adds to both: ekw_frontend_counts [bands + 1] are the bins before band b, its
 * rising side, and ekw_frontend_rises the share that band b gets. */
EKW_SHARED void ekw_frontend_bands(const ekw_fe_complex *z, int32_t *bands) {
    ekw_fe_places at = EKW_FRONTEND_FIRST_PLACES;
    const int16_t *rise = ekw_frontend_rises;
    int32_t k = EKW_FRONTEND_FIRST_BIN, band = 0;
    for (int32_t b = 0; b <= EKW_FRONTEND_BANDS; b++) {
        int32_t rising = 0;
        for (const int32_t end = k + ekw_frontend_counts[b]; k != end;) {
            const ekw_fe_complex x = ekw_fe_split(ekw_fe_at(z, at.place), ekw_fe_at(z, at.partner), ekw_fe_split_turn(k));
            const int32_t magnitude = ekw_fe_magnitude(x), share = ekw_fe_mul(magnitude, *rise++);
            rising += share;
            band += (magnitude >> 1) - share;
            at = ekw_fe_next_places(at, ++k);
        }
        *bands++ = band;
        band = rising;
    }
}

/* log2(band + floor) - level, in 1/65536, in place. */
EKW_SHARED void ekw_frontend_logarithms(int32_t *bands, int32_t floor, int32_t level) {
    for (const int32_t *end = bands + EKW_FRONTEND_BANDS; bands != end; bands++) {
        *bands = ekw_fe_log2(*bands + floor, ekw_frontend_curve) - level;
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

/* pair: the first of the sums or differences; step: from one to the next */
EKW_BODY int32_t ekw_fe_cosine_sum(const int32_t *pair, int32_t step, const int16_t *cosine) {
    int32_t sum = 0;
    EKW_FRONTEND_UNROLL
    for (int32_t b = 0; b < EKW_FRONTEND_PAIRS / 2; b++, pair += 2 * step, cosine += 2) {
        const ekw_fe_halves w = ekw_fe_halves_of(ekw_fe_two(cosine));
        sum = ekw_fe_add_mul_low(sum, pair[0], w);
        sum = ekw_fe_add_mul_high(sum, pair[step], w);
    }
    if (EKW_FRONTEND_PAIRS % 2 != 0) {
        sum = ekw_fe_add_mul_low(sum, pair[0], ekw_fe_halves_of(ekw_fe_two(cosine)));
    }
    return sum;
}

EKW_SHARED void ekw_frontend_row(int32_t *logarithms, int8_t *row) {
    ekw_fe_pairs(logarithms);
    const int16_t *cosine = ekw_frontend_cosines;
    for (int32_t c = 0; c < EKW_FRONTEND_COEFFICIENTS; c += 2, cosine += 2 * EKW_FRONTEND_COSINES) {
        row[c] = (int8_t)ekw_fe_steps(ekw_fe_cosine_sum(logarithms, 1, cosine), c);
        if (c + 1 < EKW_FRONTEND_COEFFICIENTS) {
            const int32_t *last = logarithms + EKW_FRONTEND_BANDS - 1;
            row[c + 1] = (int8_t)ekw_fe_steps(ekw_fe_cosine_sum(last, -1, cosine + EKW_FRONTEND_COSINES), c + 1);
        }
    }
}

#endif
