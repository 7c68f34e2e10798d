/* Depthwise convolutions for cores/mve.h: one vector of 16 bytes holds the whole window of an output.
 *
 *     scratch: unpacked taps | padded plane | corners | places
 *     padded plane       [rows][width, padding], each byte x, or x - 128 for inputs of uint8. The padding between
 *                        two rows is the right one of the first and the left one of the second at once
 *     corners            of each output, the address where its window begins
 *     places             of each input, its index in the padded plane, if that has no more than 256 bytes
 *
 * A window within 16 neighbouring bytes is loaded as it is, one of up to 16 taps within 256 bytes is gathered,
 * and any other one is summed up tap by tap. */
#ifndef EKW_CORE_MVE_PLANE_H
#define EKW_CORE_MVE_PLANE_H

#define EKW_PLANE_WEIGHT_BYTES(node) EKW_PIXEL_BYTES(EKW_CHANNEL_TAPS(node))
#define EKW_PLANE_PADDED_BYTES(node) (EKW_PIXEL_BYTES(EKW_PADDED_ROWS(node) * EKW_PADDED_COLUMNS(node)) + EKW_LANES)
#define EKW_PLANE_CORNERS(node) ((EKW_OUT_PLANE(node) + 3) & ~3) /* addresses */
#define EKW_PLANE_HAS_PLACES(node) (EKW_PLANE_PADDED_BYTES(node) <= 256)
#define EKW_PLANE_BYTES(node, rows, columns)                                                                 \
    (EKW_PLANE_WEIGHT_BYTES(node) + EKW_PLANE_PADDED_BYTES(node) + EKW_PLANE_CORNERS(node) * 4 +             \
     EKW_IF(EKW_PLANE_HAS_PLACES(node), EKW_IN_PLANE(node), 0))

typedef enum { EKW_NEIGHBOURS, EKW_GATHERED, EKW_ANY } ekw_window;

typedef struct {
    int8_t *weights; /* unpacked, EKW_ANY */
    uint8_t *bytes;
    const uint8_t **corners;
    uint8_t *places; /* null: the plane is too large */
    int32_t columns; /* bytes from a row to the next */
    int32_t size;
    uint8_t flip; /* of each byte */
    ekw_window window;
    uint8x16_t lane_taps; /* 255 in lanes without one */
    uint8x16_t lane_bytes; /* from the corner */
} ekw_plane;

EKW_BODY int32_t ekw_largest_of(int32_t a, int32_t b) {
    return a > b ? a : b;
}

EKW_BODY void ekw_plane_lanes(ekw_plane *plane, const ekw_node *node, ekw_case kind) {
    uint8_t taps[EKW_LANES], bytes[EKW_LANES];
    vst1q_u8(taps, vdupq_n_u8(255));
    vst1q_u8(bytes, plane->window == EKW_GATHERED ? vdupq_n_u8(0) : vidupq_n_u8(0, 1));
    for (int32_t i = 0, tap = 0; i < node->kernel[0]; i++) {
        for (int32_t j = 0; j < node->kernel[1]; j++, tap++) {
            const int32_t byte = i * ekw_dilation(kind, 0) * plane->columns + j * ekw_dilation(kind, 1);
            const int32_t lane = plane->window == EKW_GATHERED ? tap : byte;
            taps[lane] = (uint8_t)tap;
            bytes[lane] = (uint8_t)byte;
        }
    }
    plane->lane_taps = vld1q_u8(taps);
    plane->lane_bytes = vld1q_u8(bytes);
}

EKW_BODY void ekw_plane_corners(const ekw_plane *plane, const ekw_node *node) {
    const uint8_t **corner = plane->corners, *row = plane->bytes;
    for (int32_t i = 0; i < node->out_shape.height; i++, row += node->stride[0] * plane->columns) {
        for (int32_t j = 0; j < node->out_shape.width; j++) {
            *corner++ = row + j * node->stride[1];
        }
    }
    for (int32_t i = node->out_shape.height * node->out_shape.width; i % 4 != 0; i++) {
        *corner++ = plane->bytes;
    }
}

EKW_BODY void ekw_plane_places(const ekw_plane *plane, const ekw_node *node) {
    uint8_t *place = plane->places;
    const int32_t start = node->pad[0] * plane->columns + node->pad[2];
    for (int32_t i = 0; place != 0 && i < node->in_shape.height; i++) {
        for (int32_t j = 0; j < node->in_shape.width; j++) {
            *place++ = (uint8_t)(start + i * plane->columns + j);
        }
    }
}

