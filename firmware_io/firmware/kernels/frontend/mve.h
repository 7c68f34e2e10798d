/* The front end with Arm's M-profile vectors (MVE, "Helium", integers): four values of 32 bits at a time.
 *
 * The FFT's real parts are together, then the imaginary ones: int32 [2][points]. Products are VQDMULH with constants times
 * 2^15, which is floor(a * c / 2^16) too and has room for a cosine of 1: the exact half at place 0 of a butterfly is the
 * product with that. VBRSR makes bit-reversed places of frequencies. See Arm DDI 0553B.u, C2. */
#ifndef EKW_FRONTEND_MVE_H
#define EKW_FRONTEND_MVE_H

#include <arm_mve.h>

#include "kernels/frontend/spectrum.h"
#include "kernels/frontend/steps.h"

typedef struct {
    int32x4_t re, im;
} ekw_fe_complex4;

/* Cosines and sines times 2^15. */
typedef struct {
    int32x4_t cosine, sine;
} ekw_fe_angles4;

EKW_BODY ekw_fe_complex4 ekw_fe_plus4(ekw_fe_complex4 a, ekw_fe_complex4 b) {
    return (ekw_fe_complex4){vaddq_s32(a.re, b.re), vaddq_s32(a.im, b.im)};
}

EKW_BODY ekw_fe_complex4 ekw_fe_minus4(ekw_fe_complex4 a, ekw_fe_complex4 b) {
    return (ekw_fe_complex4){vsubq_s32(a.re, b.re), vsubq_s32(a.im, b.im)};
}

EKW_BODY ekw_fe_complex4 ekw_fe_turned4(ekw_fe_complex4 v, ekw_fe_angles4 w) {
    const int32x4_t re = vaddq_s32(vqdmulhq_s32(v.re, w.cosine), vqdmulhq_s32(v.im, w.sine));
    return (ekw_fe_complex4){re, vsubq_s32(vqdmulhq_s32(v.im, w.cosine), vqdmulhq_s32(v.re, w.sine))};
}

EKW_BODY ekw_fe_complex4 ekw_fe_load4(const int32_t *re) {
    return (ekw_fe_complex4){vld1q_s32(re), vld1q_s32(re + EKW_FRONTEND_POINTS)};
}

EKW_BODY void ekw_fe_store4(int32_t *re, ekw_fe_complex4 v) {
    vst1q_s32(re, v.re);
    vst1q_s32(re + EKW_FRONTEND_POINTS, v.im);
}

/* Angles that a table [n][2] has at these numbers. */
EKW_BODY ekw_fe_angles4 ekw_fe_angles(const int16_t *table, uint32x4_t numbers) {
    const uint32x4_t at = vshlq_n_u32(numbers, 1);
    const int32x4_t cosine = vldrhq_gather_shifted_offset_s32(table, at);
    const int32x4_t sine = vldrhq_gather_shifted_offset_s32(table + 1, at);
    return (ekw_fe_angles4){vshlq_n_s32(cosine, 15), vshlq_n_s32(sine, 15)};
}

/* Of ekw_frontend_turns, a quarter turn further beyond its end. */
EKW_BODY ekw_fe_angles4 ekw_fe_turns4(uint32x4_t numbers) {
    const mve_pred16_t beyond = vcmphiq_n_u32(numbers, EKW_FRONTEND_POINTS / 2 - 1);
    const ekw_fe_angles4 w =
        ekw_fe_angles(ekw_frontend_turns, vandq_u32(numbers, vdupq_n_u32(EKW_FRONTEND_POINTS / 2 - 1)));
    return (ekw_fe_angles4){vpselq_s32(vnegq_s32(w.sine), w.cosine, beyond), vpselq_s32(w.cosine, w.sine, beyond)};
}

/* With the cosine of place 0, which is 1, if that is the first of the four. */
EKW_BODY ekw_fe_angles4 ekw_fe_exact(ekw_fe_angles4 w, int32_t j) {
    return j == 0 ? (ekw_fe_angles4){vsetq_lane_s32(INT32_C(1) << 30, w.cosine, 0), w.sine} : w;
}

