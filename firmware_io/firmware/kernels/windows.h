/* Packing the windows of a convolution, one value after the other. A core defines before it includes this
 *
 *     ekw_pack_tap        stores one value among packed pixels
 *     ekw_pack_end        completes a pixel */
#ifndef EKW_WINDOWS_H
#define EKW_WINDOWS_H

#include "kernels/inner.h"

/* The taps of one output pixel. */
EKW_BODY void ekw_pack_window(const ekw_node *node, const uint8_t *input, int32_t pixel, uint8_t *packed, int32_t slot,
                              ekw_case kind) {
    const int32_t height = node->in_shape.height, width = node->in_shape.width;
    const int32_t top = pixel / node->out_shape.width * node->stride[0] - node->pad[0];
    const int32_t left = pixel % node->out_shape.width * node->stride[1] - node->pad[2];
    const int32_t taps = node->kernel[0] * node->kernel[1] * node->in_shape.channels;
    const int32_t down = ekw_dilation(kind, 0), right = ekw_dilation(kind, 1), pad = ekw_pad_value(kind);
    int32_t tap = 0;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += height * width) {
        for (int32_t i = 0; i < node->kernel[0]; i++) {
            const bool is_row_inside = (uint32_t)(top + i * down) < (uint32_t)height;
            const uint8_t *row = input + (is_row_inside ? (top + i * down) * width : 0);
            for (int32_t j = 0; j < node->kernel[1]; j++, tap++) {
                const int32_t column = left + j * right;
                const bool is_inside = is_row_inside && (uint32_t)column < (uint32_t)width;
                ekw_pack_tap(packed, taps, slot, tap, is_inside ? ekw_at(row, column, kind.is_signed) : pad, kind);
            }
        }
    }
    ekw_pack_end(packed, taps, slot);
}

EKW_BODY void ekw_pack_each_window(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                                   int32_t count, ekw_case kind) {
    for (int32_t i = 0; i < count; i++) {
        ekw_pack_window(node, input, first + i, packed, i, kind);
    }
}

#endif
