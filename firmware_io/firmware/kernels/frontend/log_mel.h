/* The parts of MLPerf Tiny's streaming wake word's front end that the MFCC have not: pre-emphasis, energy, powers of the
 * mel bands, levels in dB. The definition is edgekws/features/sww01_fixed.py. */
#ifndef EKW_FRONTEND_LOG_MEL_H
#define EKW_FRONTEND_LOG_MEL_H

#include "kernels/frontend/spectrum.h"
#include "kernels/frontend/steps.h"

/* (32 x - 31 before + 32) >> 6 of `count` samples. Returns the last sample. */
EKW_SHARED int16_t ekw_frontend_emphasize(int16_t *to, const int16_t *from, int32_t count, int16_t before) {
    const int16_t *const end = from + count;
#if defined(EKW_FRONTEND_DSP)
    if (count > 1) {
        *to++ = (int16_t)((32 * from[0] - 31 * before + 32) >> 6);
        const uint32_t factors = UINT32_C(0x20FFE1); /* 32 and, below, -31 */
        EKW_FRONTEND_UNROLL
        for (from++; end - from >= 2; from += 2, to += 2) {
            uint32_t early, late;
            int32_t first, second;
            __builtin_memcpy(&early, from - 1, sizeof early);
            __builtin_memcpy(&late, from, sizeof late);
            __asm("smlad %0, %1, %2, %3" : "=r"(first) : "r"(early), "r"(factors), "r"(32));
            __asm("smlad %0, %1, %2, %3" : "=r"(second) : "r"(late), "r"(factors), "r"(32));
            uint32_t both = (uint32_t)(first >> 6);
            __asm("pkhbt %0, %0, %1, lsl #10" : "+r"(both) : "r"(second));
            __builtin_memcpy(to, &both, sizeof both);
        }
        before = from[-1];
    }
#endif
    for (; from != end; from++) {
        *to++ = (int16_t)((32 * *from - 31 * before + 32) >> 6);
        before = *from;
    }
    return before;
}

/* The bits of the sum of squares of a window. */
EKW_SHARED int32_t ekw_frontend_energy_bits(const int16_t *samples) {
    uint64_t energy = 0;
#if defined(EKW_FRONTEND_DSP)
    EKW_FRONTEND_UNROLL
    for (int32_t i = 0; i < EKW_FRONTEND_WINDOW; i += 2) {
        const uint32_t two = ekw_fe_two(samples + i);
        __asm("smlald %Q0, %R0, %1, %1" : "+r"(energy) : "r"(two));
    }
#else
    for (int32_t i = 0; i < EKW_FRONTEND_WINDOW; i += 2) {
        energy += (uint32_t)(samples[i] * samples[i]) + (uint32_t)(samples[i + 1] * samples[i + 1]);
    }
#endif
    const uint32_t high = (uint32_t)(energy >> 32), low = (uint32_t)energy;
    return high != 0 ? 64 - __builtin_clz(high) : low != 0 ? 32 - __builtin_clz(low) : 0;
}

/* floor(a^2 / 2^32) */
EKW_BODY int32_t ekw_fe_high_square(int32_t a) {
#if defined(EKW_FRONTEND_SHORT)
    const uint32_t size = a < 0 ? -(uint32_t)a : (uint32_t)a, high = size >> 16, low = size & 0xFFFF;
    return (int32_t)(high * high + ((2 * high * low + (low * low >> 16)) >> 16));
#else
    return (int32_t)((int64_t)a * a >> 32);
#endif
}

EKW_BODY int32_t ekw_fe_power(ekw_fe_complex x, int32_t left) {
    const int32_t re = (int32_t)((uint32_t)x.re << left), im = (int32_t)((uint32_t)x.im << left);
#if defined(EKW_FRONTEND_DSP)
    int32_t power;
    __asm("smmul %0, %1, %1" : "=r"(power) : "r"(re));
    __asm("smmla %0, %1, %1, %0" : "+r"(power) : "r"(im));
    return power + 1;
#else
    return ekw_fe_high_square(re) + ekw_fe_high_square(im) + 1;
#endif
}

/* ekw_frontend_bands with powers. left: 2^left is the scale of the spectrum. */
EKW_SHARED void ekw_frontend_powers(const ekw_fe_complex *z, int32_t left, int32_t *bands) {
    ekw_fe_places at = EKW_FRONTEND_FIRST_PLACES;
    const int16_t *rise = ekw_frontend_rises;
    int32_t k = EKW_FRONTEND_FIRST_BIN, band = 0;
    for (int32_t b = 0; b <= EKW_FRONTEND_BANDS; b++) {
        int32_t rising = 0;
        for (const int32_t end = ekw_frontend_edges[b + 1]; k != end;) {
            const ekw_fe_complex x = ekw_fe_split(ekw_fe_at(z, at.place), ekw_fe_at(z, at.partner), ekw_fe_split_turn(k));
            const int32_t power = ekw_fe_power(x, left), share = ekw_fe_mul(power, *rise++);
            rising += share;
            band += (power >> 1) - share;
            at = ekw_fe_next_places(at, ++k);
        }
        *bands++ = band;
        band = rising;
    }
}

/* Above -52 dB in 1/65536 of log2, 0 to EKW_FRONTEND_TOP, in place. */
EKW_SHARED void ekw_frontend_levels(int32_t *bands, int32_t level) {
    for (const int32_t *end = bands + EKW_FRONTEND_BANDS; bands != end; bands++) {
        const int32_t above = ekw_fe_log2(*bands + 1, ekw_frontend_curve) - level;
        *bands = above < 0 ? 0 : above > EKW_FRONTEND_TOP ? EKW_FRONTEND_TOP : above;
    }
}

EKW_SHARED void ekw_frontend_row(const int32_t *levels, int8_t *row) {
    for (int32_t b = 0; b < EKW_FRONTEND_BANDS; b++) {
        row[b] = (int8_t)ekw_fe_steps(levels[b] * (1 << EKW_FRONTEND_LOG_SHIFT), b);
    }
}

#endif
