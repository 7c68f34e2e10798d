/* Convolution with any kernel, stride and padding, as a matrix product: output pixels are packed, the taps of
 * each in the order of a filter, and multiplied with the filters.
 *
 *     scratch: requantization (stages) | unpacked filters | packed pixels
 *
 * With room for all filters these are unpacked once, and pixels are packed in small blocks. With less, pixels
 * are packed in blocks as large as fit, and the filters are unpacked again for each. A block of pixels is
 * read before its outputs are written, so that a 1x1 convolution may write where it reads. */
#ifndef EKW_CONV2D_H
#define EKW_CONV2D_H

#include "kernels/cores/select.h"

/* Scratch with so many filters unpacked and so many pixels packed at once. filters: of the layer, a multiple of
 * EKW_FILTERS_STEP. */
#define EKW_CONV2D_STAGE_BYTES(filters) ((filters) * EKW_STAGE_BYTES + EKW_PACKED_SPARE)
#define EKW_CONV2D_BYTES(taps, bits, filters, filter_block, pixel_block)                                    \
    (EKW_CONV2D_STAGE_BYTES(filters) + (filter_block) * EKW_FILTER_BYTES(taps, bits) +                      \
     (pixel_block) * EKW_PIXEL_BYTES(taps))

typedef struct {
    int32_t taps;
    int32_t pixels;       /* of the whole output */
    int32_t pixel_block;  /* packed at once */
    int32_t filter_block; /* unpacked at once */
    uint8_t *stages;
    uint8_t *filters;
    uint8_t *packed;
    bool keeps_filters; /* all are unpacked at once */
} ekw_conv2d_plan;

EKW_BODY ekw_conv2d_plan ekw_conv2d_plan_of(const ekw_node *node, ekw_scratch scratch, ekw_case kind) {
    (void)kind; /* cores that unpack every width ignore it */
    ekw_conv2d_plan plan;
    plan.taps = EKW_TAPS(node);
    plan.pixels = EKW_OUT_PLANE(node);
    const int32_t filters = ekw_round_up(node->out_shape.channels, EKW_FILTERS_STEP);
    const int32_t filter_bytes = EKW_FILTER_BYTES(plan.taps, kind.weight_bits);
    const int32_t pixel_bytes = EKW_PIXEL_BYTES(plan.taps);
    const int32_t room = scratch.size - EKW_CONV2D_STAGE_BYTES(filters);
    plan.keeps_filters = filters * filter_bytes + EKW_PIXELS_STEP * pixel_bytes <= room;
    plan.filter_block = plan.keeps_filters ? filters : EKW_FILTERS_STEP;
    const int32_t fitting = (room - plan.filter_block * filter_bytes) / (EKW_PIXELS_STEP * pixel_bytes);
    const int32_t wanted = ekw_round_up(plan.pixels, EKW_PIXELS_STEP);
    plan.pixel_block = fitting * EKW_PIXELS_STEP < wanted ? fitting * EKW_PIXELS_STEP : wanted;
    plan.stages = scratch.bytes;
    plan.filters = plan.stages + filters * EKW_STAGE_BYTES;
    plan.packed = plan.filters + plan.filter_block * filter_bytes;
    return plan;
}

EKW_BODY bool ekw_is_pointwise(const ekw_node *node) {
    return node->kernel[0] == 1 && node->kernel[1] == 1 && node->stride[0] == 1 && node->stride[1] == 1 &&
           (node->pad[0] | node->pad[1] | node->pad[2] | node->pad[3]) == 0;
}

/* A core may make packing a function of its own. */
#ifndef EKW_PACK
#define EKW_PACK EKW_BODY
#endif

EKW_PACK void ekw_conv2d_pack(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first, int32_t count,
                              ekw_case kind) {
    if (ekw_is_pointwise(node)) {
        const int32_t plane = node->in_shape.height * node->in_shape.width;
        ekw_pack_pointwise(packed, input + first, plane, node->in_shape.channels, count, kind);
    } else {
        ekw_pack_windows(node, input, packed, first, count, kind);
    }
}

EKW_BODY void ekw_conv2d_block(const ekw_node *node, const ekw_conv2d_plan *plan, uint8_t *output, int32_t first,
                               int32_t count, ekw_case kind) {
    const int32_t filters = node->out_shape.channels;
    const int32_t stride = ekw_filter_stride(plan->taps, kind.weight_bits);
    for (int32_t f = 0; f < filters; f += plan->filter_block) {
        const int32_t some = filters - f < plan->filter_block ? filters - f : plan->filter_block;
        const int8_t *weights = node->weight + f * stride;
        const bool is_unpacked = EKW_FILTER_BYTES(plan->taps, kind.weight_bits) != 0;
        if (is_unpacked && !(plan->keeps_filters && first > 0)) {
            ekw_unpack(plan->filters, node, f, some, kind);
        }
        const ekw_panel panel = {
            .pixels = plan->packed,
            .filters = is_unpacked ? plan->filters : (const uint8_t *)weights,
            .stages = plan->stages,
            .taps = plan->taps,
            .pixel_count = count,
            .filter_count = some,
            .first_filter = f,
            .output = output + f * plan->pixels + first,
            .plane = plan->pixels,
        };
        ekw_panel_run(node, &panel, kind);
    }
}

EKW_DRIVER void ekw_conv2d_run(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                               bool is_signed, int32_t bits, ekw_rule rule, const ekw_general *general) {
    const ekw_case kind = {.is_signed = is_signed, .weight_bits = bits, .rule = rule, .general = general};
    const ekw_conv2d_plan plan = ekw_conv2d_plan_of(node, scratch, kind);
    ekw_prepare_stages(plan.stages, node, plan.taps, kind);
    for (int32_t first = 0; first < plan.pixels; first += plan.pixel_block) {
        const int32_t left = plan.pixels - first, count = left < plan.pixel_block ? left : plan.pixel_block;
        ekw_conv2d_pack(node, input, plan.packed, first, count, kind);
        ekw_conv2d_block(node, &plan, output, first, count, kind);
    }
}

EKW_BODY void ekw_conv2d(const ekw_node *node, const uint8_t *input, uint8_t *output, ekw_scratch scratch,
                         ekw_case kind) {
    ekw_conv2d_run(node, input, output, scratch, kind.is_signed, kind.weight_bits, kind.rule, kind.general);
}

#endif