EKW_SHARED int32_t ekw_frontend_exponent(const int16_t *samples) {
    int16x8_t most = vdupq_n_s16(0), least = vdupq_n_s16(-1);
    int32_t i = 0;
    for (; i + 8 <= EKW_FRONTEND_WINDOW; i += 8, samples += 8) {
        const int16x8_t x = vld1q_s16(samples);
        most = vmaxq_s16(most, x);
        least = vminq_s16(least, x);
    }
    int16_t highest = vmaxvq_s16(0, most), lowest = vminvq_s16(-1, least);
    for (; i < EKW_FRONTEND_WINDOW; i++, samples++) {
        highest = *samples > highest ? *samples : highest;
        lowest = *samples < lowest ? *samples : lowest;
    }
    return ekw_fe_zeros((uint32_t)((highest | ~lowest) << 1)) - 16;
}

/* Eight samples times their weights, scaled, at a place of the FFT. left: 2^left is the scale. */
EKW_BODY void ekw_fe_weighted(int32_t *z, int16x8_t x, int16x8_t w, int32_t left) {
    ekw_fe_store4(z, (ekw_fe_complex4){vshlq_r_s32(vmullbq_int_s16(x, w), left), vshlq_r_s32(vmulltq_int_s16(x, w), left)});
}

EKW_BODY void ekw_fe_weighted_two(int32_t *z, const int16_t *x, int32_t first, int32_t second, int32_t exponent) {
    z[0] = ekw_fe_scaled(x[0] * first, exponent);
    z[EKW_FRONTEND_POINTS] = ekw_fe_scaled(x[1] * second, exponent);
}

/* Windowed samples: even ones are real parts, odd ones imaginary parts. */
EKW_BODY void ekw_fe_window(const int16_t *samples, int32_t exponent, int32_t *z) {
    const int32_t left = exponent - EKW_FRONTEND_WINDOW_SHIFT, middle = (EKW_FRONTEND_HALF_WINDOW + 1) / 2;
    const int16_t *rising = ekw_frontend_window, *falling = ekw_frontend_window + EKW_FRONTEND_MIRROR - 2 * middle;
    int32_t n = 0;
    for (; n + 4 <= middle; n += 4, rising += 8) {
        ekw_fe_weighted(z + n, vld1q_s16(samples + 2 * n), vld1q_s16(rising), left);
    }
    for (; middle % 4 != 0 && n < middle; n++, rising += 2) {
        ekw_fe_weighted_two(z + n, samples + 2 * n, rising[0], rising[1], exponent);
    }
    const uint16x8_t backwards = vsubq_u16(vdupq_n_u16(7), vidupq_n_u16(0, 1));
    for (; n + 4 <= EKW_FRONTEND_WINDOW / 2; n += 4, falling -= 8) {
        const int16x8_t w = vldrhq_gather_shifted_offset_s16(falling - 7, backwards);
        ekw_fe_weighted(z + n, vld1q_s16(samples + 2 * n), w, left);
    }
    for (; (EKW_FRONTEND_WINDOW / 2 - middle) % 4 != 0 && n < EKW_FRONTEND_WINDOW / 2; n++, falling -= 2) {
        ekw_fe_weighted_two(z + n, samples + 2 * n, falling[0], falling[-1], exponent);
    }
    for (; n % 4 != 0; n++) {
        z[n] = z[n + EKW_FRONTEND_POINTS] = 0;
    }
    for (; n < EKW_FRONTEND_POINTS; n += 4) {
        ekw_fe_store4(z + n, (ekw_fe_complex4){vdupq_n_s32(0), vdupq_n_s32(0)});
    }
}

/* The radix-2 stage that is first where log2 of the points is odd. */
EKW_BODY void ekw_fe_pairs_stage(int32_t *z) {
    const int32_t leg = EKW_FRONTEND_POINTS / 2;
    uint32x4_t numbers = vidupq_n_u32(0, 2);
    for (int32_t j = 0; j < leg; j += 4, z += 4, numbers = vaddq_n_u32(numbers, 8)) {
        const ekw_fe_complex4 a = ekw_fe_load4(z), b = ekw_fe_load4(z + leg), sum = ekw_fe_plus4(a, b);
        ekw_fe_store4(z, (ekw_fe_complex4){vshrq_n_s32(sum.re, 1), vshrq_n_s32(sum.im, 1)});
        ekw_fe_store4(z + leg, ekw_fe_turned4(ekw_fe_minus4(a, b), ekw_fe_exact(ekw_fe_turns4(numbers), j)));
    }
}

