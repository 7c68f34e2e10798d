/* A matrix times the whole input, which is read in the order height, width, channel. */
#ifndef EKW_LINEAR_H
#define EKW_LINEAR_H

#include "kernels/weights.h"

EKW_BODY void ekw_linear(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t length = node->in_shape.height * node->in_shape.width * node->in_shape.channels;
    const int32_t filter_bytes = ekw_filter_bytes(length, kind.weight_bits);
    const int32_t outputs = node->out_shape.channels;
    int32_t c = 0;
    for (; c + 4 <= outputs; c += 4) {
        int32_t acc[4] = {0, 0, 0, 0};
        const ekw_weights w = ekw_weights_from(node->weight + c * filter_bytes, 0, kind.weight_bits);
        ekw_dot4(acc, input, w, filter_bytes, length, kind);
        for (int32_t i = 0; i < 4; i++) {
            output[c + i] = ekw_requantize(&node->requant, acc[i], c + i, kind.rule);
        }
    }
    for (; c < outputs; c++) {
        const ekw_weights w = ekw_weights_from(node->weight + c * filter_bytes, 0, kind.weight_bits);
        const int32_t acc = ekw_dot(input, w, length, kind);
        output[c] = ekw_requantize(&node->requant, acc, c, kind.rule);
    }
}

#endif
