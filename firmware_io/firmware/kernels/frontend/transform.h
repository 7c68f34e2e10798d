/* Block exponent, window and FFT of the front end; the definition is edgekws/features/fixed.py and integer/fft.py.
 *
 * The window's even samples are real parts, the odd ones imaginary parts: int32 [points][2], in place. Of the legs of a
 * radix-4 butterfly, 1 and 2 change places, so that frequencies end in bit-reversed order. */
#ifndef EKW_FRONTEND_TRANSFORM_H
#define EKW_FRONTEND_TRANSFORM_H

#include "kernels/frontend/complex.h"

/* How far samples can be shifted left: 15 less the bits of the largest, where negative ones count as their ones'
 * complement. Neighbouring bits of a sample differ at the end of its sign bits. */
EKW_SHARED int32_t ekw_frontend_exponent(const int16_t *samples) {
    uint32_t differing = 0;
    int32_t i = 0;
    for (; i + 8 <= EKW_FRONTEND_WINDOW; i += 8, samples += 8) {
        const uint32_t a = ekw_fe_two(samples), b = ekw_fe_two(samples + 2);
        const uint32_t c = ekw_fe_two(samples + 4), d = ekw_fe_two(samples + 6);
        differing |= (a ^ a << 1) | (b ^ b << 1) | (c ^ c << 1) | (d ^ d << 1);
    }
    for (; i < EKW_FRONTEND_WINDOW; i += 2, samples += 2) {
        differing |= ekw_fe_two(samples) ^ ekw_fe_two(samples) << 1;
    }
    return ekw_fe_zeros((differing | differing >> 16) & 0xFFFE) - 16;
}

/* Samples 2 place and 2 place + 1 under the window, scaled; `first` is a constant, that of the segment that place is
 * in, for which it is known whether the window rises, falls or has ended. */
EKW_BODY ekw_fe_complex ekw_fe_windowed(const int16_t *samples, int32_t exponent, int32_t place, int32_t first) {
    if (2 * first >= EKW_FRONTEND_WINDOW) {
        return (ekw_fe_complex){0, 0};
    }
    const bool falls = 2 * first >= EKW_FRONTEND_HALF_WINDOW;
    const int16_t *x = samples + 2 * place;
    const int16_t *w = falls ? ekw_frontend_window + EKW_FRONTEND_MIRROR - 1 - 2 * place : ekw_frontend_window + 2 * place;
#if defined(EKW_FRONTEND_DSP)
    const uint32_t two = ekw_fe_two(x);
    uint32_t weights;
    __builtin_memcpy(&weights, w, sizeof weights);
    int32_t re, im;
    if (falls) {
        __asm("smulbt %0, %1, %2" : "=r"(re) : "r"(two), "r"(weights));
        __asm("smultb %0, %1, %2" : "=r"(im) : "r"(two), "r"(weights));
    } else {
        __asm("smulbb %0, %1, %2" : "=r"(re) : "r"(two), "r"(weights));
        __asm("smultt %0, %1, %2" : "=r"(im) : "r"(two), "r"(weights));
    }
#else
    const int32_t re = x[0] * w[falls ? 1 : 0], im = x[1] * w[falls ? 0 : 1];
#endif
    return (ekw_fe_complex){ekw_fe_scaled(re, exponent), ekw_fe_scaled(im, exponent)};
}

typedef struct {
    ekw_fe_complex leg[4];
} ekw_fe_legs;

EKW_BODY ekw_fe_legs ekw_fe_radix4(ekw_fe_complex a, ekw_fe_complex b, ekw_fe_complex c, ekw_fe_complex d) {
    const ekw_fe_complex sum = ekw_fe_plus(a, c), difference = ekw_fe_minus(a, c);
    const ekw_fe_complex other = ekw_fe_plus(b, d), turn = ekw_fe_minus(b, d);
    return (ekw_fe_legs){{
        ekw_fe_plus(sum, other),
        {difference.re + turn.im, difference.im - turn.re},
        ekw_fe_minus(sum, other),
        {difference.re - turn.im, difference.im + turn.re},
    }};
}

typedef struct {
    ekw_fe_halves one, two, three;
} ekw_fe_twiddles;

/* Stores the legs of a butterfly at 0, 2, 1 and 3 times `leg` points. */
EKW_BODY void ekw_fe_store_turned(ekw_fe_complex *z, int32_t leg, ekw_fe_legs y, ekw_fe_twiddles w) {
    ekw_fe_store(z, ekw_fe_halved(y.leg[0]));
    ekw_fe_store(z + 2 * leg, ekw_fe_turned(y.leg[1], w.one));
    ekw_fe_store(z + leg, ekw_fe_turned(y.leg[2], w.two));
    ekw_fe_store(z + 3 * leg, ekw_fe_turned(y.leg[3], w.three));
}

