/* The running form of global_sum_pool.h. scratch: the state. */
#ifndef EKW_STREAM_GLOBAL_SUM_POOL_ROW_H
#define EKW_STREAM_GLOBAL_SUM_POOL_ROW_H

#include "kernels/stream/pool.h"

EKW_BODY void ekw_global_sum_pool_row(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                                      ekw_case kind) {
    ekw_pool_row(node, input, output, scratch.bytes, false, kind);
}

#endif
