/* Only requantization, at every position. */
#ifndef EKW_SCALE_H
#define EKW_SCALE_H

#include "kernels/inner.h"

EKW_BODY void ekw_scale(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                        ekw_case kind) {
    (void)scratch;
    const int32_t plane = node->in_shape.height * node->in_shape.width;
    for (int32_t c = 0; c < node->in_shape.channels; c++) {
        for (int32_t i = 0; i < plane; i++) {
            *output++ = ekw_requantize(&node->requant, ekw_at(input++, 0, kind.is_signed), c, kind);
        }
    }
}

#endif
