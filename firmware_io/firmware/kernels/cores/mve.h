/* The inner loops with Arm's M-profile vectors (MVE, "Helium", integers): 16 products of int8 an instruction.
 *
 *     packed pixels      [blocks of 4 pixels][vectors of 16 taps][4 pixels][16 taps] int8
 *     unpacked filters   [filters][taps, zeros up to a multiple of 16] int8; weights of 8 bits are read
 *                        in place
 *
 * There is no product of uint8 and int8: what is packed is x - 128 for inputs of uint8, the byte with its
 * highest bit flipped, and the offsets of the requantization compensate for it: sum(x * w) = sum((x - 128) * w) +
 * 128 * sum(w). Packed pixels may hold anything beyond the last tap, for filters are 0 there. */
#ifndef EKW_CORE_MVE_H
#define EKW_CORE_MVE_H

#include <arm_mve.h>

#include "kernels/panel.h"
#include "kernels/weights.h"

#define EKW_PIXELS_STEP 4
#define EKW_FILTERS_STEP 2
#define EKW_STAGE_BYTES 4
#define EKW_PACKED_SPARE 0
#define EKW_LANES 16
#define EKW_PIXEL_BYTES(taps) (((taps) + EKW_LANES - 1) & -EKW_LANES)
#define EKW_FILTER_BYTES(taps, bits) EKW_IF((bits) == 8, 0, EKW_PIXEL_BYTES(taps))
#define EKW_PIXEL_BLOCK 128
#define EKW_KEPT_BYTES 12288
#define EKW_UNPACKINGS 8

/* Each byte of the input is XORed with this. */
EKW_BODY uint8_t ekw_flip(ekw_case kind) {
    return kind.is_signed ? 0 : 0x80;
}

/* Bytes of packed weights, each with number tap[lane] among them: that one, sign extended. */
EKW_BODY int8x16_t ekw_extracted(int8x16_t bytes, uint8x16_t taps, int32_t bits) {
    const int8x16_t place = vreinterpretq_s8_u8(vandq_u8(taps, vdupq_n_u8(bits == 4 ? 1 : 3)));
    const int8x16_t left = vshlq_s8(bytes, vmlaq_n_s8(vdupq_n_s8((int8_t)(8 - bits)), place, (int8_t)-bits));
    return bits == 8 ? bytes : bits == 4 ? vshrq_n_s8(left, 4) : vshrq_n_s8(left, 6);
}

/* The byte of a packed filter that holds the weight. */
EKW_BODY uint8x16_t ekw_bytes_of(uint8x16_t taps, int32_t bits) {
    return bits == 8 ? taps : bits == 4 ? vshrq_n_u8(taps, 1) : vshrq_n_u8(taps, 2);
}

/* The weights of a packed filter with the numbers `taps`, 0 in the other lanes. */
EKW_BODY int8x16_t ekw_weights_at(const int8_t *filter, uint8x16_t taps, mve_pred16_t lanes, int32_t bits) {
    return ekw_extracted(vldrbq_gather_offset_z_s8(filter, ekw_bytes_of(taps, bits), lanes), taps, bits);
}

/* 16 weights. */
EKW_BODY int8x16_t ekw_weights_of(const int8_t *filter, int32_t bits) {
    const uint8x16_t taps = vidupq_n_u8(0, 1);
    if (bits == 8) {
        return vld1q_s8(filter);
    }
    return ekw_extracted(vldrbq_gather_offset_s8(filter, ekw_bytes_of(taps, bits)), taps, bits);
}

/* Fewer, then 0. */
EKW_BODY int8x16_t ekw_last_weights(const int8_t *filter, int32_t count, int32_t bits) {
    const mve_pred16_t lanes = vctp8q((uint32_t)count);
    return bits == 8 ? vldrbq_z_s8(filter, lanes) : ekw_weights_at(filter, vidupq_n_u8(0, 1), lanes, bits);
}