/* Of legs 1, 2 and 3. */
typedef struct {
    ekw_fe_angles4 leg[3];
} ekw_fe_twiddles4;

/* Of leg 2: where four of them are all on one side of the middle of a leg, all are a quarter turn further or none is. */
EKW_BODY ekw_fe_angles4 ekw_fe_second(uint32x4_t numbers, int32_t j, int32_t leg) {
    if (leg < 8) {
        return ekw_fe_turns4(numbers);
    }
    if (j < leg / 2) {
        return ekw_fe_angles(ekw_frontend_turns, numbers);
    }
    const ekw_fe_angles4 w = ekw_fe_angles(ekw_frontend_turns, vsubq_n_u32(numbers, EKW_FRONTEND_POINTS / 2));
    return (ekw_fe_angles4){vnegq_s32(w.sine), w.cosine};
}

EKW_BODY ekw_fe_twiddles4 ekw_fe_twiddles4_at(int32_t j, int32_t leg) {
    const int32_t step = EKW_FRONTEND_BLOCK / 4 / leg, turns = 2 * EKW_FRONTEND_POINTS / EKW_FRONTEND_BLOCK;
    const uint32x4_t k = vmulq_n_u32(vaddq_n_u32(vidupq_n_u32(0, 1), (uint32_t)j), (uint32_t)step);
    const ekw_fe_angles4 one = ekw_fe_angles(ekw_frontend_turns, vmulq_n_u32(k, (uint32_t)turns));
    const ekw_fe_angles4 two = ekw_fe_second(vmulq_n_u32(k, (uint32_t)(2 * turns)), j, leg);
    const ekw_fe_angles4 three = ekw_fe_angles(ekw_frontend_third, k);
    return (ekw_fe_twiddles4){{ekw_fe_exact(one, j), ekw_fe_exact(two, j), ekw_fe_exact(three, j)}};
}

EKW_BODY void ekw_fe_butterfly4(int32_t *z, int32_t leg, const ekw_fe_twiddles4 *w) {
    const ekw_fe_complex4 a = ekw_fe_load4(z), c = ekw_fe_load4(z + 2 * leg);
    const ekw_fe_complex4 sum = ekw_fe_plus4(a, c), difference = ekw_fe_minus4(a, c);
    const ekw_fe_complex4 b = ekw_fe_load4(z + leg), d = ekw_fe_load4(z + 3 * leg);
    const ekw_fe_complex4 other = ekw_fe_plus4(b, d), turn = ekw_fe_minus4(b, d), zero = ekw_fe_plus4(sum, other);
    ekw_fe_store4(z, (ekw_fe_complex4){vshrq_n_s32(zero.re, 1), vshrq_n_s32(zero.im, 1)});
    ekw_fe_store4(z + leg, ekw_fe_turned4(ekw_fe_minus4(sum, other), w->leg[1]));
    const ekw_fe_complex4 one = {vaddq_s32(difference.re, turn.im), vsubq_s32(difference.im, turn.re)};
    ekw_fe_store4(z + 2 * leg, ekw_fe_turned4(one, w->leg[0]));
    const ekw_fe_complex4 three = {vsubq_s32(difference.re, turn.im), vaddq_s32(difference.im, turn.re)};
    ekw_fe_store4(z + 3 * leg, ekw_fe_turned4(three, w->leg[2]));
}

/* ekw_fe_butterfly4 in the registers that there are: compiled, it would keep a third of its values on the stack. The
 * pointers are to the middle between the legs, which then are at -6, -2, 2 and 6 times `leg` bytes. */
#define EKW_FRONTEND_TURN(re, im, angles, to)                                                                      \
    "vldrw.u32 q1, [%[w], #" angles "]\n\tvqdmulh.s32 q7, " re ", q1\n\tvqdmulh.s32 q1, " im ", q1\n\t"              \
    "vldrw.u32 q0, [%[w], #" angles " + 16]\n\tvqdmulh.s32 " re ", " re ", q0\n\tvqdmulh.s32 " im ", " im ", q0\n\t" \
    "vadd.i32 q7, q7, " im "\n\tvsub.i32 q1, q1, " re "\n\t"                                                       \
    "vstrw.32 q7, [%[re], #" to "]\n\tvstrw.32 q1, [%[im], #" to "]\n\t"

