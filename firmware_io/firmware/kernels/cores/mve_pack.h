/* Packing pixels for cores/mve.h, the taps of each in the order of a filter. */
#ifndef EKW_CORE_MVE_PACK_H
#define EKW_CORE_MVE_PACK_H

EKW_BODY uint8_t *ekw_slot(uint8_t *packed, int32_t taps, int32_t slot) {
    return packed + (slot >> 2) * 4 * EKW_PIXEL_BYTES(taps) + (slot & 3) * EKW_LANES;
}

/* 8 channels of one pixel: a gather of bytes that are a plane apart. */
EKW_BODY void ekw_pack_8(uint8_t *to, const uint8_t *x, uint16x8_t planes, mve_pred16_t lanes, uint8_t flip) {
    vstrbq_u16(to, veorq_u16(vldrbq_gather_offset_z_u16(x, planes, lanes), vdupq_n_u16(flip)));
}

/* For planes so large that 16-bit indices do not span eight of them. */
EKW_BODY void ekw_pack_large(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                             uint8_t flip) {
    for (int32_t i = 0; i < count; i++) {
        uint8_t *slot = ekw_slot(packed, channels, i);
        for (int32_t c = 0; c < channels; c++) {
            slot[(c >> 4) * 4 * EKW_LANES + (c & 15)] = input[c * plane + i] ^ flip;
        }
    }
}

EKW_SHARED void ekw_pack_pixels(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                                uint8_t flip) {
    if (plane > UINT16_MAX / 8) {
        ekw_pack_large(packed, input, plane, channels, count, flip);
        return;
    }
    const uint16x8_t planes = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)plane);
    const int32_t block = 4 * EKW_PIXEL_BYTES(channels);
    for (int32_t c = 0; c < channels; c += 8, input += 8 * plane) {
        const mve_pred16_t lanes = vctp16q((uint32_t)(channels - c));
        uint8_t *to = packed + (c >> 4) * 4 * EKW_LANES + (c & 8);
        const uint8_t *x = input;
        for (int32_t i = 0; i < count >> 2; i++, x += 4, to += block) {
            ekw_pack_8(to, x, planes, lanes, flip);
            ekw_pack_8(to + EKW_LANES, x + 1, planes, lanes, flip);
            ekw_pack_8(to + 2 * EKW_LANES, x + 2, planes, lanes, flip);
            ekw_pack_8(to + 3 * EKW_LANES, x + 3, planes, lanes, flip);
        }
        for (int32_t i = 0; i < (count & 3); i++) {
            ekw_pack_8(to + i * EKW_LANES, x + i, planes, lanes, flip);
        }
    }
}

EKW_BODY void ekw_pack_pointwise(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                                 ekw_case kind) {
    ekw_pack_pixels(packed, input, plane, channels, count, ekw_flip(kind));
}

/* Where the taps of a row go, `tap` of them being in the vector at `to` already. A row of 16 may reach into the next
 * vector, which is 64 bytes further on. */
EKW_BODY void ekw_pack_row(uint8_t *to, int32_t tap, uint8x16_t x, mve_pred16_t lanes) {
    const uint8x16_t place = vidupq_n_u8((uint32_t)tap, 1);
    vstrbq_scatter_offset_p_u8(to, vmlaq_n_u8(place, vandq_u8(place, vdupq_n_u8(EKW_LANES)), 3), x, lanes);
}

/* Up to 16 columns of one output pixel's window, from column `first` on. */
EKW_BODY void ekw_pack_columns(const ekw_node *node, const uint8_t *input, int32_t top, int32_t left, int32_t first,
                               uint8_t *slot, uint8_t flip, uint8_t pad) {
    const int32_t height = node->in_shape.height, width = node->in_shape.width;
    const int32_t bottom = top + node->kernel[0], kernel = node->kernel[1];
    const ekw_taps columns = ekw_inside(left + first, kernel - first, width);
    const mve_pred16_t all = vctp8q((uint32_t)(kernel - first));
    const mve_pred16_t inside = vctp8q((uint32_t)columns.end) & (mve_pred16_t)~vctp8q((uint32_t)columns.begin);
    const uint8x16_t outside = vdupq_n_u8(flip ^ pad), change = vpselq_u8(vdupq_n_u8(flip), outside, inside);
    int32_t tap = first;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += height * width) {
        const uint8_t *row = input + top * width + left + first;
        for (int32_t i = top; i < bottom; i++, tap += kernel, row += width) {
            const bool is_inside = (uint32_t)i < (uint32_t)height;
            const uint8x16_t x = is_inside ? veorq_u8(vldrbq_z_u8(row, inside), change) : outside;
            slot += (tap >> 4) * 4 * EKW_LANES;
            tap &= EKW_LANES - 1;
            ekw_pack_row(slot, tap, x, all);
        }
    }
}

EKW_SHARED void ekw_pack_some(const ekw_node *node, const uint8_t *input, int32_t pixel, uint8_t *slot, uint8_t flip,
                              uint8_t pad) {
    const int32_t top = pixel / node->out_shape.width * node->stride[0] - node->pad[0];
    const int32_t left = pixel % node->out_shape.width * node->stride[1] - node->pad[2];
    for (int32_t first = 0; first < node->kernel[1]; first += EKW_LANES) {
        ekw_pack_columns(node, input, top, left, first, slot, flip, pad);
    }
}

/* Tap by tap. */
EKW_SHARED void ekw_pack_dilated(const ekw_general *general, const uint8_t *input, int32_t pixel, uint8_t *slot,
                                 uint8_t flip) {
    const ekw_node *node = &general->node;
    const int32_t top = pixel / node->out_shape.width * node->stride[0] - node->pad[0];
    const int32_t left = pixel % node->out_shape.width * node->stride[1] - node->pad[2];
    int32_t tap = 0;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += node->in_shape.height * node->in_shape.width) {
        for (int32_t i = 0; i < node->kernel[0]; i++) {
            for (int32_t j = 0; j < node->kernel[1]; j++, tap++) {
                const int32_t row = top + i * general->dilation[0], column = left + j * general->dilation[1];
                const bool is_inside = (uint32_t)row < (uint32_t)node->in_shape.height &&
                                       (uint32_t)column < (uint32_t)node->in_shape.width;
                const uint8_t x = is_inside ? input[row * node->in_shape.width + column] : (uint8_t)general->pad_value;
                slot[(tap >> 4) * 4 * EKW_LANES + (tap & 15)] = x ^ flip;
            }
        }
    }
}

EKW_BODY void ekw_pack_windows(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                               int32_t count, ekw_case kind) {
    const int32_t taps = node->kernel[0] * node->kernel[1] * node->in_shape.channels;
    const bool is_dilated = ekw_is_dilated(kind);
    for (int32_t i = 0; i < count; i++) {
        uint8_t *slot = ekw_slot(packed, taps, i);
        if (is_dilated) {
            ekw_pack_dilated(kind.general, input, first + i, slot, ekw_flip(kind));
        } else {
            ekw_pack_some(node, input, first + i, slot, ekw_flip(kind), (uint8_t)ekw_pad_value(kind));
        }
    }
}

#endif
