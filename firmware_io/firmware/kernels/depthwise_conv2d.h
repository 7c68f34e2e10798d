/* One filter per channel, with any kernel, stride and padding. */
#ifndef EKW_DEPTHWISE_CONV2D_H
#define EKW_DEPTHWISE_CONV2D_H

#include "kernels/weights.h"

/* first: number of the first weight of the first row. x_step, x_row: from a column, a row to the next. */
EKW_BODY int32_t ekw_depthwise_channel(const uint8_t *x, const int8_t *filter, int32_t first, ekw_taps rows,
                                       ekw_taps columns, int32_t x_step, int32_t x_row, int32_t w_row, ekw_case kind) {
    int32_t acc = 0;
    for (int32_t k = rows.begin; k < rows.end; k++, x += x_row, first += w_row) {
        const ekw_weights w = ekw_weights_from(filter, first, kind.weight_bits);
        const uint8_t *tap = x;
        for (int32_t i = columns.begin; i < columns.end; i++, tap += x_step) {
            acc += ekw_at(tap, 0, kind.is_signed) * ekw_weight(w, i, kind.weight_bits);
        }
    }
    return acc;
}

EKW_BODY void ekw_depthwise_pixel(const ekw_node *node, const uint8_t *input, uint8_t *output, int32_t top,
                                  int32_t left, ekw_case kind) {
    const int32_t channels = node->in_shape.channels;
    const int32_t x_row = node->in_shape.width * channels, w_row = node->kernel[1];
    const int32_t filter_bytes = ekw_filter_bytes(node->kernel[0] * w_row, kind.weight_bits);
    ekw_taps rows = ekw_inside(top, node->kernel[0], node->in_shape.height);
    const ekw_taps columns = ekw_inside(left, node->kernel[1], node->in_shape.width);
    const uint8_t *x = input;
    if (rows.begin == rows.end || columns.begin == columns.end) {
        rows.end = rows.begin;
    } else {
        x += (top + rows.begin) * x_row + (left + columns.begin) * channels;
    }
    for (int32_t c = 0; c < channels; c++) {
        int32_t acc = ekw_depthwise_channel(x + c, node->weight + c * filter_bytes, rows.begin * w_row, rows, columns,
                                            channels, x_row, w_row, kind);
        output[c] = ekw_requantize(&node->requant, acc, c, kind.rule);
    }
}

EKW_BODY void ekw_depthwise_conv2d(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    for (int32_t row = 0; row < node->out_shape.height; row++) {
        const int32_t top = row * node->stride[0] - node->pad[0];
        for (int32_t column = 0; column < node->out_shape.width; column++) {
            ekw_depthwise_pixel(node, input, output, top, column * node->stride[1] - node->pad[2], kind);
            output += node->out_shape.channels;
        }
    }
}

#endif
