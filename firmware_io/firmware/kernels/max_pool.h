/* The largest value of each channel within a window, which lies wholly inside the input. */
#ifndef EKW_MAX_POOL_H
#define EKW_MAX_POOL_H

#include "kernels/inner.h"

EKW_BODY int32_t ekw_largest(const ekw_node *node, const uint8_t *corner, bool is_signed) {
    const int32_t width = node->in_shape.width;
    int32_t most = ekw_at(corner, 0, is_signed);
    for (int32_t row = 0; row < node->kernel[0]; row++) {
        for (int32_t column = 0; column < node->kernel[1]; column++) {
            const int32_t value = ekw_at(corner, row * width + column, is_signed);
            most = value > most ? value : most;
        }
    }
    return most;
}

EKW_BODY void ekw_max_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                           ekw_case kind) {
    (void)scratch;
    const int32_t width = node->in_shape.width, plane = node->in_shape.height * width;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += plane) {
        for (int32_t row = 0; row < node->out_shape.height; row++) {
            const uint8_t *corner = input + row * node->stride[0] * width;
            for (int32_t column = 0; column < node->out_shape.width; column++, corner += node->stride[1]) {
                *output++ = ekw_clip(&node->requant, ekw_largest(node, corner, kind.is_signed));
            }
        }
    }
}

#endif
