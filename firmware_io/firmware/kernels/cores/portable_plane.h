/* Depthwise convolutions of the portable core. The output is cut into three bands of rows, which are computed together
 * as the three pixels of portable.h:
 *
 *     scratch: taps as int32 | a row of padding | [rows][columns] pairs of words, padding included
 *
 * rows: of the input that the first band reads. Values are not centered, for there are few taps. */
#ifndef EKW_CORE_PORTABLE_PLANE_H
#define EKW_CORE_PORTABLE_PLANE_H

#include "kernels/cores/portable.h"

#define EKW_PLANE_WEIGHT_BYTES(node) EKW_ROUND_UP(EKW_CHANNEL_TAPS(node) * 4, EKW_ALIGNMENT)
#define EKW_PLANE_ZERO_BYTES(node) EKW_ROUND_UP((node)->in_shape.width, EKW_ALIGNMENT)
#define EKW_PLANE_BAND(node) (((node)->out_shape.height + 2) / 3)
#define EKW_PLANE_ROWS(node, rows) ((EKW_PLANE_BAND(node) - 1) * (node)->stride[0] + (rows))
#define EKW_PLANE_BYTES(node, rows, columns)                                                                 \
    (EKW_PLANE_WEIGHT_BYTES(node) + EKW_PLANE_ZERO_BYTES(node) +                                             \
     EKW_PLANE_ROWS(node, rows) * EKW_PADDED_COLUMNS(node) * EKW_PAIR_BYTES)

typedef struct {
    int32_t *weights;
    uint8_t *zeros; /* a row of padding */
    ekw_pair *pairs;
    int32_t band; /* rows of the output */
    int32_t rows; /* of the input that a band reads */
    int32_t columns;
} ekw_plane;

EKW_BODY ekw_plane ekw_plane_of(const ekw_node *node, uint8_t *scratch, ekw_case kind) {
    const int32_t zeros = EKW_PLANE_WEIGHT_BYTES(node), pairs = zeros + EKW_PLANE_ZERO_BYTES(node);
    ekw_plane plane;
    plane.weights = (int32_t *)(void *)scratch;
    plane.zeros = scratch + zeros;
    plane.pairs = (ekw_pair *)(void *)(scratch + pairs);
    plane.band = EKW_PLANE_BAND(node);
    plane.rows = EKW_PLANE_ROWS(node, ekw_extent(node, kind, 0));
    plane.columns = EKW_PADDED_COLUMNS(node);
    return plane;
}

EKW_SHARED void ekw_plane_pad(const ekw_plane *plane, int32_t value) {
    const ekw_pair *end = plane->pairs + plane->rows * plane->columns;
    for (uint8_t *byte = plane->zeros; byte != (const uint8_t *)plane->pairs; byte++) {
        *byte = (uint8_t)value;
    }
    for (ekw_pair *pair = plane->pairs; pair != end; pair++) {
        *pair = ekw_pair_of(value, value, value);
    }
}

/* Clears the row of zeros too. */
EKW_BODY void ekw_plane_clear(const ekw_plane *plane, ekw_case kind) {
    if (kind.general) {
        ekw_plane_pad(plane, kind.general->pad_value);
        return;
    }
    const uint32_t *end = &plane->pairs[plane->rows * plane->columns].first;
    for (uint32_t *word = (uint32_t *)(void *)plane->zeros; word != end; word++) {
        *word = 0;
    }
}

/* row: counted with the padding above. */
EKW_BODY const uint8_t *ekw_plane_row(const ekw_node *node, const ekw_plane *plane, const uint8_t *input, int32_t row) {
    const int32_t i = row - node->pad[0];
    return (uint32_t)i < (uint32_t)node->in_shape.height ? input + i * node->in_shape.width : plane->zeros;
}