/* At place 0 the angle is 0: a half instead of a product. */
EKW_BODY void ekw_fe_store_halved(ekw_fe_complex *z, int32_t leg, ekw_fe_legs y) {
    ekw_fe_store(z, ekw_fe_halved(y.leg[0]));
    ekw_fe_store(z + 2 * leg, ekw_fe_halved(y.leg[1]));
    ekw_fe_store(z + leg, ekw_fe_halved(y.leg[2]));
    ekw_fe_store(z + 3 * leg, ekw_fe_halved(y.leg[3]));
}

/* Of place j in blocks of 4 * leg points. */
EKW_BODY ekw_fe_twiddles ekw_fe_twiddles_at(int32_t j, int32_t leg) {
    const int32_t k = j * (EKW_FRONTEND_BLOCK / 4 / leg), turns = 2 * EKW_FRONTEND_POINTS / EKW_FRONTEND_BLOCK;
    return (ekw_fe_twiddles){
        ekw_fe_halves_of(ekw_fe_two(ekw_frontend_turns + 2 * turns * k)),
        ekw_fe_halves_of(ekw_fe_turn(2 * turns * k)),
        ekw_fe_halves_of(ekw_fe_two(ekw_frontend_third + 2 * k)),
    };
}

EKW_BODY ekw_fe_legs ekw_fe_load_legs(const ekw_fe_complex *z, int32_t leg) {
    return ekw_fe_radix4(ekw_fe_load(z), ekw_fe_load(z + leg), ekw_fe_load(z + 2 * leg), ekw_fe_load(z + 3 * leg));
}

/* A radix-4 stage of blocks of 4 * leg points. */
EKW_BODY void ekw_fe_stage(ekw_fe_complex *z, int32_t leg) {
    const ekw_fe_complex *const end = z + EKW_FRONTEND_POINTS;
    for (ekw_fe_complex *at = z; at != end; at += 4 * leg) {
        ekw_fe_store_halved(at, leg, ekw_fe_load_legs(at, leg));
    }
    for (int32_t j = 1; j < leg; j++) {
        const ekw_fe_twiddles w = ekw_fe_twiddles_at(j, leg);
        for (ekw_fe_complex *at = z + j; at < end; at += 4 * leg) {
            ekw_fe_store_turned(at, leg, ekw_fe_load_legs(at, leg), w);
        }
    }
}

/* The last one has no twiddle factors, and does not shift. */
EKW_BODY void ekw_fe_last_stage(ekw_fe_complex *z) {
    for (const ekw_fe_complex *end = z + EKW_FRONTEND_POINTS; z != end; z += 4) {
        const ekw_fe_legs y = ekw_fe_load_legs(z, 1);
        ekw_fe_store(z, y.leg[0]);
        ekw_fe_store(z + 2, y.leg[1]);
        ekw_fe_store(z + 1, y.leg[2]);
        ekw_fe_store(z + 3, y.leg[3]);
    }
}

EKW_BODY ekw_fe_legs ekw_fe_windowed_legs(const int16_t *samples, int32_t exponent, int32_t j, int32_t first) {
    const int32_t leg = EKW_FRONTEND_POINTS / 4;
    return ekw_fe_radix4(
        ekw_fe_windowed(samples, exponent, j, first), ekw_fe_windowed(samples, exponent, j + leg, first + leg),
        ekw_fe_windowed(samples, exponent, j + 2 * leg, first + 2 * leg),
        ekw_fe_windowed(samples, exponent, j + 3 * leg, first + 3 * leg));
}

/* The first stage, places `first` to `last` - 1, both constants: for these, each leg rises, falls or has ended. */
EKW_BODY void ekw_fe_first_stage(const int16_t *samples, int32_t exponent, ekw_fe_complex *z, int32_t first, int32_t last) {
    int32_t j = first;
    if (first == 0 && last > 0) {
        ekw_fe_store_halved(z, EKW_FRONTEND_POINTS / 4, ekw_fe_windowed_legs(samples, exponent, 0, 0));
        j++;
    }
    for (; j < last; j++) {
        ekw_fe_store_turned(z + j, EKW_FRONTEND_POINTS / 4, ekw_fe_windowed_legs(samples, exponent, j, first),
                         ekw_fe_twiddles_at(j, EKW_FRONTEND_POINTS / 4));
    }
}

