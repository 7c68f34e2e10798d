/* The inner loops in C11: bytes and 32-bit sums, two pixels and two filters at a time.
 *
 *     packed pixels      [pixels][taps] bytes
 *     unpacked filters   [filters][taps] int8; weights of 8 bits are read from where they are
 *     padded plane       [rows][columns] bytes */
#ifndef EKW_CORE_PORTABLE_H
#define EKW_CORE_PORTABLE_H

#include "kernels/panel.h"
#include "kernels/weights.h"

#define EKW_PIXELS_STEP 2
#define EKW_FILTERS_STEP 2
#define EKW_STAGE_BYTES 0

/* For loops that -O2 leaves alone. */
#ifdef __clang__
#define EKW_UNROLL _Pragma("unroll 4")
#else
#define EKW_UNROLL _Pragma("GCC unroll 4")
#endif

EKW_BODY int32_t ekw_pixel_bytes(int32_t taps) {
    return taps;
}

EKW_BODY int32_t ekw_filter_bytes(int32_t taps, int32_t bits) {
    return bits == 8 ? 0 : taps;
}

EKW_BODY void ekw_pack_tap(uint8_t *packed, int32_t taps, int32_t slot, int32_t tap, int32_t value) {
    packed[slot * taps + tap] = (uint8_t)value;
}

EKW_BODY void ekw_pack_end(uint8_t *packed, int32_t taps, int32_t slot) {
    (void)packed, (void)taps, (void)slot;
}

EKW_BODY void ekw_pack_pointwise(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                                 ekw_case kind) {
    (void)kind;
    for (int32_t i = 0; i < count; i++, input++) {
        const uint8_t *x = input;
        for (int32_t c = 0; c < channels; c++, x += plane) {
            *packed++ = *x;
        }
    }
}

EKW_BODY bool ekw_pack_windows(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                               int32_t count, ekw_case kind) {
    (void)node, (void)input, (void)packed, (void)first, (void)count, (void)kind;
    return false;
}

EKW_BODY void ekw_unpack(uint8_t *unpacked, const ekw_node *node, int32_t first, int32_t filters, ekw_case kind) {
    const int32_t bits = kind.weight_bits, taps = node->kernel[0] * node->kernel[1] * node->in_shape.channels;
    const int32_t stride = ekw_filter_stride(taps, bits);
    const int8_t *weights = node->weight + first * stride;
    for (int32_t f = 0; f < filters; f++, weights += stride) {
        for (int32_t k = 0; k < taps; k++) {
            *unpacked++ = (uint8_t)ekw_weight(weights, k, bits);
        }
    }
}

EKW_BODY void ekw_prepare_stages(uint8_t *stages, const ekw_node *node, int32_t taps, ekw_case kind) {
    (void)stages, (void)node, (void)taps, (void)kind;
}

EKW_BODY void ekw_store(const ekw_node *node, const ekw_panel *panel, int32_t filter, int32_t pixel, int32_t acc,
                        ekw_case kind) {
    const int32_t channel = panel->first_filter + filter;
    panel->output[filter * panel->plane + pixel] = ekw_requantize(&node->requant, acc, channel, kind.rule);
}

/* Two pixels, two filters. */
EKW_BODY void ekw_square(const ekw_node *node, const ekw_panel *panel, int32_t f, int32_t p, ekw_case kind) {
    const int32_t taps = panel->taps;
    const uint8_t *x0 = panel->pixels + p * taps, *x1 = x0 + taps;
    const int8_t *w0 = (const int8_t *)panel->filters + f * taps, *w1 = w0 + taps;
    int32_t acc00 = 0, acc01 = 0, acc10 = 0, acc11 = 0;
    EKW_UNROLL
    for (int32_t k = 0; k < taps; k++) {
        const int32_t a = ekw_at(x0, k, kind.is_signed), b = ekw_at(x1, k, kind.is_signed);
        acc00 += a * w0[k];
        acc01 += b * w0[k];
        acc10 += a * w1[k];
        acc11 += b * w1[k];
    }
    ekw_store(node, panel, f, p, acc00, kind);
    ekw_store(node, panel, f, p + 1, acc01, kind);
    ekw_store(node, panel, f + 1, p, acc10, kind);
    ekw_store(node, panel, f + 1, p + 1, acc11, kind);
}

EKW_BODY void ekw_single(const ekw_node *node, const ekw_panel *panel, int32_t f, int32_t p, ekw_case kind) {
    const uint8_t *x = panel->pixels + p * panel->taps;
    const int8_t *w = (const int8_t *)panel->filters + f * panel->taps;
    int32_t acc = 0;
    for (int32_t k = 0; k < panel->taps; k++) {
        acc += ekw_at(x, k, kind.is_signed) * w[k];
    }
    ekw_store(node, panel, f, p, acc, kind);
}

