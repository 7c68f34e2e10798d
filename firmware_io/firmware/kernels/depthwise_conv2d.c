/* One filter per channel, with any kernel, stride and padding. */
#include "kernels/inner.h"

EKW_BODY int32_t one_channel(const uint8_t *x, const int8_t *w, ekw_taps rows, ekw_taps columns, int32_t x_step,
                             int32_t x_row, int32_t w_row, bool is_signed) {
    int32_t acc = 0;
    for (int32_t k = rows.begin; k < rows.end; k++, x += x_row, w += w_row) {
        const uint8_t *tap = x;
        for (int32_t i = columns.begin; i < columns.end; i++, tap += x_step) {
            acc += ekw_at(tap, 0, is_signed) * w[i];
        }
    }
    return acc;
}

EKW_BODY void one_pixel(const ekw_node *node, const uint8_t *input, uint8_t *output, int32_t top, int32_t left,
                        bool is_signed) {
    const int32_t channels = node->in_shape.channels;
    const int32_t x_row = node->in_shape.width * channels, w_row = node->kernel[1];
    ekw_taps rows = ekw_inside(top, node->kernel[0], node->in_shape.height);
    const ekw_taps columns = ekw_inside(left, node->kernel[1], node->in_shape.width);
    const uint8_t *x = input;
    const int8_t *w = node->weight;
    if (rows.begin == rows.end || columns.begin == columns.end) {
        rows.end = rows.begin;
    } else {
        x += (top + rows.begin) * x_row + (left + columns.begin) * channels;
        w += rows.begin * w_row;
    }
    for (int32_t c = 0; c < channels; c++) {
        const int8_t *filter = w + c * node->kernel[0] * w_row;
        int32_t acc = one_channel(x + c, filter, rows, columns, channels, x_row, w_row, is_signed);
        output[c] = ekw_requantize(&node->requant, acc, c);
    }
}

EKW_BODY void depthwise(const ekw_node *node, const uint8_t *input, uint8_t *output, bool is_signed) {
    for (int32_t row = 0; row < node->out_shape.height; row++) {
        const int32_t top = row * node->stride[0] - node->pad[0];
        for (int32_t column = 0; column < node->out_shape.width; column++) {
            one_pixel(node, input, output, top, column * node->stride[1] - node->pad[2], is_signed);
            output += node->out_shape.channels;
        }
    }
}

void ekw_depthwise_conv2d_s8(const ekw_node *node, const int8_t *input, uint8_t *output) {
    depthwise(node, (const uint8_t *)input, output, true);
}

void ekw_depthwise_conv2d_u8(const ekw_node *node, const uint8_t *input, uint8_t *output) {
    depthwise(node, input, output, false);
}