EKW_BODY void ekw_fe_butterfly_at(int32_t *re, int32_t *im, int32_t leg, const ekw_fe_twiddles4 *w) {
    __asm volatile(
        "vldrw.u32 q0, [%[re], #%c[a]]\n\tvldrw.u32 q1, [%[re], #%c[c]]\n\t"
        "vadd.i32 q2, q0, q1\n\tvsub.i32 q0, q0, q1\n\t"
        "vldrw.u32 q1, [%[re], #%c[b]]\n\tvldrw.u32 q3, [%[re], #%c[d]]\n\t"
        "vadd.i32 q4, q1, q3\n\tvsub.i32 q1, q1, q3\n\t"
        "vadd.i32 q3, q2, q4\n\tvsub.i32 q2, q2, q4\n\t"
        "vshr.s32 q3, q3, #1\n\tvstrw.32 q3, [%[re], #%c[a]]\n\t"
        "vldrw.u32 q3, [%[im], #%c[a]]\n\tvldrw.u32 q4, [%[im], #%c[c]]\n\t"
        "vadd.i32 q5, q3, q4\n\tvsub.i32 q3, q3, q4\n\t"
        "vldrw.u32 q4, [%[im], #%c[b]]\n\tvldrw.u32 q6, [%[im], #%c[d]]\n\t"
        "vadd.i32 q7, q4, q6\n\tvsub.i32 q4, q4, q6\n\t"
        "vadd.i32 q6, q5, q7\n\tvsub.i32 q5, q5, q7\n\t"
        "vshr.s32 q6, q6, #1\n\tvstrw.32 q6, [%[im], #%c[a]]\n\t"
        "vadd.i32 q6, q0, q4\n\tvsub.i32 q0, q0, q4\n\t" /* real parts of legs 1 and 3 */
        "vsub.i32 q4, q3, q1\n\tvadd.i32 q3, q3, q1\n\t" /* imaginary parts */
        "vstrw.32 q0, [%[re], #%c[d]]\n\t"
        EKW_FRONTEND_TURN("q2", "q5", "32", "%c[b]")
        EKW_FRONTEND_TURN("q6", "q4", "0", "%c[c]")
        "vldrw.u32 q2, [%[re], #%c[d]]\n\t"
        EKW_FRONTEND_TURN("q2", "q3", "64", "%c[d]")
        :
        : [re] "r"(re), [im] "r"(im), [w] "r"(w), [a] "i"(-6 * leg), [b] "i"(-2 * leg), [c] "i"(2 * leg), [d] "i"(6 * leg)
        : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "memory");
}

EKW_BODY void ekw_fe_stage4(int32_t *z, int32_t leg) {
    for (int32_t j = 0; j < leg; j += 4) {
        const ekw_fe_twiddles4 w = ekw_fe_twiddles4_at(j, leg);
        if (leg > 64) { /* too far apart for the assembly */
            ekw_fe_butterfly4(z + j, leg, &w);
            continue;
        }
        int32_t *re = z + j + leg + leg / 2, *im = re + EKW_FRONTEND_POINTS;
        for (int32_t i = 0; i < EKW_FRONTEND_POINTS / 4 / leg; i++, re += 4 * leg, im += 4 * leg) {
            ekw_fe_butterfly_at(re, im, leg, &w);
        }
    }
}

/* Legs 0, 2, 1, 3 of four neighbouring butterflies. */
EKW_BODY void ekw_fe_store_last(int32_t *z, int32x4_t zero, int32x4_t two, int32x4_t one, int32x4_t three) {
    const int32x4x4_t legs = {{zero, two, one, three}};
    vst4q_s32(z, legs);
}