EKW_BODY ekw_window ekw_window_of(const ekw_node *node, int32_t columns, ekw_case kind) {
    const int32_t span = (ekw_extent(node, kind, 0) - 1) * columns + ekw_extent(node, kind, 1);
    const bool is_small = node->kernel[0] * node->kernel[1] <= EKW_LANES && span <= 256;
    return span <= EKW_LANES ? EKW_NEIGHBOURS : is_small ? EKW_GATHERED : EKW_ANY;
}

EKW_BODY ekw_plane ekw_plane_of(const ekw_node *node, uint8_t *scratch, ekw_case kind) {
    ekw_plane plane = {.weights = (int8_t *)scratch, .flip = ekw_flip(kind)};
    plane.bytes = scratch + EKW_PLANE_WEIGHT_BYTES(node);
    plane.columns = node->in_shape.width + ekw_largest_of(node->pad[2], node->pad[3]);
    plane.size = EKW_PLANE_PADDED_BYTES(node);
    plane.window = ekw_window_of(node, plane.columns, kind);
    plane.corners = (const uint8_t **)(void *)(plane.bytes + plane.size);
    plane.places = EKW_PLANE_HAS_PLACES(node) ? (uint8_t *)(plane.corners + EKW_PLANE_CORNERS(node)) : 0;
    if (plane.window != EKW_ANY) {
        ekw_plane_lanes(&plane, node, kind);
    }
    ekw_plane_corners(&plane, node);
    ekw_plane_places(&plane, node);
    for (int32_t i = 0; i < plane.size; i += EKW_LANES) {
        vst1q_u8(plane.bytes + i, vdupq_n_u8(plane.flip ^ (uint8_t)ekw_pad_value(kind)));
    }
    return plane;
}

/* ekw_plane_of has cleared it already. */
EKW_BODY void ekw_plane_clear(const ekw_plane *plane, ekw_case kind) {
    (void)plane, (void)kind;
}

EKW_BODY void ekw_plane_scatter(const ekw_plane *plane, const uint8_t *input, int32_t count) {
    const uint8_t *place = plane->places;
    const uint8x16_t flip = vdupq_n_u8(plane->flip);
    for (int32_t i = 0; i < count >> 4; i++, input += EKW_LANES, place += EKW_LANES) {
        vstrbq_scatter_offset_u8(plane->bytes, vld1q_u8(place), veorq_u8(vld1q_u8(input), flip));
    }
    const mve_pred16_t lanes = vctp8q((uint32_t)(count & 15));
    const uint8x16_t x = veorq_u8(vldrbq_z_u8(input, lanes), flip);
    vstrbq_scatter_offset_p_u8(plane->bytes, vldrbq_z_u8(place, lanes), x, lanes);
}

EKW_BODY void ekw_plane_fill(const ekw_node *node, const ekw_plane *plane, const uint8_t *input, ekw_case kind) {
    (void)kind;
    const int32_t width = node->in_shape.width;
    if (plane->places != 0) {
        ekw_plane_scatter(plane, input, node->in_shape.height * width);
        return;
    }
    uint8_t *row = plane->bytes + node->pad[0] * plane->columns + node->pad[2];
    for (int32_t i = 0; i < node->in_shape.height; i++, row += plane->columns, input += width) {
        for (int32_t j = 0; j < width; j += EKW_LANES) {
            const mve_pred16_t lanes = vctp8q((uint32_t)(width - j));
            vstrbq_p_u8(row + j, veorq_u8(vldrbq_z_u8(input + j, lanes), vdupq_n_u8(plane->flip)), lanes);
        }
    }
}

/* The weights are read when the kernel runs. */
EKW_BODY void ekw_plane_weights(const ekw_plane *plane, const int8_t *filter, int32_t taps, ekw_case kind) {
    (void)plane, (void)filter, (void)taps, (void)kind;
}

/* Tap by tap. */
EKW_BODY int32_t ekw_plane_sum(const ekw_node *node, const ekw_plane *plane, const uint8_t *corner,
                               const int8_t *w, ekw_case kind) {
    const int32_t down = ekw_dilation(kind, 0) * plane->columns, right = ekw_dilation(kind, 1);
    int32_t acc = 0;
    for (int32_t i = 0; i < node->kernel[0]; i++, corner += down) {
        for (int32_t j = 0; j < node->kernel[1]; j++) {
            const uint8_t x = corner[j * right] ^ ekw_flip(kind);
            acc += ekw_at(&x, 0, kind.is_signed) * *w++;
        }
    }
    return acc;
}

EKW_BODY void ekw_plane_by_taps(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                                ekw_case kind) {
    const int32_t outputs = node->out_shape.height * node->out_shape.width;
    const int32_t taps = node->kernel[0] * node->kernel[1];
    const int8_t *weights = node->weight + channel * ekw_filter_stride(taps, kind.weight_bits);
    if (kind.weight_bits != 8) {
        ekw_unpack_some((uint8_t *)plane->weights, weights, taps, 1, kind.weight_bits);
        weights = plane->weights;
    }
    for (int32_t i = 0; i < outputs; i++) {
        const int32_t acc = ekw_plane_sum(node, plane, plane->corners[i], weights, kind);
        output[i] = ekw_requantize(&node->requant, acc, channel, kind);
    }
}

