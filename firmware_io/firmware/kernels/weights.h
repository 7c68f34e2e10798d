/* Reading packed weights of 8, 4 or 2 bits. */
#ifndef EKW_WEIGHTS_H
#define EKW_WEIGHTS_H

#include "kernels/inner.h"
#include "kernels/sizes.h"

EKW_BODY int32_t ekw_filter_stride(int32_t weights, int32_t bits) {
    return (weights * bits + 7) >> 3;
}

/* Weight number `index` of a filter, sign extended. */
EKW_BODY int32_t ekw_weight(const int8_t *filter, int32_t index, int32_t bits) {
    if (bits == 8) {
        return filter[index];
    }
    const int32_t per_byte_log2 = bits == 4 ? 1 : 2, place = index & ((1 << per_byte_log2) - 1);
    const uint32_t byte = (uint8_t)filter[index >> per_byte_log2];
    return (int32_t)(byte << (32 - bits * (place + 1))) >> (32 - bits);
}

/* Weights of one filter of a convolution. */
EKW_BODY int32_t ekw_taps_of(const ekw_node *node) {
    return EKW_TAPS(node);
}

EKW_BODY const int8_t *ekw_filter_at(const ekw_node *node, int32_t filter, int32_t bits) {
    return node->weight + filter * ekw_filter_stride(ekw_taps_of(node), bits);
}

EKW_BODY int32_t ekw_round_up(int32_t value, int32_t step) {
    return EKW_ROUND_UP(value, step);
}

#endif