EKW_BODY void ekw_unpack_bits(uint8_t *to, const int8_t *weights, int32_t taps, int32_t filters, int32_t bits) {
    for (int32_t f = 0; f < filters; f++, weights += ekw_filter_stride(taps, bits)) {
        const int8_t *w = weights;
        for (int32_t i = 0; i < taps >> 4; i++, w += 2 * bits, to += EKW_LANES) {
            vst1q_s8((int8_t *)to, ekw_weights_of(w, bits));
        }
        if ((taps & 15) != 0) {
            vst1q_s8((int8_t *)to, ekw_last_weights(w, taps & 15, bits));
            to += EKW_LANES;
        }
    }
}

EKW_SHARED void ekw_unpack_4(uint8_t *to, const int8_t *weights, int32_t taps, int32_t filters) {
    ekw_unpack_bits(to, weights, taps, filters, 4);
}

EKW_SHARED void ekw_unpack_2(uint8_t *to, const int8_t *weights, int32_t taps, int32_t filters) {
    ekw_unpack_bits(to, weights, taps, filters, 2);
}

EKW_BODY void ekw_unpack_some(uint8_t *to, const int8_t *weights, int32_t taps, int32_t filters, int32_t bits) {
    if (bits == 4) {
        ekw_unpack_4(to, weights, taps, filters);
    } else if (bits == 2) {
        ekw_unpack_2(to, weights, taps, filters);
    }
}

EKW_BODY void ekw_unpack(uint8_t *to, const ekw_node *node, int32_t first, int32_t filters, ekw_case kind) {
    const int8_t *weights = ekw_filter_at(node, first, kind.weight_bits);
    ekw_unpack_some(to, weights, ekw_taps_of(node), filters, kind.weight_bits);
}

EKW_BODY int32_t ekw_offset(const ekw_node *node, int32_t channel, ekw_case kind) {
    if (kind.rule == EKW_GENERAL) {
        return ekw_general_offset(kind.general, channel);
    }
    return kind.rule == EKW_CLIP ? 0 : node->requant.offset[channel];
}

EKW_BODY int32_t ekw_weight_sum(const int8_t *w, int32_t taps, int32_t bits) {
    int32_t sum = 0;
    for (int32_t i = 0; i < taps >> 4; i++, w += 2 * bits) {
        sum = vaddvaq_s8(sum, ekw_weights_of(w, bits));
    }
    return vaddvaq_s8(sum, ekw_last_weights(w, taps & 15, bits));
}

/* The offset of each filter, with the compensation for x - 128. */
EKW_BODY void ekw_prepare_stages(uint8_t *stages, const ekw_node *node, int32_t taps, ekw_case kind) {
    const int32_t stride = ekw_filter_stride(taps, kind.weight_bits);
    const int8_t *filter = node->weight;
    for (int32_t f = 0; f < node->out_shape.channels; f++, filter += stride) {
        const int32_t sum = kind.is_signed ? 0 : ekw_weight_sum(filter, taps, kind.weight_bits);
        ((int32_t *)stages)[f] = ekw_offset(node, f, kind) + 128 * sum;
    }
}

/* The requantization of one channel, for vectors of sums. EKW_SHIFT: (acc * mult + offset) >> shift, where the offset
 * has been multiplied by mult. */
typedef struct {
    int32_t offset;
    int32_t mult;
    int32_t left; /* minus shift */
} ekw_scaler;

EKW_BODY ekw_scaler ekw_scaler_of(const ekw_node *node, int32_t offset, int32_t channel, ekw_rule rule) {
    const ekw_requant *stage = &node->requant;
    if (rule == EKW_CLIP || rule == EKW_GENERAL) {
        return (ekw_scaler){offset, 1, 0};
    }
    const int32_t left = -(int32_t)stage->shift[channel];
    if (rule == EKW_FIXED) {
        return (ekw_scaler){offset, ((const int32_t *)stage->mult)[channel], left};
    }
    const uint32_t mult = ((const uint8_t *)stage->mult)[channel];
    return (ekw_scaler){(int32_t)((uint32_t)offset * mult), (int32_t)mult, left};
}

/* vqrdmulh and vrshl are the two roundings of ekw_fixed_point, but vrshl rounds halves up: subtracting one
 * first, where there is a shift, rounds those of negative numbers away from zero. */
