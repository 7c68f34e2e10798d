/* One row of a depthwise convolution over the rows of a stream, [rows][channels][width], without padding in time. */
#ifndef EKW_STREAM_DEPTHWISE_CONV2D_ROW_H
#define EKW_STREAM_DEPTHWISE_CONV2D_ROW_H

#include "kernels/cores/select.h"

/* left: where the window begins, which may be in the padding. */
EKW_BODY int32_t ekw_row_window(const ekw_node *node, const uint8_t *input, const int8_t *filter, int32_t left,
                                ekw_case kind) {
    const int32_t width = node->in_shape.width, step = width * node->in_shape.channels * ekw_dilation(kind, 0);
    const int32_t right = ekw_dilation(kind, 1), pad = ekw_pad_value(kind);
    int32_t acc = 0, tap = 0;
    for (int32_t i = 0; i < node->kernel[0]; i++, input += step) {
        for (int32_t j = 0; j < node->kernel[1]; j++, tap++) {
            const int32_t column = left + j * right;
            const bool is_inside = (uint32_t)column < (uint32_t)width;
            acc += (is_inside ? ekw_at(input, column, kind.is_signed) : pad) * ekw_weight(filter, tap, kind.weight_bits);
        }
    }
    return acc;
}

/* 3x3 windows of stride 1 with a column of padding on each side: a column of three values is read once, for the three
 * windows that it belongs to. sums: of the windows before, around and behind it. */
typedef struct {
    int32_t before;
    int32_t around;
    int32_t behind;
} ekw_row_sums;

EKW_BODY ekw_row_sums ekw_row_column(ekw_row_sums sums, const uint8_t *x, int32_t step, const int32_t *w,
                                     bool is_signed) {
    for (int32_t i = 0; i < 3; i++, x += step, w += 3) {
        const int32_t value = ekw_at(x, 0, is_signed);
        sums.before += value * w[2];
        sums.around += value * w[1];
        sums.behind += value * w[0];
    }
    return sums;
}

EKW_BODY bool ekw_row_is_padded_3x3(const ekw_node *node, ekw_case kind) {
    return ekw_is_3x3(node, kind) && node->stride[1] == 1 && node->pad[2] == 1 && node->pad[3] == 1 &&
           ekw_pad_value(kind) == 0;
}

EKW_BODY void ekw_row_3x3(const ekw_node *node, const uint8_t *input, uint8_t *output, int32_t channel,
                          const int8_t *filter, ekw_case kind) {
    const int32_t width = node->in_shape.width, step = width * node->in_shape.channels;
    int32_t w[9];
    for (int32_t tap = 0; tap < 9; tap++) {
        w[tap] = ekw_weight(filter, tap, kind.weight_bits);
    }
    ekw_row_sums sums = ekw_row_column((ekw_row_sums){0, 0, 0}, input, step, w, kind.is_signed);
    for (int32_t j = 1; j < width; j++) {
        sums = ekw_row_column((ekw_row_sums){sums.around, sums.behind, 0}, input + j, step, w, kind.is_signed);
        *output++ = ekw_requantize(&node->requant, sums.before, channel, kind);
    }
    *output = ekw_requantize(&node->requant, sums.around, channel, kind);
}

EKW_BODY void ekw_depthwise_conv2d_row(const ekw_node *node, const uint8_t *input, uint8_t *output,
                                       ekw_scratch scratch, ekw_case kind) {
    (void)scratch;
    const int32_t stride = ekw_filter_stride(node->kernel[0] * node->kernel[1], kind.weight_bits);
    const int8_t *filter = node->weight;
    const bool is_padded_3x3 = ekw_row_is_padded_3x3(node, kind);
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += node->in_shape.width, filter += stride) {
        if (is_padded_3x3) {
            ekw_row_3x3(node, input, output, c, filter, kind);
            output += node->out_shape.width;
            continue;
        }
        for (int32_t j = 0; j < node->out_shape.width; j++) {
            const int32_t acc = ekw_row_window(node, input, filter, j * node->stride[1] - node->pad[2], kind);
            *output++ = ekw_requantize(&node->requant, acc, c, kind);
        }
    }
}

#endif
