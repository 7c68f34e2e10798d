/* The running form of average_pool.h where its window is the whole input. scratch: the state. */
#ifndef EKW_STREAM_AVERAGE_POOL_ROW_H
#define EKW_STREAM_AVERAGE_POOL_ROW_H

#include "kernels/stream/pool.h"

EKW_BODY void ekw_average_pool_row(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                                   ekw_case kind) {
    ekw_pool_row(node, input, output, scratch.bytes, true, kind);
}

#endif