EKW_BODY int32x4_t ekw_lanes_scaled(int32x4_t acc, const ekw_scaler *scaler, ekw_rule rule) {
    if (rule == EKW_CLIP) {
        return vaddq_n_s32(acc, scaler->offset);
    }
    if (rule == EKW_SHIFT) {
        return vshlq_r_s32(vmlasq_n_s32(acc, vdupq_n_s32(scaler->mult), scaler->offset), scaler->left);
    }
    const int32x4_t high = vqrdmulhq_n_s32(vaddq_n_s32(acc, scaler->offset), scaler->mult);
    const int32x4_t less = vshrq_n_s32(vandq_s32(high, vdupq_n_s32(scaler->left)), 31);
    return vrshlq_n_s32(vqaddq_s32(high, less), scaler->left);
}

/* ekw_scaled_general of four sums. */
EKW_SHARED int32x4_t ekw_lanes_scaled_general(int32x4_t total, const ekw_general *general, int32_t channel) {
    const ekw_requant *requant = &general->node.requant;
    if (general->rule == EKW_FIXED) {
        const int32_t shift = ((const int8_t *)requant->shift)[channel];
        const ekw_scaler scaler = {0, ((const int32_t *)requant->mult)[channel], shift < 0 ? 0 : -shift};
        total = ekw_lanes_scaled(vshlq_r_s32(total, shift < 0 ? -shift : 0), &scaler, EKW_FIXED);
        return vaddq_n_s32(total, general->zero);
    }
    int32_t lanes[4];
    vst1q_s32(lanes, total);
    for (int32_t i = 0; i < 4; i++) {
        lanes[i] = ekw_scaled_general(general, lanes[i], channel);
    }
    return vld1q_s32(lanes);
}

typedef struct {
    int32x4_t lo;
    int32x4_t hi;
} ekw_range;

EKW_BODY ekw_range ekw_range_of(const ekw_node *node) {
    return (ekw_range){vdupq_n_s32(node->requant.lo), vdupq_n_s32(node->requant.hi)};
}

EKW_BODY int32x4_t ekw_clipped(int32x4_t y, const ekw_range *range) {
    return vminq_s32(vmaxq_s32(y, range->lo), range->hi);
}

/* Up to 4 neighbours. */
EKW_BODY void ekw_store(uint8_t *output, int32_t count, int32x4_t y) {
    if (count >= 4) {
        vstrbq_s32((int8_t *)output, y);
    } else {
        vstrbq_p_s32((int8_t *)output, y, vctp32q((uint32_t)count));
    }
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, const int8_t *filter, int32_t length, ekw_case kind) {
    int32_t acc = 0, sum = 0;
    for (; length > 0; length -= EKW_LANES, x += EKW_LANES, filter += 2 * kind.weight_bits) {
        const int8x16_t w = ekw_last_weights(filter, length, kind.weight_bits);
        const uint8x16_t values = vldrbq_z_u8(x, vctp8q((uint32_t)length));
        acc = vmladavaq_s8(acc, vreinterpretq_s8_u8(veorq_u8(values, vdupq_n_u8(ekw_flip(kind)))), w);
        sum = kind.is_signed ? 0 : vaddvaq_s8(sum, w);
    }
    return acc + 128 * sum;
}

EKW_BODY int32_t ekw_sum(const uint8_t *x, int32_t count, ekw_case kind) {
    const uint8x16_t flip = vdupq_n_u8(ekw_flip(kind));
    int32_t acc = kind.is_signed ? 0 : 128 * count;
    for (; count >= EKW_LANES; count -= EKW_LANES, x += EKW_LANES) {
        acc = vaddvaq_s8(acc, vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x), flip)));
    }
    const mve_pred16_t lanes = vctp8q((uint32_t)count);
    return vaddvaq_p_s8(acc, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x, lanes), flip)), lanes);
}

#include "kernels/cores/mve_pack.h"
#include "kernels/cores/mve_panel.h"
#include "kernels/cores/mve_plane.h"

#endif
