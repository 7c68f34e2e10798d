/* The same values in the order height, width, channels, in another shape; both tensors are [channels][plane]. Where the
 * channels of one divide those of the other, this is a copy (copy.h). */
#ifndef EKW_RESHAPE_H
#define EKW_RESHAPE_H

#include "kernels/bytes.h"

typedef struct {
    int32_t count;
    int32_t in_channels;
    int32_t in_plane;
    int32_t out_channels;
    int32_t out_plane;
    int32_t flip;
    int32_t lo;
    int32_t hi;
} ekw_reshape_node;

EKW_BODY void ekw_reshape(const ekw_reshape_node *node, const uint8_t *input, uint8_t *output) {
    const int32_t in_size = node->in_channels * node->in_plane, out_size = node->out_channels * node->out_plane;
    int32_t from = 0, to = 0;
    for (int32_t i = 0; i < node->count; i++) {
        output[to] = ekw_limited(input[from], node->flip, node->lo, node->hi);
        from += node->in_plane;
        from = from < in_size ? from : from - in_size + 1;
        to += node->out_plane;
        to = to < out_size ? to : to - out_size + 1;
    }
}

#endif
