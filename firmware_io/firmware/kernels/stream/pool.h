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

/* The sum of a row of one channel; that of the DS-CNN's five columns without a loop. */
EKW_BODY int32_t ekw_row_sum(const uint8_t *x, int32_t width, ekw_case kind) {
    return width == 5 ? ekw_sum(x, 5, kind) : ekw_sum(x, width, kind);
}

/* Adds the sums of a row [channels][width], and subtracts those that they replace in the ring. */
EKW_BODY void ekw_pool_add(int32_t *totals, uint8_t *slots, const uint8_t *x, int32_t channels, int32_t width,
                           bool is_short, ekw_case kind) {
    int16_t *halves = (int16_t *)(void *)slots;
    int32_t *words = (int32_t *)(void *)slots;
    for (int32_t c = 0; c < channels; c++, x += width) {
        const int32_t sum = ekw_row_sum(x, width, kind), leaving = is_short ? halves[c] : words[c];
        totals[c] += sum - leaving;
        if (is_short) {
            halves[c] = (int16_t)sum;
        } else {
            words[c] = sum;
        }
    }
}

/* A copy of the requantization: bytes that are stored might be it, as far as the compiler knows. */
EKW_BODY void ekw_pool_scale(ekw_requant requant, const int32_t *totals, uint8_t *output, int32_t channels) {
    const uint8_t *mult = (const uint8_t *)requant.mult;
    for (int32_t c = 0; c < channels; c++) {
        output[c] = ekw_clip(&requant, ((totals[c] + requant.offset[c]) * mult[c]) >> requant.shift[c]);
    }
}

/* One row [channels][width]. is_mean: of the whole ring, halves as average_pool.h rounds them. */
EKW_BODY void ekw_pool_row(const ekw_node *node, const uint8_t *input, uint8_t *output, uint8_t *state, bool is_mean,
                           ekw_case kind) {
    const int32_t rows = node->in_shape.height, width = node->in_shape.width, channels = node->in_shape.channels;
    const int32_t bytes = EKW_POOL_SUM_BYTES(node), zero = node->requant.lo < 0 ? 0 : 128;
    int32_t *totals = (int32_t *)(void *)state, *place = totals + channels;
    uint8_t *slots = (uint8_t *)(place + 1) + *place * channels * bytes;
    *place = *place + 1 < rows ? *place + 1 : 0;
    if (bytes == 2) {
        ekw_pool_add(totals, slots, input, channels, width, true, kind);
    } else {
        ekw_pool_add(totals, slots, input, channels, width, false, kind);
    }
    if (kind.rule == EKW_SHIFT && !is_mean) {
        ekw_pool_scale(node->requant, totals, output, channels);
        return;
    }
    for (int32_t c = 0; c < channels; c++) {
        output[c] = is_mean ? ekw_clip(&node->requant, ekw_rounded_mean(totals[c], rows * width, zero))
                            : ekw_requantize(&node->requant, totals[c], c, kind);
    }
}

#endif
