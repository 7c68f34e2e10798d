/* A matrix of 8-bit weights times one row of one column, whose channels are a multiple of eight. Cores that have no code
 * of their own for it compute it as any other. */
#ifndef EKW_STREAM_LINEAR_ROW_H
#define EKW_STREAM_LINEAR_ROW_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_DSP
#include "kernels/cores/dsp_row.h"
#else
#include "kernels/linear.h"

EKW_BODY void ekw_linear_row(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                             ekw_case kind) {
    ekw_linear(node, input, output, scratch, kind);
}
#endif

#endif
