/* conv2d_row.h for a row of one column, whose channels are neighbours: a matrix times a vector. The weights are in the
 * order of the core (edgekws/emit/c/stream/column.py). */
#ifndef EKW_STREAM_CONV2D_COLUMN_H
#define EKW_STREAM_CONV2D_COLUMN_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_DSP
#include "kernels/cores/dsp_column.h"
#else
#include "kernels/conv2d.h"

EKW_BODY void ekw_conv2d_column(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                                ekw_case kind) {
    ekw_conv2d(node, input, output, scratch, kind);
}
#endif

#endif
