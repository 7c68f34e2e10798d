/* Convolution with any kernel, stride and padding. The taps of one kernel row are one run of bytes in
 * the input and in the filter, so a 1x1 convolution is a single dot product per output. */
#include "kernels/inner.h"

typedef struct {
    ekw_taps rows;
    ekw_taps columns;
    const uint8_t *origin; /* of the first tap inside the input */
} window;

EKW_BODY window window_at(const ekw_node *node, const uint8_t *input, int32_t row, int32_t column) {
    int32_t top = row * node->stride[0] - node->pad[0];
    int32_t left = column * node->stride[1] - node->pad[2];
    window at = {ekw_inside(top, node->kernel[0], node->in_shape.height),
                 ekw_inside(left, node->kernel[1], node->in_shape.width), input};
    if (at.rows.begin == at.rows.end || at.columns.begin == at.columns.end) {
        at.rows.end = at.rows.begin;
        return at;
    }
    int32_t pixel = (top + at.rows.begin) * node->in_shape.width + left + at.columns.begin;
    at.origin = input + pixel * node->in_shape.channels;
    return at;
}

EKW_BODY void one_pixel(const ekw_node *node, const window *at, uint8_t *output, bool is_signed) {
    const int32_t c_in = node->in_shape.channels, c_out = node->out_shape.channels;
    const int32_t filter_row = node->kernel[1] * c_in, filter_bytes = node->kernel[0] * filter_row;
    const int32_t input_row = node->in_shape.width * c_in;
    const int32_t run = (at->columns.end - at->columns.begin) * c_in;
    const int32_t rows = at->rows.end - at->rows.begin;
    const int32_t skipped = at->rows.begin * filter_row + at->columns.begin * c_in;
    int32_t c = 0;
    for (; c + 4 <= c_out; c += 4) {
        int32_t acc[4] = {0, 0, 0, 0};
        for (int32_t k = 0; k < rows; k++) {
            const int8_t *w = node->weight + c * filter_bytes + skipped + k * filter_row;
            ekw_dot4(acc, at->origin + k * input_row, w, filter_bytes, run, is_signed);
        }
        for (int32_t i = 0; i < 4; i++) {
            output[c + i] = ekw_requantize(&node->requant, acc[i], c + i);
        }
    }
    for (; c < c_out; c++) {
        int32_t acc = 0;
        for (int32_t k = 0; k < rows; k++) {
            const int8_t *w = node->weight + c * filter_bytes + skipped + k * filter_row;
            acc += ekw_dot(at->origin + k * input_row, w, run, is_signed);
        }
        output[c] = ekw_requantize(&node->requant, acc, c);
    }
}

EKW_BODY void conv2d(const ekw_node *node, const uint8_t *input, uint8_t *output, bool is_signed) {
    for (int32_t row = 0; row < node->out_shape.height; row++) {
        for (int32_t column = 0; column < node->out_shape.width; column++) {
            const window at = window_at(node, input, row, column);
            one_pixel(node, &at, output, is_signed);
            output += node->out_shape.channels;
        }
    }
}

void ekw_conv2d_s8(const ekw_node *node, const int8_t *input, uint8_t *output) {
    conv2d(node, (const uint8_t *)input, output, true);
}

void ekw_conv2d_u8(const ekw_node *node, const uint8_t *input, uint8_t *output) {
    conv2d(node, input, output, false);
}
