/* A matrix times the whole input, which is read in the order height, width, channel. */
#include "kernels/inner.h"

EKW_BODY void linear(const ekw_node *node, const uint8_t *input, uint8_t *output, bool is_signed) {
    const int32_t length = node->in_shape.height * node->in_shape.width * node->in_shape.channels;
    const int32_t outputs = node->out_shape.channels;
    int32_t c = 0;
    for (; c + 4 <= outputs; c += 4) {
        int32_t acc[4] = {0, 0, 0, 0};
        ekw_dot4(acc, input, node->weight + c * length, length, length, is_signed);
        for (int32_t i = 0; i < 4; i++) {
            output[c + i] = ekw_requantize(&node->requant, acc[i], c + i);
        }
    }
    for (; c < outputs; c++) {
        output[c] = ekw_requantize(&node->requant, ekw_dot(input, node->weight + c * length, length, is_signed), c);
    }
}

void ekw_linear_s8(const ekw_node *node, const int8_t *input, uint8_t *output) {
    linear(node, (const uint8_t *)input, output, true);
}

void ekw_linear_u8(const ekw_node *node, const uint8_t *input, uint8_t *output) {
    linear(node, input, output, false);
}
