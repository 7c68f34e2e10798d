/* Convolution with any kernel, stride and padding. The taps of one kernel row are one run of bytes in
 * the input and of weights in the filter, so a 1x1 convolution is a single dot product per output. */
#ifndef EKW_CONV2D_H
#define EKW_CONV2D_H

#include "kernels/weights.h"

typedef struct {
    ekw_taps rows;
    ekw_taps columns;
    const uint8_t *origin; /* of the first tap inside the input */
} ekw_conv2d_window;

EKW_BODY ekw_conv2d_window ekw_conv2d_window_at(const ekw_node *node, const uint8_t *input, int32_t row, int32_t column) {
    int32_t top = row * node->stride[0] - node->pad[0];
    int32_t left = column * node->stride[1] - node->pad[2];
    ekw_conv2d_window at = {ekw_inside(top, node->kernel[0], node->in_shape.height),
                 ekw_inside(left, node->kernel[1], node->in_shape.width), input};
    if (at.rows.begin == at.rows.end || at.columns.begin == at.columns.end) {
        at.rows.end = at.rows.begin;
        return at;
    }
    int32_t pixel = (top + at.rows.begin) * node->in_shape.width + left + at.columns.begin;
    at.origin = input + pixel * node->in_shape.channels;
    return at;
}

EKW_BODY void ekw_conv2d_pixel(const ekw_node *node, const ekw_conv2d_window *at, uint8_t *output, ekw_case kind) {
    const int32_t c_in = node->in_shape.channels, c_out = node->out_shape.channels;
    const int32_t filter_row = node->kernel[1] * c_in;
    const int32_t filter_bytes = ekw_filter_bytes(node->kernel[0] * filter_row, kind.weight_bits);
    const int32_t input_row = node->in_shape.width * c_in;
    const int32_t run = (at->columns.end - at->columns.begin) * c_in;
    const int32_t rows = at->rows.end - at->rows.begin;
    const int32_t skipped = at->rows.begin * filter_row + at->columns.begin * c_in;
    int32_t c = 0;
    for (; c + 4 <= c_out; c += 4) {
        int32_t acc[4] = {0, 0, 0, 0};
        for (int32_t k = 0; k < rows; k++) {
            const ekw_weights w =
                ekw_weights_from(node->weight + c * filter_bytes, skipped + k * filter_row, kind.weight_bits);
            ekw_dot4(acc, at->origin + k * input_row, w, filter_bytes, run, kind);
        }
        for (int32_t i = 0; i < 4; i++) {
            output[c + i] = ekw_requantize(&node->requant, acc[i], c + i, kind.rule);
        }
    }
    for (; c < c_out; c++) {
        int32_t acc = 0;
        for (int32_t k = 0; k < rows; k++) {
            const ekw_weights w =
                ekw_weights_from(node->weight + c * filter_bytes, skipped + k * filter_row, kind.weight_bits);
            acc += ekw_dot(at->origin + k * input_row, w, run, kind);
        }
        output[c] = ekw_requantize(&node->requant, acc, c, kind.rule);
    }
}

EKW_BODY void ekw_conv2d(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    for (int32_t row = 0; row < node->out_shape.height; row++) {
        for (int32_t column = 0; column < node->out_shape.width; column++) {
            const ekw_conv2d_window at = ekw_conv2d_window_at(node, input, row, column);
            ekw_conv2d_pixel(node, &at, output, kind);
            output += node->out_shape.channels;
        }
    }
}

#endif
