/* The largest value of each channel within a window. Outside of the input, where only those of general nodes reach, it
 * sees the padding value. */
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

/* top, left: where the window begins, which may be in the padding. */
EKW_BODY int32_t ekw_largest_padded(const ekw_node *node, const uint8_t *plane, int32_t top, int32_t left,
                                    ekw_case kind) {
    const ekw_taps rows = ekw_inside(top, node->kernel[0], node->in_shape.height);
    const ekw_taps columns = ekw_inside(left, node->kernel[1], node->in_shape.width);
    const int32_t seen = (rows.end - rows.begin) * (columns.end - columns.begin);
    int32_t most = seen < node->kernel[0] * node->kernel[1] ? ekw_pad_value(kind) : INT32_MIN;
    for (int32_t i = top + rows.begin; i < top + rows.end; i++) {
        for (int32_t j = left + columns.begin; j < left + columns.end; j++) {
            const int32_t value = ekw_at(plane, i * node->in_shape.width + j, kind.is_signed);
            most = value > most ? value : most;
        }
    }
    return most;
}

EKW_BODY void ekw_max_pool_padded(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t plane = node->in_shape.height * node->in_shape.width;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += plane) {
        for (int32_t row = 0; row < node->out_shape.height; row++) {
            const int32_t top = row * node->stride[0] - node->pad[0];
            for (int32_t column = 0; column < node->out_shape.width; column++) {
                const int32_t left = column * node->stride[1] - node->pad[2];
                *output++ = ekw_clip(&node->requant, ekw_largest_padded(node, input, top, left, kind));
            }
        }
    }
}

EKW_BODY void ekw_max_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                           ekw_case kind) {
    (void)scratch;
    if (kind.general) {
        ekw_max_pool_padded(node, input, output, kind);
        return;
    }
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
