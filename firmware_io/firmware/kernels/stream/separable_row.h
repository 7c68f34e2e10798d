/* A depthwise convolution and the 1x1 convolution that reads its output, for one row: what the rows of a DS-CNN need.
 * between: room for the row between them. */
#ifndef EKW_STREAM_SEPARABLE_ROW_H
#define EKW_STREAM_SEPARABLE_ROW_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_DSP
#include "kernels/cores/dsp_row3x3.h"
#else
#include "kernels/stream/conv2d_row.h"
#include "kernels/stream/depthwise_conv2d_row.h"

EKW_BODY void ekw_separable_row(const ekw_node *depthwise, const ekw_node *pointwise, const uint8_t *input,
                                uint8_t *between, uint8_t *output, ekw_scratch scratch) {
    const ekw_case kind = {.weight_bits = 8, .rule = EKW_SHIFT};
    ekw_depthwise_conv2d_row(depthwise, input, between, scratch, kind);
    ekw_conv2d_row(pointwise, between, output, scratch, kind);
}
#endif

EKW_STATIC __attribute__((noinline)) void ekw_separable_row_u8_w8_shift(const ekw_node *depthwise,
                                                                        const ekw_node *pointwise, const void *input,
                                                                        void *between, void *output,
                                                                        ekw_scratch scratch) {
    ekw_separable_row(depthwise, pointwise, input, between, output, scratch);
}

#endif