EKW_BODY void ekw_fe_last_stage4(int32_t *z) {
    for (const int32_t *end = z + EKW_FRONTEND_POINTS; z != end; z += 16) {
        const int32x4x4_t r = vld4q_s32(z), i = vld4q_s32(z + EKW_FRONTEND_POINTS);
        const ekw_fe_complex4 a = {r.val[0], i.val[0]}, b = {r.val[1], i.val[1]};
        const ekw_fe_complex4 c = {r.val[2], i.val[2]}, d = {r.val[3], i.val[3]};
        const ekw_fe_complex4 sum = ekw_fe_plus4(a, c), difference = ekw_fe_minus4(a, c);
        const ekw_fe_complex4 other = ekw_fe_plus4(b, d), turn = ekw_fe_minus4(b, d);
        ekw_fe_store_last(z, vaddq_s32(sum.re, other.re), vsubq_s32(sum.re, other.re),
                          vaddq_s32(difference.re, turn.im), vsubq_s32(difference.re, turn.im));
        ekw_fe_store_last(z + EKW_FRONTEND_POINTS, vaddq_s32(sum.im, other.im), vsubq_s32(sum.im, other.im),
                          vsubq_s32(difference.im, turn.re), vaddq_s32(difference.im, turn.re));
    }
}

EKW_SHARED void ekw_frontend_first(const int16_t *samples, int32_t exponent, ekw_fe_complex *spectrum) {
    int32_t *z = &spectrum->re;
    ekw_fe_window(samples, exponent, z);
    if (EKW_FRONTEND_IS_ODD) {
        ekw_fe_pairs_stage(z);
    }
    if (EKW_FRONTEND_BLOCK / 4 >= 16) {
        ekw_fe_stage4(z, EKW_FRONTEND_BLOCK / 4);
    }
}

EKW_SHARED void ekw_frontend_stages(ekw_fe_complex *spectrum) {
    int32_t *z = &spectrum->re;
    if (EKW_FRONTEND_BLOCK >= 1024) {
        ekw_fe_stage4(z, 64);
    }
    if (EKW_FRONTEND_BLOCK >= 256) {
        ekw_fe_stage4(z, 16);
    }
    ekw_fe_stage4(z, 4);
    ekw_fe_last_stage4(z);
}

#if !defined(EKW_FRONTEND_LOG_MEL)
#define EKW_FRONTEND_PLACE_BITS EKW_FRONTEND_LOG2_POINTS

/* The share of each bin that its rising side gets replaces the real part of its place, and what the falling side gets
 * the imaginary part: places of bins above half the points would be overwritten before they are read. */
