/* One row of a depthwise convolution over the rows of a stream, [rows][channels][width], without padding in time. */
#ifndef EKW_STREAM_DEPTHWISE_CONV2D_ROW_H
#define EKW_STREAM_DEPTHWISE_CONV2D_ROW_H

#include "kernels/cores/select.h"

#if EKW_CORE == EKW_DSP
#include "kernels/cores/dsp_row3x3.h"
#endif

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

EKW_BODY void ekw_depthwise_conv2d_row(const ekw_node *node, const uint8_t *input, uint8_t *output,
                                       ekw_scratch scratch, ekw_case kind) {
    (void)scratch;
#if EKW_CORE == EKW_DSP
    if (ekw_row_shortcut(node, input, output, kind)) {
        return;
    }
#endif
    const int32_t stride = ekw_filter_stride(node->kernel[0] * node->kernel[1], kind.weight_bits);
    const int8_t *filter = node->weight;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += node->in_shape.width, filter += stride) {
        for (int32_t j = 0; j < node->out_shape.width; j++) {
            const int32_t acc = ekw_row_window(node, input, filter, j * node->stride[1] - node->pad[2], kind);
            *output++ = ekw_requantize(&node->requant, acc, c, kind);
        }
    }
}

#endif
