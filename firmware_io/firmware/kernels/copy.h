/* Bytes to other places: concat, slice, transpose, and most of reshape. Three nested loops with any steps. */
#ifndef EKW_COPY_H
#define EKW_COPY_H

#include "kernels/bytes.h"

typedef struct {
    int32_t count[3]; /* of the loops, the innermost last */
    int32_t in_step[3];
    int32_t out_step[3];
    int32_t in_begin;
    int32_t out_begin;
    int32_t flip;
    int32_t lo;
    int32_t hi;
} ekw_copy_node;

EKW_BODY void ekw_copy_each(const ekw_copy_node *node, const uint8_t *input, uint8_t *output, bool is_clipped) {
    const int32_t in_step = node->in_step[2], out_step = node->out_step[2];
    input += node->in_begin;
    output += node->out_begin;
    for (int32_t i = 0; i < node->count[0]; i++, input += node->in_step[0], output += node->out_step[0]) {
        const uint8_t *from_row = input;
        uint8_t *to_row = output;
        for (int32_t j = 0; j < node->count[1]; j++, from_row += node->in_step[1], to_row += node->out_step[1]) {
            const uint8_t *from = from_row;
            uint8_t *to = to_row;
            for (int32_t k = node->count[2]; k > 0; k--, from += in_step, to += out_step) {
                *to = is_clipped ? ekw_limited(*from, node->flip, node->lo, node->hi) : *from;
            }
        }
    }
}

EKW_BODY void ekw_copy(const ekw_copy_node *node, const uint8_t *input, uint8_t *output) {
    ekw_copy_each(node, input, output, false);
}

EKW_BODY void ekw_copy_clipped(const ekw_copy_node *node, const uint8_t *input, uint8_t *output) {
    ekw_copy_each(node, input, output, true);
}

#endif
