/* The sum over height and width of each channel; dividing is the business of the stage. */
#ifndef EKW_GLOBAL_SUM_POOL_H
#define EKW_GLOBAL_SUM_POOL_H

#include "kernels/inner.h"

EKW_BODY void ekw_global_sum_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t channels = node->in_shape.channels;
    const int32_t bytes = node->in_shape.height * node->in_shape.width * channels;
    for (int32_t c = 0; c < channels; c++) {
        int32_t acc = 0;
        for (int32_t i = c; i < bytes; i += channels) {
            acc += ekw_at(input, i, kind.is_signed);
        }
        output[c] = ekw_requantize(&node->requant, acc, c, kind.rule);
    }
}

#endif
