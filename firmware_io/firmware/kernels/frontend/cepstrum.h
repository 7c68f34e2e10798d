/* From mel bands to the int8 row: logarithms, DCT. The definition is
 * edgekws/features/fixed.py and integer/. */
#ifndef EKW_FRONTEND_CEPSTRUM_H
#define EKW_FRONTEND_CEPSTRUM_H

#include "kernels/frontend/steps.h"

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