EKW_BODY void ekw_fe_shares(int32_t *re) {
    int32_t *im = re + EKW_FRONTEND_POINTS;
    const int16_t *turn = ekw_frontend_turns + 2 * EKW_FRONTEND_FIRST_BIN, *rise = ekw_frontend_rises;
    uint32_t up = EKW_FRONTEND_FIRST_BIN, down = EKW_FRONTEND_POINTS - EKW_FRONTEND_FIRST_BIN;
    for (int32_t i = 0; i < EKW_FRONTEND_BINS; i += 4, turn += 8, rise += 4) {
        const uint32x4_t place = vbrsrq_n_u32(vidupq_wb_u32(&up, 1), EKW_FRONTEND_PLACE_BITS);
        const uint32x4_t partner = vbrsrq_n_u32(vddupq_wb_u32(&down, 1), EKW_FRONTEND_PLACE_BITS);
        const int32x4_t a = vldrwq_gather_shifted_offset_s32(re, place), b = vldrwq_gather_shifted_offset_s32(im, place);
        const int32x4_t c = vldrwq_gather_shifted_offset_s32(re, partner);
        const int32x4_t d = vldrwq_gather_shifted_offset_s32(im, partner);
        const int32x4_t both = vld1q_s32((const int32_t *)(const void *)turn);
        const int32x4_t cosine = vshlq_n_s32(both, 16), sine = vbicq_n_s32(vbicq_n_s32(both, 0xFF), 0xFF00);
        const int32x4_t x = vaddq_s32(b, d), y = vsubq_s32(c, a);
        int32x4_t real = vaddq_s32(vmulhq_s32(x, cosine), vmulhq_s32(y, sine));
        int32x4_t imaginary = vsubq_s32(vmulhq_s32(y, cosine), vmulhq_s32(x, sine));
        real = vaddq_s32(real, vshrq_n_s32(vaddq_s32(a, c), 1));
        imaginary = vaddq_s32(imaginary, vshrq_n_s32(vsubq_s32(b, d), 1));
        real = veorq_s32(real, vshrq_n_s32(real, 31));
        imaginary = veorq_s32(imaginary, vshrq_n_s32(imaginary, 31));
        const int32x4_t zeros = vclzq_s32(vorrq_s32(real, imaginary));
        const uint32x4_t p = vshrq_n_u32(vreinterpretq_u32_s32(vshlq_s32(real, zeros)), 17);
        const uint32x4_t q = vshrq_n_u32(vreinterpretq_u32_s32(vshlq_s32(imaginary, zeros)), 17);
        const uint32x4_t square = vaddq_u32(vmulq_u32(p, p), vmulq_u32(q, q));
        const uint32x4_t at = vshrq_n_u32(square, EKW_FRONTEND_ROOT_SHIFT);
        const uint32x4_t root = vldrhq_gather_shifted_offset_u32(ekw_frontend_roots, at);
        const uint32x4_t next = vldrhq_gather_shifted_offset_u32(ekw_frontend_roots + 1, at);
        const uint32x4_t fraction = vmovlbq_u16(vreinterpretq_u16_u32(vshrq_n_u32(square, EKW_FRONTEND_ROOT_SHIFT - 16)));
        uint32x4_t rest = vmulq_u32(vsubq_u32(next, root), fraction);
        rest = EKW_FRONTEND_GUARD > 0 ? vshlq_r_u32(rest, -EKW_FRONTEND_GUARD) : rest;
        const uint32x4_t high = vaddq_u32(vshlq_n_u32(root, 16 - EKW_FRONTEND_GUARD), rest);
        const int32x4_t magnitude = vreinterpretq_s32_u32(vshlq_u32(high, vnegq_s32(zeros)));
        __asm("" : "+r"(rise) : "w"(magnitude)); /* not before: registers are few */
        const int32x4_t share = vmulhq_s32(magnitude, vshlq_n_s32(vldrhq_s32(rise), 16));
        vstrwq_scatter_shifted_offset_s32(re, place, share);
        vstrwq_scatter_shifted_offset_s32(im, place, vsubq_s32(vshrq_n_s32(magnitude, 1), share));
    }
}

/* Four bands at a time: the sums of the rising sides of the bins between two edges, and of the falling sides. */
EKW_BODY void ekw_fe_band_sums(const int32_t *re, int32_t *bands) {
    const int32_t *im = re + EKW_FRONTEND_POINTS;
    const uint16_t *edge = ekw_frontend_edges;
    int32_t before = 0;
    for (int32_t b = 0; b <= EKW_FRONTEND_BANDS; b += 4, edge += 4) {
        uint32x4_t k = vldrhq_u32(edge);
        const uint32x4_t end = vldrhq_u32(edge + 1);
        int32x4_t rising = vdupq_n_s32(0), falling = vdupq_n_s32(0);
        for (;;) {
            const mve_pred16_t there = vcmphiq_u32(end, k);
            if (there == 0) {
                break;
            }
            const uint32x4_t place = vbrsrq_n_u32(k, EKW_FRONTEND_PLACE_BITS);
            rising = vaddq_s32(rising, vldrwq_gather_shifted_offset_z_s32(re, place, there));
            falling = vaddq_s32(falling, vldrwq_gather_shifted_offset_z_s32(im, place, there));
            k = vaddq_n_u32(k, 1);
        }
        /* The falling side of each interval belongs to the band before, whose rising side is one lane back. */
        const int32_t last = vgetq_lane_s32(rising, 3);
        uint32_t carry = (uint32_t)before;
        const int32x4_t shifted = vshlcq_s32(rising, &carry, 32);
        vst1q_s32(bands + b, vaddq_s32(falling, shifted));
        before = last;
    }
}

#if EKW_FRONTEND_HALF_SPECTRUM
EKW_SHARED void ekw_frontend_bands(ekw_fe_complex *spectrum, int32_t *bands) {
    int32_t *z = &spectrum->re;
    ekw_fe_shares(z);
    ekw_fe_band_sums(z, bands);
}
#endif

