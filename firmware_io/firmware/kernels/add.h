/* The sum of two tensors of one scale; either may be signed. */
#ifndef EKW_ADD_H
#define EKW_ADD_H

#include "kernels/inner.h"

EKW_BODY void ekw_add(const ekw_node *node, const uint8_t *first, const uint8_t *second, uint8_t *output,
                      ekw_case kind) {
    const int32_t count = node->in_shape.height * node->in_shape.width * node->in_shape.channels;
    for (int32_t i = 0; i < count; i++) {
        const int32_t sum = ekw_at(first, i, kind.is_signed) + ekw_at(second, i, kind.is_second_signed);
        output[i] = ekw_clip(&node->requant, sum);
    }
}

#endif
