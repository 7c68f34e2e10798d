/* The sum over height and width of each channel; the requantization divides it. */
#ifndef EKW_GLOBAL_SUM_POOL_H
#define EKW_GLOBAL_SUM_POOL_H

#include "kernels/cores/select.h"

EKW_BODY void ekw_global_sum_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                                  ekw_case kind) {
    (void)scratch;
    const int32_t plane = node->in_shape.height * node->in_shape.width;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += plane) {
        output[c] = ekw_requantize(&node->requant, ekw_sum(input, plane, kind), c, kind);
    }
}

#endif
