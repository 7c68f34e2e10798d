/* The mean of each channel within a window, which lies wholly inside the input. Halves are rounded away from the zero
 * of the stored int8, which is 128 where outputs are unsigned: as TFLite and CMSIS-NN round the mean of stored bytes. */
#ifndef EKW_AVERAGE_POOL_H
#define EKW_AVERAGE_POOL_H

#include "kernels/inner.h"

EKW_BODY int32_t ekw_window_sum(const ekw_node *node, const uint8_t *corner, bool is_signed) {
    int32_t sum = 0;
    for (int32_t row = 0; row < node->kernel[0]; row++, corner += node->in_shape.width) {
        for (int32_t column = 0; column < node->kernel[1]; column++) {
            sum += ekw_at(corner, column, is_signed);
        }
    }
    return sum;
}

EKW_BODY int32_t ekw_rounded_mean(int32_t sum, int32_t count, int32_t zero) {
    int32_t floor = sum / count, rest = sum % count;
    if (rest < 0) {
        floor--;
        rest += count;
    }
    const bool is_up = rest > count - rest || (rest == count - rest && floor >= zero);
    return floor + (is_up ? 1 : 0);
}

EKW_BODY void ekw_average_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                               ekw_case kind) {
    (void)scratch;
    const int32_t width = node->in_shape.width, plane = node->in_shape.height * width;
    const int32_t count = node->kernel[0] * node->kernel[1], zero = node->requant.lo < 0 ? 0 : 128;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += plane) {
        for (int32_t row = 0; row < node->out_shape.height; row++) {
            const uint8_t *corner = input + row * node->stride[0] * width;
            for (int32_t column = 0; column < node->out_shape.width; column++, corner += node->stride[1]) {
                const int32_t sum = ekw_window_sum(node, corner, kind.is_signed);
                *output++ = ekw_clip(&node->requant, ekw_rounded_mean(sum, count, zero));
            }
        }
    }
}

#endif
