/* A matrix times the whole input, which is read in the order channel, height, width. */
#ifndef EKW_LINEAR_H
#define EKW_LINEAR_H

#include "kernels/cores/select.h"

EKW_BODY void ekw_linear(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                         ekw_case kind) {
    (void)scratch;
    const int32_t length = node->in_shape.height * node->in_shape.width * node->in_shape.channels;
    const int32_t stride = ekw_filter_stride(length, kind.weight_bits);
    const int8_t *filter = node->weight;
    for (int32_t c = 0; c < node->out_shape.channels; c++, filter += stride) {
        const int32_t acc = ekw_dot(input, filter, length, kind);
        output[c] = ekw_requantize(&node->requant, acc, c, kind);
    }
}

#endif
