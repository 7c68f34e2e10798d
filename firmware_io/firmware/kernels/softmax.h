/* Probabilities over the channels in steps of 1/256, from -128: the integers of TFLite's reference SOFTMAX. The Python
 * definition is edgekws/graph/exponential.py, which also explains the formats. */
#ifndef EKW_SOFTMAX_KERNEL_H
#define EKW_SOFTMAX_KERNEL_H

#include "kernels/bytes.h"

typedef struct {
    const int32_t *exponentials; /* [256], by the distance from the largest input; Q0.31 */
    int32_t channels;            /* at most 4095, so that sums fit 31 bits */
    int32_t plane;
    int32_t flip;
    int32_t lo;
    int32_t hi;
} ekw_softmax_node;

#define EKW_SUM_INTEGER_BITS 12
#define EKW_48_OVER_17 1515870810
#define EKW_32_OVER_17 1010580540

/* The high half of the doubled product. */
EKW_BODY int32_t ekw_doubled_product(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* x / 2^places rounded; x is not negative. */
EKW_BODY int32_t ekw_shares(int32_t x, int32_t places) {
    return (int32_t)(((int64_t)x + (INT64_C(1) << (places - 1))) >> places);
}

/* 1 / (1 + x) for x within [0, 1) in Q0.31. */
EKW_BODY int32_t ekw_reciprocal(uint32_t x) {
    const int32_t half = (int32_t)((x >> 1) + (UINT32_C(1) << 30));
    int32_t y = EKW_48_OVER_17 - ekw_doubled_product(half, EKW_32_OVER_17);
    for (int32_t i = 0; i < 3; i++) {
        y += ekw_doubled_product(y, (1 << 29) - ekw_doubled_product(half, y)) * 4;
    }
    return y < 1 << 30 ? y * 2 : INT32_MAX;
}

EKW_BODY void ekw_softmax_position(const ekw_softmax_node *node, const uint8_t *input, uint8_t *output) {
    const int32_t size = node->channels * node->plane, step = node->plane;
    int32_t most = 0;
    for (int32_t i = 0; i < size; i += step) {
        const int32_t value = ekw_raised(input[i], node->flip);
        most = value > most ? value : most;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < size; i += step) {
        sum += (uint32_t)ekw_shares(node->exponentials[most - ekw_raised(input[i], node->flip)], EKW_SUM_INTEGER_BITS);
    }
    int32_t places = EKW_SUM_INTEGER_BITS + 31 - 8; /* the largest input alone gives 2^19 */
    for (; sum < UINT32_C(1) << 31; sum *= 2) {
        places--;
    }
    const int32_t scale = ekw_reciprocal(sum - (UINT32_C(1) << 31));
    for (int32_t i = 0; i < size; i += step) {
        const int32_t term = node->exponentials[most - ekw_raised(input[i], node->flip)];
        const int32_t y = ekw_shares(ekw_doubled_product(term, scale), places) - 128;
        output[i] = (uint8_t)(y < node->lo ? node->lo : y > node->hi ? node->hi : y);
    }
}

EKW_BODY void ekw_softmax(const ekw_softmax_node *node, const uint8_t *input, uint8_t *output) {
    for (int32_t i = 0; i < node->plane; i++) {
        ekw_softmax_position(node, input + i, output + i);
    }
}

#endif
