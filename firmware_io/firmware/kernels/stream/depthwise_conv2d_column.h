/* depthwise_conv2d_row.h for rows of one column, whose channels are neighbours. The weights are in the order of the core
 * (edgekws/emit/c/stream/column.py). */
#ifndef EKW_STREAM_DEPTHWISE_CONV2D_COLUMN_H
#define EKW_STREAM_DEPTHWISE_CONV2D_COLUMN_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_DSP
#include "kernels/cores/dsp_column.h"
#else
#include "kernels/stream/depthwise_conv2d_row.h"

EKW_BODY void ekw_depthwise_conv2d_column(const ekw_node *node, const uint8_t *input, uint8_t *output,
                                          ekw_scratch scratch, ekw_case kind) {
    ekw_depthwise_conv2d_row(node, input, output, scratch, kind);
}
#endif

#endif