/* Sum and difference of places j and points / 2 + j under the window. */
typedef struct {
    ekw_fe_complex sum, difference;
} ekw_fe_legs2;

EKW_BODY ekw_fe_legs2 ekw_fe_windowed_pair(const int16_t *samples, int32_t exponent, int32_t j, int32_t first) {
    const int32_t leg = EKW_FRONTEND_POINTS / 2;
    const ekw_fe_complex a = ekw_fe_windowed(samples, exponent, j, first);
    const ekw_fe_complex b = ekw_fe_windowed(samples, exponent, j + leg, first + leg);
    return (ekw_fe_legs2){ekw_fe_halved(ekw_fe_plus(a, b)), ekw_fe_minus(a, b)};
}

/* The first stage where it is of radix 2. GCC 12 with AVX2 gives wrong sums where it vectorizes this loop. */
EKW_BODY void ekw_fe_first_pairs(const int16_t *samples, int32_t exponent, ekw_fe_complex *z, int32_t first, int32_t last) {
    ekw_fe_complex *const far = z + EKW_FRONTEND_POINTS / 2;
    int32_t j = first;
    if (first == 0 && last > 0) {
        const ekw_fe_legs2 y = ekw_fe_windowed_pair(samples, exponent, 0, 0);
        ekw_fe_store(z, y.sum);
        ekw_fe_store(far, ekw_fe_halved(y.difference));
        j++;
    }
    for (; j < last; j++) {
        EKW_FRONTEND_SCALAR(j);
        const ekw_fe_legs2 y = ekw_fe_windowed_pair(samples, exponent, j, first);
        ekw_fe_store(z + j, y.sum);
        ekw_fe_store(far + j, ekw_fe_turned(y.difference, ekw_fe_halves_of(ekw_fe_turn(2 * j))));
    }
}

/* Where the window begins to fall, and where it ends, as places in a leg of the first stage. */
#define EKW_FRONTEND_FIRST_LEG (EKW_FRONTEND_IS_ODD ? EKW_FRONTEND_POINTS / 2 : EKW_FRONTEND_POINTS / 4)
#define EKW_FRONTEND_FALLS_AT ((EKW_FRONTEND_HALF_WINDOW + 1) / 2 % EKW_FRONTEND_FIRST_LEG)
#define EKW_FRONTEND_ENDS_AT (EKW_FRONTEND_WINDOW / 2 % EKW_FRONTEND_FIRST_LEG)
#define EKW_FRONTEND_FIRST_CUT (EKW_FRONTEND_FALLS_AT < EKW_FRONTEND_ENDS_AT ? EKW_FRONTEND_FALLS_AT : EKW_FRONTEND_ENDS_AT)
#define EKW_FRONTEND_SECOND_CUT (EKW_FRONTEND_FALLS_AT < EKW_FRONTEND_ENDS_AT ? EKW_FRONTEND_ENDS_AT : EKW_FRONTEND_FALLS_AT)

/* Window and FFT: frequencies in bit-reversed order, the DFT divided by 2 once for every stage but the last. */
EKW_SHARED void ekw_frontend_first(const int16_t *samples, int32_t exponent, ekw_fe_complex *z) {
#if EKW_FRONTEND_IS_ODD
    ekw_fe_first_pairs(samples, exponent, z, 0, EKW_FRONTEND_FIRST_CUT);
    ekw_fe_first_pairs(samples, exponent, z, EKW_FRONTEND_FIRST_CUT, EKW_FRONTEND_SECOND_CUT);
    ekw_fe_first_pairs(samples, exponent, z, EKW_FRONTEND_SECOND_CUT, EKW_FRONTEND_FIRST_LEG);
#else
    ekw_fe_first_stage(samples, exponent, z, 0, EKW_FRONTEND_FIRST_CUT);
    ekw_fe_first_stage(samples, exponent, z, EKW_FRONTEND_FIRST_CUT, EKW_FRONTEND_SECOND_CUT);
    ekw_fe_first_stage(samples, exponent, z, EKW_FRONTEND_SECOND_CUT, EKW_FRONTEND_FIRST_LEG);
#endif
}

EKW_SHARED void ekw_frontend_stages(ekw_fe_complex *z) {
#if EKW_FRONTEND_POINTS >= 512
    ekw_fe_stage(z, 64);
#endif
#if EKW_FRONTEND_POINTS >= 128
    ekw_fe_stage(z, 16);
#endif
#if EKW_FRONTEND_POINTS >= 32
    ekw_fe_stage(z, 4);
#endif
    ekw_fe_last_stage(z);
}

#endif