EKW_BODY void ekw_plane_fill(const ekw_node *node, const ekw_plane *plane, const uint8_t *input, ekw_case kind) {
    const int32_t width = node->in_shape.width, step = plane->band * node->stride[0];
    ekw_pair *pair = plane->pairs + node->pad[2];
    for (int32_t i = 0; i < plane->rows; i++, pair += plane->columns - width) {
        const uint8_t *a = ekw_plane_row(node, plane, input, i);
        const uint8_t *b = ekw_plane_row(node, plane, input, i + step);
        const uint8_t *c = ekw_plane_row(node, plane, input, i + 2 * step);
        for (const ekw_pair *end = pair + width; pair != end; pair++) {
            *pair = ekw_pair_of(ekw_at(a++, 0, kind.is_signed), ekw_at(b++, 0, kind.is_signed),
                                ekw_at(c++, 0, kind.is_signed));
        }
    }
}

EKW_BODY void ekw_plane_weights(const ekw_plane *plane, const int8_t *filter, int32_t taps, ekw_case kind) {
    for (int32_t k = 0; k < taps; k++) {
        plane->weights[k] = ekw_weight(filter, k, kind.weight_bits);
    }
}

EKW_BODY void ekw_plane_sums(const ekw_node *node, const ekw_plane *plane, const ekw_pair *corner, int32_t *acc,
                             ekw_case kind) {
    const int32_t group = ekw_group(kind) / 2; /* values are not centered */
    const int32_t down = ekw_dilation(kind, 0) * plane->columns, right = ekw_dilation(kind, 1);
    const int32_t *w = plane->weights;
    ekw_pair sums = {0, 0};
    int32_t room = group;
    for (int32_t i = 0; i < node->kernel[0]; i++, corner += down) {
        for (int32_t j = 0; j < node->kernel[1]; j++) {
            ekw_multiply_add(&sums, corner[j * right], *w++);
            if (--room == 0) {
                ekw_split(acc, sums);
                sums = (ekw_pair){0, 0};
                room = group;
            }
        }
    }
    ekw_split(acc, sums);
}

EKW_BODY void ekw_plane_sums_3x3(const ekw_plane *plane, const ekw_pair *corner, const int32_t *w, int32_t *acc) {
    ekw_pair sums = {0, 0};
    EKW_UNROLL
    for (int32_t i = 0; i < 3; i++, corner += plane->columns) {
        ekw_multiply_add(&sums, corner[0], w[3 * i]);
        ekw_multiply_add(&sums, corner[1], w[3 * i + 1]);
        ekw_multiply_add(&sums, corner[2], w[3 * i + 2]);
    }
    ekw_split(acc, sums);
}

EKW_BODY void ekw_plane_run(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                            ekw_case kind) {
    const bool is_general = kind.rule == EKW_GENERAL;
    const ekw_stage stage = is_general ? (ekw_stage){ekw_general_offset(kind.general, channel), 1, 0}
                                       : ekw_stage_of(&node->requant, channel, kind.rule);
    const int32_t width = node->out_shape.width, height = node->out_shape.height, band = plane->band;
    const bool is_signed = node->requant.lo < 0, is_3x3 = ekw_is_3x3(node, kind);
    const ekw_pair *row = plane->pairs;
    const int32_t *w = plane->weights;
    for (int32_t i = 0; i < band; i++, row += node->stride[0] * plane->columns) {
        const int32_t count = i + 2 * band < height ? 3 : i + band < height ? 2 : 1;
        const ekw_pair *corner = row;
        for (const uint8_t *end = output + width; output != end; output++, corner += node->stride[1]) {
            int32_t acc[3] = {stage.offset, stage.offset, stage.offset};
            if (is_3x3) {
                ekw_plane_sums_3x3(plane, corner, w, acc);
            } else {
                ekw_plane_sums(node, plane, corner, acc, kind);
            }
            if (is_general) {
                ekw_finish_general(output, band * width, acc, channel, count, kind.general);
            } else {
                ekw_finish(output, band * width, acc, stage, is_signed, count, kind.rule);
            }
        }
    }
}

#endif
