/* Global pools over the last rows of a stream: the sum of a new row is added to a running total, and that of the row
 * that leaves is subtracted. Exact in 32 bits, as Graph.check proves of the pool over a clip. Rows before the stream
 * are 0.
 *
 *     state: total int32 [channels] | place in the ring, int32 | ring of row sums [rows][channels], int16 or int32 */
#ifndef EKW_STREAM_POOL_H
#define EKW_STREAM_POOL_H

#include "kernels/average_pool.h"
#include "kernels/cores/select.h"
#include "kernels/sizes.h"

/* Bytes of one row sum. */
#define EKW_POOL_SUM_BYTES(node) EKW_IF((node)->in_shape.width * 255 < 32768, 2, 4)
#define EKW_POOL_STATE_BYTES(node)                                                                           \
    ((node)->in_shape.channels * 4 + 4 +                                                                     \
     (node)->in_shape.height * (node)->in_shape.channels * EKW_POOL_SUM_BYTES(node))

/* The new total of a channel. slot: its place in the ring. */
EKW_BODY int32_t ekw_pool_add(int32_t *total, uint8_t *slot, int32_t sum, bool is_short) {
    int32_t leaving;
    if (is_short) {
        leaving = *(int16_t *)(void *)slot;
        *(int16_t *)(void *)slot = (int16_t)sum;
    } else {
        leaving = *(int32_t *)(void *)slot;
        *(int32_t *)(void *)slot = sum;
    }
    *total += sum - leaving;
    return *total;
}

/* One row [channels][width]. is_mean: of the whole ring, halves as average_pool.h rounds them. */
EKW_BODY void ekw_pool_row(const ekw_node *node, const uint8_t *input, uint8_t *output, uint8_t *state, bool is_mean,
                           ekw_case kind) {
    const int32_t rows = node->in_shape.height, width = node->in_shape.width, channels = node->in_shape.channels;
    const int32_t bytes = EKW_POOL_SUM_BYTES(node), zero = node->requant.lo < 0 ? 0 : 128;
    int32_t *totals = (int32_t *)(void *)state, *place = totals + channels;
    uint8_t *slot = (uint8_t *)(place + 1) + *place * channels * bytes;
    *place = *place + 1 < rows ? *place + 1 : 0;
    for (int32_t c = 0; c < channels; c++, input += width, slot += bytes) {
        const int32_t total = ekw_pool_add(totals + c, slot, ekw_sum(input, width, kind), bytes == 2);
        output[c] = is_mean ? ekw_clip(&node->requant, ekw_rounded_mean(total, rows * width, zero))
                            : ekw_requantize(&node->requant, total, c, kind);
    }
}

#endif
