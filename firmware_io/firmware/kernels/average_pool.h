/* The mean of each channel within a window, of the positions inside the input; only windows of general nodes have
 * others. Halves are rounded away from the zero
 * of the stored int8, which is 128 where outputs are unsigned: as TFLite and CMSIS-NN round the mean of stored bytes. */
#ifndef EKW_AVERAGE_POOL_H
#define EKW_AVERAGE_POOL_H

#include "kernels/cores/select.h"

EKW_BODY int32_t ekw_window_sum(const ekw_node *node, const uint8_t *corner, ekw_case kind) {
    if (node->kernel[1] == node->in_shape.width) {
        return ekw_sum(corner, node->kernel[0] * node->kernel[1], kind);
    }
    int32_t sum = 0;
    for (int32_t row = 0; row < node->kernel[0]; row++, corner += node->in_shape.width) {
        for (int32_t column = 0; column < node->kernel[1]; column++) {
            sum += ekw_at(corner, column, kind.is_signed);
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

/* top, left: where the window begins, which may be in the padding. */
EKW_BODY int32_t ekw_mean_inside(const ekw_node *node, const uint8_t *plane, int32_t top, int32_t left, int32_t zero,
                                 ekw_case kind) {
    const ekw_taps rows = ekw_inside(top, node->kernel[0], node->in_shape.height);
    const ekw_taps columns = ekw_inside(left, node->kernel[1], node->in_shape.width);
    int32_t sum = 0;
    for (int32_t i = top + rows.begin; i < top + rows.end; i++) {
        for (int32_t j = left + columns.begin; j < left + columns.end; j++) {
            sum += ekw_at(plane, i * node->in_shape.width + j, kind.is_signed);
        }
    }
    return ekw_rounded_mean(sum, (rows.end - rows.begin) * (columns.end - columns.begin), zero);
}

EKW_BODY void ekw_average_pool_padded(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_case kind) {
    const int32_t plane = node->in_shape.height * node->in_shape.width, zero = node->requant.lo < 0 ? 0 : 128;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += plane) {
        for (int32_t row = 0; row < node->out_shape.height; row++) {
            const int32_t top = row * node->stride[0] - node->pad[0];
            for (int32_t column = 0; column < node->out_shape.width; column++) {
                const int32_t left = column * node->stride[1] - node->pad[2];
                *output++ = ekw_clip(&node->requant, ekw_mean_inside(node, input, top, left, zero, kind));
            }
        }
    }
}

EKW_BODY void ekw_average_pool(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                               ekw_case kind) {
    (void)scratch;
    if (kind.general) {
        ekw_average_pool_padded(node, input, output, kind);
        return;
    }
    const int32_t width = node->in_shape.width, plane = node->in_shape.height * width;
    const int32_t count = node->kernel[0] * node->kernel[1], zero = node->requant.lo < 0 ? 0 : 128;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += plane) {
        for (int32_t row = 0; row < node->out_shape.height; row++) {
            const uint8_t *corner = input + row * node->stride[0] * width;
            for (int32_t column = 0; column < node->out_shape.width; column++, corner += node->stride[1]) {
                const int32_t sum = ekw_window_sum(node, corner, kind);
                *output++ = ekw_clip(&node->requant, ekw_rounded_mean(sum, count, zero));
            }
        }
    }
}

#endif