/* 4 windows: the bytes of each, its products added up, and the four sums side by side. */
#define EKW_WINDOWS(load, end)                                                                               \
    "ldrd r0, r1, [%[corner]], #8\n\t"                                                                       \
    "ldrd r2, r3, [%[corner]], #8\n\t"                                                                       \
    load " q0, [r0" end "\n\t" load " %q[sums], [r1" end "\n\t"                                              \
    "vmladav.s8 r0, q0, %q[w]\n\t" load " q0, [r2" end "\n\t"                                                \
    "vmladav.s8 r4, %q[sums], %q[w]\n\t" load " %q[sums], [r3" end "\n\t"                                    \
    "vmladav.s8 r2, q0, %q[w]\n\t"                                                                           \
    "vmladav.s8 r12, %q[sums], %q[w]\n\t"                                                                    \
    "vmov %q[sums][2], %q[sums][0], r0, r2\n\t"                                                              \
    "vmov %q[sums][3], %q[sums][1], r4, r12"

EKW_BODY int32x4_t ekw_plane_sums(const ekw_plane *plane, const uint8_t *const **corner, int8x16_t weights,
                                  bool gathers) {
    int32x4_t sums;
    if (gathers) {
        __asm volatile(EKW_WINDOWS("vldrb.u8", ", %q[bytes]]")
                       : [sums] "=&w"(sums), [corner] "+r"(*corner)
                       : [w] "w"(weights), [bytes] "w"(plane->lane_bytes)
                       : "r0", "r1", "r2", "r3", "r4", "r12", "q0", "memory");
    } else {
        __asm volatile(EKW_WINDOWS("vldrb.8", "]")
                       : [sums] "=&w"(sums), [corner] "+r"(*corner)
                       : [w] "w"(weights)
                       : "r0", "r1", "r2", "r3", "r4", "r12", "q0", "memory");
    }
    return sums;
}

/* Up to 4 neighbours, requantized. general: null where the scaler says how. */
EKW_BODY void ekw_plane_store(uint8_t *output, int32_t count, int32x4_t sums, const ekw_scaler *scaler,
                              const ekw_range *range, int32_t channel, ekw_case kind) {
    if (kind.rule == EKW_GENERAL) {
        sums = ekw_lanes_scaled_general(vaddq_n_s32(sums, scaler->offset), kind.general, channel);
    } else {
        sums = ekw_lanes_scaled(sums, scaler, kind.rule);
    }
    ekw_store(output, count, ekw_clipped(sums, range));
}

/* A window of neighbours may be gathered too: the last ones, fewer than 4, are. */
EKW_BODY void ekw_plane_windows(const ekw_node *node, const ekw_plane *plane, int8x16_t weights, ekw_scaler scaler,
                                uint8_t *output, int32_t channel, ekw_case kind) {
    const uint8_t *const *corner = plane->corners;
    const ekw_range range = ekw_range_of(node);
    const int32_t outputs = node->out_shape.height * node->out_shape.width;
    for (int32_t i = 0; plane->window == EKW_NEIGHBOURS && i < outputs >> 2; i++, output += 4) {
        const int32x4_t sums = ekw_plane_sums(plane, &corner, weights, false);
        ekw_plane_store(output, 4, sums, &scaler, &range, channel, kind);
    }
    for (int32_t left = plane->corners + outputs - corner; left > 0; left -= 4, output += 4) {
        const int32x4_t sums = ekw_plane_sums(plane, &corner, weights, true);
        ekw_plane_store(output, left, sums, &scaler, &range, channel, kind);
    }
}

EKW_BODY void ekw_plane_run(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                            ekw_case kind) {
    if (plane->window == EKW_ANY) {
        ekw_plane_by_taps(node, plane, channel, output, kind);
        return;
    }
    const int32_t taps = node->kernel[0] * node->kernel[1];
    const int8_t *filter = node->weight + channel * ekw_filter_stride(taps, kind.weight_bits);
    const mve_pred16_t lanes = vcmpneq_n_u8(plane->lane_taps, 255);
    const int8x16_t weights = ekw_weights_at(filter, plane->lane_taps, lanes, kind.weight_bits);
    const int32_t offset = ekw_offset(node, channel, kind) + (kind.is_signed ? 0 : 128 * vaddvq_s8(weights));
    const ekw_scaler scaler = ekw_scaler_of(node, offset, channel, kind.rule);
    ekw_plane_windows(node, plane, weights, scaler, output, channel, kind);
}

#endif
