/* One filter per channel, with any kernel, stride and padding. A channel is copied with its padding, in the
 * core's own format, before its output is written.
 *
 *     scratch: unpacked taps | padded plane */
#ifndef EKW_DEPTHWISE_CONV2D_H
#define EKW_DEPTHWISE_CONV2D_H

#include "kernels/cores/select.h"

EKW_DRIVER void ekw_depthwise_conv2d_run(const ekw_node *node, const uint8_t *input, uint8_t *output,
                                         ekw_scratch scratch, bool is_signed, int32_t bits, ekw_rule rule,
                                         const ekw_general *general) {
    const ekw_case kind = {.is_signed = is_signed, .weight_bits = bits, .rule = rule, .general = general};
    const int32_t in_plane = node->in_shape.height * node->in_shape.width;
    const int32_t out_plane = node->out_shape.height * node->out_shape.width;
    const int32_t taps = node->kernel[0] * node->kernel[1];
    const int32_t stride = ekw_filter_stride(taps, kind.weight_bits);
    const ekw_plane plane = ekw_plane_of(node, scratch.bytes, kind);
    ekw_plane_clear(&plane, kind);
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += in_plane, output += out_plane) {
        ekw_plane_fill(node, &plane, input, kind);
        ekw_plane_weights(&plane, node->weight + c * stride, taps, kind);
        ekw_plane_run(node, &plane, c, output, kind);
    }
}

EKW_BODY void ekw_depthwise_conv2d(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                                   ekw_case kind) {
#ifdef EKW_HAS_SHORTCUT
    if (ekw_depthwise_shortcut(node, input, output, scratch.bytes, kind)) {
        return;
    }
#endif
    ekw_depthwise_conv2d_run(node, input, output, scratch, kind.is_signed, kind.weight_bits, kind.rule,
                             kind.general);
}

#endif
