/* A matrix times the whole input, which is read in the order channel, height, width. */
#ifndef EKW_LINEAR_H
#define EKW_LINEAR_H

#include "kernels/cores/select.h"

/* Compiled for either sign, in general nodes too. That is faster, and gcc 12 makes wrong code of a product whose sign
 * is known at run time only: it takes vpdpbusd for both (-O3 -march=icelake-server). */
EKW_BODY int32_t ekw_dot_of(const uint8_t *input, const int8_t *filter, int32_t length, ekw_case kind) {
    const ekw_case s8 = {.is_signed = true, .weight_bits = kind.weight_bits, .rule = kind.rule};
    const ekw_case u8 = {.is_signed = false, .weight_bits = kind.weight_bits, .rule = kind.rule};
    return kind.is_signed ? ekw_dot(input, filter, length, s8) : ekw_dot(input, filter, length, u8);
}

EKW_BODY void ekw_linear(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                         ekw_case kind) {
    (void)scratch;
    const int32_t length = node->in_shape.height * node->in_shape.width * node->in_shape.channels;
    const int32_t stride = ekw_filter_stride(length, kind.weight_bits);
    const int8_t *filter = node->weight;
    for (int32_t c = 0; c < node->out_shape.channels; c++, filter += stride) {
        const int32_t acc = ekw_dot_of(input, filter, length, kind);
        output[c] = ekw_requantize(&node->requant, acc, c, kind);
    }
}

#endif
