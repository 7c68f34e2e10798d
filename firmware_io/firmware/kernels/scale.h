/* The stage alone, at every position. */
#ifndef EKW_SCALE_H
#define EKW_SCALE_H

#include "kernels/inner.h"

EKW_BODY void ekw_scale(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t channels = node->in_shape.channels, pixels = node->in_shape.height * node->in_shape.width;
    for (int32_t pixel = 0; pixel < pixels; pixel++, input += channels, output += channels) {
        for (int32_t c = 0; c < channels; c++) {
            output[c] = ekw_requantize(&node->requant, ekw_at(input, c, kind.is_signed), c, kind.rule);
        }
    }
}

#endif