EKW_BODY void ekw_panel_run(const ekw_node *node, const ekw_panel *panel, ekw_case kind) {
    const int32_t pixels = panel->pixel_count & ~1, filters = panel->filter_count & ~1;
    for (int32_t f = 0; f < filters; f += 2) {
        for (int32_t p = 0; p < pixels; p += 2) {
            ekw_square(node, panel, f, p, kind);
        }
        if (pixels < panel->pixel_count) {
            ekw_single(node, panel, f, pixels, kind);
            ekw_single(node, panel, f + 1, pixels, kind);
        }
    }
    for (int32_t p = 0; filters < panel->filter_count && p < panel->pixel_count; p++) {
        ekw_single(node, panel, filters, p, kind);
    }
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, const int8_t *filter, int32_t length, ekw_case kind) {
    int32_t acc = 0;
    for (int32_t k = 0; k < length; k++) {
        acc += ekw_at(x, k, kind.is_signed) * ekw_weight(filter, k, kind.weight_bits);
    }
    return acc;
}

EKW_BODY int32_t ekw_sum(const uint8_t *x, int32_t count, ekw_case kind) {
    int32_t acc = 0;
    for (int32_t i = 0; i < count; i++) {
        acc += ekw_at(x, i, kind.is_signed);
    }
    return acc;
}

typedef struct {
    int8_t *weights;
    uint8_t *bytes; /* of the padded plane */
    int32_t rows;
    int32_t columns;
} ekw_plane;

EKW_BODY ekw_plane ekw_plane_of(const ekw_node *node, uint8_t *scratch) {
    const int32_t taps = ekw_round_up(node->kernel[0] * node->kernel[1], EKW_ALIGNMENT);
    return (ekw_plane){(int8_t *)scratch, scratch + taps, node->in_shape.height + node->pad[0] + node->pad[1],
                       node->in_shape.width + node->pad[2] + node->pad[3]};
}

EKW_BODY void ekw_plane_clear(const ekw_plane *plane) {
    for (int32_t i = 0; i < plane->rows * plane->columns; i++) {
        plane->bytes[i] = 0;
    }
}

EKW_BODY void ekw_plane_fill(const ekw_node *node, const ekw_plane *plane, const uint8_t *input, ekw_case kind) {
    (void)kind;
    uint8_t *row = plane->bytes + node->pad[0] * plane->columns + node->pad[2];
    for (int32_t i = 0; i < node->in_shape.height; i++, row += plane->columns) {
        for (int32_t j = 0; j < node->in_shape.width; j++) {
            row[j] = *input++;
        }
    }
}

EKW_BODY void ekw_plane_weights(const ekw_plane *plane, const int8_t *filter, int32_t taps, ekw_case kind) {
    for (int32_t k = 0; k < taps; k++) {
        plane->weights[k] = (int8_t)ekw_weight(filter, k, kind.weight_bits);
    }
}

EKW_BODY int32_t ekw_plane_sum(const ekw_node *node, const ekw_plane *plane, const uint8_t *corner, ekw_case kind) {
    const int8_t *w = plane->weights;
    int32_t acc = 0;
    for (int32_t i = 0; i < node->kernel[0]; i++, corner += plane->columns) {
        for (int32_t j = 0; j < node->kernel[1]; j++) {
            acc += ekw_at(corner, j, kind.is_signed) * *w++;
        }
    }
    return acc;
}

EKW_BODY int32_t ekw_plane_sum3x3(const ekw_plane *plane, const uint8_t *corner, ekw_case kind) {
    const int8_t *w = plane->weights;
    const uint8_t *second = corner + plane->columns, *third = second + plane->columns;
    int32_t acc = ekw_at(corner, 0, kind.is_signed) * w[0] + ekw_at(corner, 1, kind.is_signed) * w[1];
    acc += ekw_at(corner, 2, kind.is_signed) * w[2] + ekw_at(second, 0, kind.is_signed) * w[3];
    acc += ekw_at(second, 1, kind.is_signed) * w[4] + ekw_at(second, 2, kind.is_signed) * w[5];
    acc += ekw_at(third, 0, kind.is_signed) * w[6] + ekw_at(third, 1, kind.is_signed) * w[7];
    return acc + ekw_at(third, 2, kind.is_signed) * w[8];
}

EKW_BODY void ekw_plane_run(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                            ekw_case kind) {
    const bool is_3x3 = node->kernel[0] == 3 && node->kernel[1] == 3;
    const uint8_t *row = plane->bytes;
    for (int32_t i = 0; i < node->out_shape.height; i++, row += node->stride[0] * plane->columns) {
        const uint8_t *corner = row;
        for (int32_t j = 0; j < node->out_shape.width; j++, corner += node->stride[1]) {
            const int32_t acc =
                is_3x3 ? ekw_plane_sum3x3(plane, corner, kind) : ekw_plane_sum(node, plane, corner, kind);
            *output++ = ekw_requantize(&node->requant, acc, channel, kind.rule);
        }
    }
}

#endif
