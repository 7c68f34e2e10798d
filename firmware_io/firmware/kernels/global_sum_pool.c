/* The sum over height and width of each channel; dividing is the business of the scale and shift. */
#include "kernels/inner.h"

EKW_BODY void pool(const ekw_node *node, const uint8_t *input, uint8_t *output, bool is_signed) {
    const int32_t channels = node->in_shape.channels;
    const int32_t bytes = node->in_shape.height * node->in_shape.width * channels;
    for (int32_t c = 0; c < channels; c++) {
        int32_t acc = 0;
        for (int32_t i = c; i < bytes; i += channels) {
            acc += ekw_at(input, i, is_signed);
        }
        output[c] = ekw_requantize(&node->requant, acc, c);
    }
}

void ekw_global_sum_pool_s8(const ekw_node *node, const int8_t *input, uint8_t *output) {
    pool(node, (const uint8_t *)input, output, true);
}

void ekw_global_sum_pool_u8(const ekw_node *node, const uint8_t *input, uint8_t *output) {
    pool(node, input, output, false);
}