EKW_SHARED void ekw_frontend_logarithms(int32_t *bands, int32_t floor, int32_t level) {
    int32_t b = 0;
    for (; b + 4 <= EKW_FRONTEND_BANDS; b += 4, bands += 4) {
        const int32x4_t value = vaddq_n_s32(vld1q_s32(bands), floor), zeros = vclzq_s32(value);
        const uint32x4_t normal = vreinterpretq_u32_s32(vshlq_s32(value, zeros));
        const uint32x4_t fraction = vmovlbq_u16(vreinterpretq_u16_u32(vshrq_n_u32(normal, 15)));
        const uint32x4_t at = vshrq_n_u32(fraction, EKW_FRONTEND_LOG_REST);
        const int32x4_t low = vldrhq_gather_shifted_offset_s32(ekw_frontend_curve, at);
        const int32x4_t step = vsubq_s32(vldrhq_gather_shifted_offset_s32(ekw_frontend_curve + 1, at), low);
        const uint32x4_t mask = vdupq_n_u32((1u << EKW_FRONTEND_LOG_REST) - 1);
        const int32x4_t rest = vmulq_s32(step, vreinterpretq_s32_u32(vandq_u32(fraction, mask)));
        int32x4_t log = vaddq_s32(vreinterpretq_s32_u32(fraction), vaddq_s32(low, vshrq_n_s32(rest, EKW_FRONTEND_LOG_REST)));
        log = vsubq_s32(log, vshlq_n_s32(zeros, 16));
        vst1q_s32(bands, vaddq_n_s32(log, 31 * 65536 - level));
    }
    for (; b < EKW_FRONTEND_BANDS; b++, bands++) {
        *bands = ekw_fe_log2(*bands + floor, ekw_frontend_curve) - level;
    }
}

/* The sum of the products of `pair` and the cosines of an order. */
EKW_BODY int32_t ekw_fe_cosine_sum4(const int32_t *pair, const int16_t *cosine) {
    int32_t sum = 0, b = 0;
    EKW_FRONTEND_UNROLL
    for (; b + 4 <= EKW_FRONTEND_PAIRS; b += 4, pair += 4, cosine += 4) {
        sum = vaddvaq_s32(sum, vmulhq_s32(vld1q_s32(pair), vshlq_n_s32(vldrhq_s32(cosine), 16)));
    }
    for (; b < EKW_FRONTEND_PAIRS; b++) {
        sum += ekw_fe_mul(*pair++, *cosine++);
    }
    return sum;
}

EKW_SHARED void ekw_frontend_row(int32_t *logarithms, int8_t *row) {
    int32_t sums[EKW_FRONTEND_PAIRS], differences[EKW_FRONTEND_PAIRS], b = 0;
    const int32_t *last = logarithms + EKW_FRONTEND_BANDS - 1;
    const uint32x4_t backwards = vsubq_u32(vdupq_n_u32(3), vidupq_n_u32(0, 1));
    for (; b + 4 <= EKW_FRONTEND_BANDS / 2; b += 4, last -= 4) {
        const int32x4_t x = vshlq_n_s32(vld1q_s32(logarithms + b), EKW_FRONTEND_LOG_SHIFT);
        const int32x4_t y = vshlq_n_s32(vldrwq_gather_shifted_offset_s32(last - 3, backwards), EKW_FRONTEND_LOG_SHIFT);
        vst1q_s32(sums + b, vaddq_s32(x, y));
        vst1q_s32(differences + b, vsubq_s32(x, y));
    }
    for (; EKW_FRONTEND_BANDS % 8 != 0 && b < EKW_FRONTEND_PAIRS; b++, last--) {
        const int32_t x = logarithms[b] * (1 << EKW_FRONTEND_LOG_SHIFT), y = *last * (1 << EKW_FRONTEND_LOG_SHIFT);
        sums[b] = 2 * b + 1 == EKW_FRONTEND_BANDS ? x : x + y;
        differences[b] = x - y;
    }
    const int16_t *cosine = ekw_frontend_cosines;
    for (int32_t c = 0; c < EKW_FRONTEND_COEFFICIENTS; c++, cosine += EKW_FRONTEND_COSINES) {
        row[c] = (int8_t)ekw_fe_steps(ekw_fe_cosine_sum4((c & 1) == 0 ? sums : differences, cosine), c);
    }
}

#endif

#endif
