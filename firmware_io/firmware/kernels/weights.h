/* Reading weights of 8, 4 or 2 bits, and their dot products with bytes. */
#ifndef EKW_WEIGHTS_H
#define EKW_WEIGHTS_H

#include "kernels/inner.h"

/* For loops of a few fixed turns, which -O2 leaves alone. */
#ifdef __clang__
#define EKW_UNROLL _Pragma("unroll")
#else
#define EKW_UNROLL _Pragma("GCC unroll 4")
#endif

EKW_BODY int32_t ekw_filter_bytes(int32_t weights, int32_t bits) {
    return (weights * bits + 7) >> 3;
}

/* Weight number `place` of a byte, sign extended. */
EKW_BODY int32_t ekw_unpacked(uint8_t byte, int32_t place, int32_t bits) {
    return (int32_t)((uint32_t)byte << (32 - bits * (place + 1))) >> (32 - bits);
}

/* Position of weight `index` in bytes, and its place in that byte. */
EKW_BODY int32_t ekw_byte_of(int32_t index, int32_t bits) {
    return index >> (bits == 8 ? 0 : bits == 4 ? 1 : 2);
}

EKW_BODY int32_t ekw_place_of(int32_t index, int32_t bits) {
    return index & (8 / bits - 1);
}

/* A run of weights: the filter that holds it and the number of its first weight, 0 where a pointer can say it. */
typedef struct {
    const int8_t *filter;
    int32_t first;
} ekw_weights;

EKW_BODY ekw_weights ekw_weights_from(const int8_t *filter, int32_t first, int32_t bits) {
    if (bits == 8) {
        return (ekw_weights){filter + first, 0};
    }
    return (ekw_weights){filter, first};
}

EKW_BODY int32_t ekw_weight(ekw_weights w, int32_t index, int32_t bits) {
    if (bits == 8) {
        return w.filter[index];
    }
    const int32_t number = w.first + index;
    return ekw_unpacked((uint8_t)w.filter[ekw_byte_of(number, bits)], ekw_place_of(number, bits), bits);
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, ekw_weights w, int32_t length, ekw_case kind) {
    int32_t acc = 0;
    for (int32_t i = 0; i < length; i++) {
        acc += ekw_at(x, i, kind.is_signed) * ekw_weight(w, i, kind.weight_bits);
    }
    return acc;
}

EKW_BODY void ekw_dot4_bytes(int32_t *acc, const uint8_t *x, const int8_t *w, int32_t filter_bytes, int32_t length,
                             bool is_signed) {
    const int8_t *w1 = w + filter_bytes, *w2 = w1 + filter_bytes, *w3 = w2 + filter_bytes;
    int32_t acc0 = acc[0], acc1 = acc[1], acc2 = acc[2], acc3 = acc[3];
    for (int32_t i = 0; i < length; i++) {
        int32_t value = ekw_at(x, i, is_signed);
        acc0 += value * w[i];
        acc1 += value * w1[i];
        acc2 += value * w2[i];
        acc3 += value * w3[i];
    }
    acc[0] = acc0, acc[1] = acc1, acc[2] = acc2, acc[3] = acc3;
}

/* The same for whole bytes of packed weights. */
EKW_BODY void ekw_dot4_packed(int32_t *acc, const uint8_t *x, const int8_t *w, int32_t filter_bytes, int32_t bytes,
                              ekw_case kind) {
    const int32_t bits = kind.weight_bits, per_byte = 8 / bits;
    const int8_t *w1 = w + filter_bytes, *w2 = w1 + filter_bytes, *w3 = w2 + filter_bytes;
    int32_t acc0 = acc[0], acc1 = acc[1], acc2 = acc[2], acc3 = acc[3];
    for (int32_t i = 0; i < bytes; i++, x += per_byte) {
        const uint8_t b0 = (uint8_t)w[i], b1 = (uint8_t)w1[i], b2 = (uint8_t)w2[i], b3 = (uint8_t)w3[i];
        EKW_UNROLL
        for (int32_t place = 0; place < per_byte; place++) {
            const int32_t value = ekw_at(x, place, kind.is_signed);
            acc0 += value * ekw_unpacked(b0, place, bits);
            acc1 += value * ekw_unpacked(b1, place, bits);
            acc2 += value * ekw_unpacked(b2, place, bits);
            acc3 += value * ekw_unpacked(b3, place, bits);
        }
    }
    acc[0] = acc0, acc[1] = acc1, acc[2] = acc2, acc[3] = acc3;
}

/* The same for weights that begin or end within a byte. */
EKW_BODY void ekw_dot4_parts(int32_t *acc, const uint8_t *x, ekw_weights w, int32_t filter_bytes, int32_t length,
                             ekw_case kind) {
    for (int32_t i = 0; i < length; i++) {
        const int32_t value = ekw_at(x, i, kind.is_signed);
        for (int32_t k = 0; k < 4; k++) {
            const ekw_weights filter = {w.filter + k * filter_bytes, w.first};
            acc[k] += value * ekw_weight(filter, i, kind.weight_bits);
        }
    }
}

/* Weights up to the next byte, whole bytes, the rest. */
EKW_BODY void ekw_dot4_narrow(int32_t *acc, const uint8_t *x, ekw_weights w, int32_t filter_bytes, int32_t length,
                              ekw_case kind) {
    const int32_t per_byte = 8 / kind.weight_bits;
    const int32_t until_byte = -w.first & (per_byte - 1), head = until_byte < length ? until_byte : length;
    const int32_t bytes = ekw_byte_of(length - head, kind.weight_bits), body = bytes * per_byte;
    const ekw_weights tail = {w.filter, w.first + head + body};
    const int8_t *whole = w.filter + ekw_byte_of(w.first + head, kind.weight_bits);
    ekw_dot4_parts(acc, x, w, filter_bytes, head, kind);
    ekw_dot4_packed(acc, x + head, whole, filter_bytes, bytes, kind);
    ekw_dot4_parts(acc, x + head + body, tail, filter_bytes, length - head - body, kind);
}

/* Four filters at once, so that each input byte is loaded once for four products. `filter_bytes`: step
 * from a filter to the next. Adds to acc[4]. */
EKW_BODY void ekw_dot4(int32_t *acc, const uint8_t *x, ekw_weights w, int32_t filter_bytes, int32_t length,
                       ekw_case kind) {
    if (kind.weight_bits == 8) {
        ekw_dot4_bytes(acc, x, w.filter, filter_bytes, length, kind.is_signed);
    } else {
        ekw_dot4_narrow(acc, x, w, filter_bytes, length, kind);
    }
}

#endif
