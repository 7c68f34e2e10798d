/* The largest value of each channel within a window, which never reaches beyond the input. */
#ifndef EKW_MAX_POOL_H
#define EKW_MAX_POOL_H

#include "kernels/inner.h"

EKW_BODY int32_t ekw_largest(const ekw_node *node, const uint8_t *corner, bool is_signed) {
    const int32_t step = node->in_shape.channels, row_step = node->in_shape.width * step;
    int32_t most = ekw_at(corner, 0, is_signed);
    for (int32_t row = 0; row < node->kernel[0]; row++) {
        for (int32_t column = 0; column < node->kernel[1]; column++) {
            const int32_t value = ekw_at(corner, row * row_step + column * step, is_signed);
            most = value > most ? value : most;
        }
    }
    return most;
}

EKW_BODY void ekw_max_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t channels = node->in_shape.channels;
    for (int32_t row = 0; row < node->out_shape.height; row++) {
        for (int32_t column = 0; column < node->out_shape.width; column++, output += channels) {
            const int32_t pixel = row * node->stride[0] * node->in_shape.width + column * node->stride[1];
            for (int32_t c = 0; c < channels; c++) {
                output[c] = ekw_clip(&node->requant, ekw_largest(node, input + pixel * channels + c, kind.is_signed));
            }
        }
    }
}

#endif
