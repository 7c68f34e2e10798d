/* A convolution of 8-bit weights that gives one row, whose filters have a multiple of four taps. Cores that have no
 * code of their own for it compute it as any other. */
#ifndef EKW_STREAM_CONV2D_ROW_H
#define EKW_STREAM_CONV2D_ROW_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_DSP
#include "kernels/cores/dsp_row.h"
#else
#include "kernels/conv2d.h"

EKW_BODY void ekw_conv2d_row(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                             ekw_case kind) {
    ekw_conv2d(node, input, output, scratch, kind);
}
#endif

#endif
