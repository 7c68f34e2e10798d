/* Spectrum of the real samples, magnitudes, mel bands; the definition is edgekws/features/fixed.py and integer/. */
#ifndef EKW_FRONTEND_SPECTRUM_H
#define EKW_FRONTEND_SPECTRUM_H

#include "kernels/frontend/complex.h"

/* No bin lies above half the points. */
#define EKW_FRONTEND_HALF_SPECTRUM (EKW_FRONTEND_FIRST_BIN + EKW_FRONTEND_BINS <= EKW_FRONTEND_POINTS / 2)

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

#if EKW_CORE == EKW_MVE
/* Real parts come before imaginary ones. */
EKW_BODY ekw_fe_complex ekw_fe_at(const ekw_fe_complex *z, uint32_t place) {
    const int32_t *at = &z->re + place / 8;
    return (ekw_fe_complex){at[0], at[EKW_FRONTEND_POINTS]};
}
#else
EKW_BODY ekw_fe_complex ekw_fe_at(const ekw_fe_complex *z, uint32_t place) {
    return ekw_fe_load((const ekw_fe_complex *)(const void *)((const uint8_t *)z + place));
}
#endif

/* Twice the frequency k of the real samples' spectrum, in the units of the FFT. a, b: the FFT's k and points - k */
EKW_BODY ekw_fe_complex ekw_fe_split(ekw_fe_complex a, ekw_fe_complex b, ekw_fe_halves w) {
    const ekw_fe_complex odd = ekw_fe_turned((ekw_fe_complex){a.im + b.im, b.re - a.re}, w);
    return (ekw_fe_complex){((a.re + b.re) >> 1) + odd.re, ((a.im - b.im) >> 1) + odd.im};
}

EKW_BODY ekw_fe_halves ekw_fe_split_turn(int32_t k) {
    return ekw_fe_halves_of(EKW_FRONTEND_HALF_SPECTRUM || EKW_FRONTEND_ALL_TURNS ? ekw_fe_two(ekw_frontend_turns + 2 * k) : ekw_fe_turn(k));
}

#if !defined(EKW_FRONTEND_LOG_MEL)
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

/* The mel bands, behind a place for what lies below the first: [1 + bands]. A bin between two bands adds to both:
 * ekw_frontend_edges [bands + 2] are the first bins from band b - 1 to band b, its rising side, and ekw_frontend_rises
 * the share that band b gets. */
#if EKW_CORE != EKW_MVE || !EKW_FRONTEND_HALF_SPECTRUM
EKW_SHARED void ekw_frontend_bands(const ekw_fe_complex *z, int32_t *bands) {
    ekw_fe_places at = EKW_FRONTEND_FIRST_PLACES;
    const int16_t *rise = ekw_frontend_rises;
    int32_t k = EKW_FRONTEND_FIRST_BIN, band = 0;
    for (int32_t b = 0; b <= EKW_FRONTEND_BANDS; b++) {
        int32_t rising = 0;
        for (const int32_t end = ekw_frontend_edges[b + 1]; k != end;) {
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
#endif
#endif

#endif
