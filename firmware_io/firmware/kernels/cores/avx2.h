/* The inner loops for computers. A lane of 32 bits holds some taps of a pixel or a filter:
 *
 *     AVX2, AVX-512      2 of 16 bits
 *     AVX-512 with VNNI  4 of 8 bits; pixels unsigned, those of signed tensors raised by 128
 *
 *     stages             [filters] int32, compensates the sums for the raise, negative
 *     packed pixels      [groups of 16 pixels][lanes][16] lanes, aligned to a cache line
 *     unpacked filters   [filters][lanes]
 *     padded plane       [rows][columns] int16, aligned to a cache line */
#ifndef EKW_CORE_AVX2_H
#define EKW_CORE_AVX2_H

#include "kernels/cores/avx2_seats.h"
#include "kernels/cores/x86.h"
#include "kernels/panel.h"
#include "kernels/weights.h"

#define EKW_PIXELS_STEP 16
#define EKW_FILTERS_STEP 4
#define EKW_STAGE_BYTES 4
#define EKW_PACKED_SPARE 64
#define EKW_PIXEL_BYTES(taps) (EKW_ROUND_UP(taps, 4) * 2)
#define EKW_FILTER_BYTES(taps, bits) (EKW_ROUND_UP(taps, 4) * 2)
#define EKW_PIXEL_BLOCK 128
#define EKW_KEPT_BYTES 1048576
#define EKW_UNPACKINGS 8

#define EKW_GROUP_TILE (EKW_REGISTERS / 8) /* groups of pixels whose sums of 4 filters stay in registers */

/* Memory is written by taps and read by lanes. */
typedef int32_t __attribute__((may_alias)) ekw_lane;

#ifdef EKW_HAS_VNNI
#define EKW_LANE_TAPS 4
typedef uint8_t ekw_tap;
typedef int8_t ekw_tap_weight;
#else
#define EKW_LANE_TAPS 2
typedef int16_t ekw_tap;
typedef int16_t ekw_tap_weight;
#endif

EKW_BODY uint8_t *ekw_to_line(const uint8_t *bytes) {
    return (uint8_t *)(((uintptr_t)bytes + 63) & ~(uintptr_t)63);
}

EKW_BODY int32_t ekw_lanes_of(int32_t taps) {
    return (taps + EKW_LANE_TAPS - 1) / EKW_LANE_TAPS;
}

EKW_BODY int32_t ekw_raise(ekw_case kind) {
    return EKW_LANE_TAPS == 4 && kind.is_signed ? 128 : 0;
}

/* Lanes of taps in the padding. */
EKW_BODY ekw_lanes ekw_padding(ekw_case kind) {
    const uint32_t value = (uint32_t)(ekw_pad_value(kind) + ekw_raise(kind)) & (EKW_LANE_TAPS == 4 ? 0xFF : 0xFFFF);
    return ekw_all((int32_t)(value * (EKW_LANE_TAPS == 4 ? UINT32_C(0x01010101) : UINT32_C(0x00010001))));
}

/* Fields of 4 or 2 bits that begin at bit `at` of each byte, sign extended. */
EKW_BODY __m128i ekw_fields(__m128i bytes, int32_t at, int32_t bits) {
    const __m128i sign = _mm_set1_epi8((char)(1 << (bits - 1))), mask = _mm_set1_epi8((char)((1 << bits) - 1));
    const __m128i fields = _mm_and_si128(_mm_srli_epi16(bytes, at), mask);
    return _mm_sub_epi8(_mm_xor_si128(fields, sign), sign);
}

/* The 32 weights from number k on, a multiple of 32. */
EKW_BODY __m256i ekw_weights32(const int8_t *filter, int32_t k, int32_t bits) {
    const int8_t *from = filter + k / 8 * bits;
    if (bits == 8) {
        return ekw_load32(from);
    }
    if (bits == 4) {
        const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)from);
        const __m128i even = ekw_fields(x, 0, 4), odd = ekw_fields(x, 4, 4);
        return _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd));
    }
    const __m128i x = _mm_loadl_epi64((const __m128i *)(const void *)from);
    const __m128i low = _mm_unpacklo_epi8(ekw_fields(x, 0, 2), ekw_fields(x, 2, 2));
    const __m128i high = _mm_unpacklo_epi8(ekw_fields(x, 4, 2), ekw_fields(x, 6, 2));
    return _mm256_set_m128i(_mm_unpackhi_epi16(low, high), _mm_unpacklo_epi16(low, high));
}

EKW_BODY void ekw_keep_weights(ekw_tap_weight *to, __m256i weights) {
#ifdef EKW_HAS_VNNI
    _mm256_storeu_si256((__m256i *)(void *)to, weights);
#else
    ekw_keep(to, ekw_widen_to_halves(weights, true));
#endif
}

EKW_BODY void ekw_unpack(uint8_t *unpacked, const ekw_node *node, int32_t first, int32_t filters, ekw_case kind) {
    const int32_t taps = ekw_taps_of(node), bits = kind.weight_bits;
    const int8_t *weights = ekw_filter_at(node, first, bits);
    const int32_t stride = ekw_filter_stride(taps, bits), places = ekw_lanes_of(taps) * EKW_LANE_TAPS;
    ekw_tap_weight *to = (ekw_tap_weight *)(void *)unpacked;
    for (int32_t f = 0; f < filters; f++, weights += stride, to += places) {
        int32_t k = 0;
        for (; k + 32 <= taps; k += 32) {
            ekw_keep_weights(to + k, ekw_weights32(weights, k, bits));
        }
        for (; k < places; k++) {
            to[k] = (ekw_tap_weight)(k < taps ? ekw_weight(weights, k, bits) : 0);
        }
    }
}

EKW_BODY int32_t ekw_filter_sum(const int8_t *filter, int32_t taps, int32_t bits) {
    ekw_lanes acc = ekw_all(0);
    int32_t k = 0;
    for (; k + 32 <= taps; k += 32) {
        acc = ekw_dot_halves(acc, ekw_widen_to_halves(ekw_weights32(filter, k, bits), true), ekw_all(0x10001));
    }
    int32_t sum = ekw_total(acc);
    for (; k < taps; k++) {
        sum += ekw_weight(filter, k, bits);
    }
    return sum;
}

EKW_BODY void ekw_prepare_stages(uint8_t *stages, const ekw_node *node, int32_t taps, ekw_case kind) {
    const int32_t stride = ekw_filter_stride(taps, kind.weight_bits);
    int32_t *raised = (int32_t *)(void *)stages;
    for (int32_t f = 0; ekw_raise(kind) && f < node->out_shape.channels; f++) {
        raised[f] = -ekw_raise(kind) * ekw_filter_sum(node->weight + f * stride, taps, kind.weight_bits);
    }
}

/* The lanes of 16 pixels: rows of EKW_LANE_TAPS channels, those beyond `channels` 0. */
EKW_BODY ekw_lanes ekw_lanes_of_rows(const uint8_t *x, int32_t plane, int32_t channels, int32_t count, ekw_case kind) {
    __m128i rows[EKW_LANE_TAPS];
#pragma GCC unroll 4
    for (int32_t c = 0; c < EKW_LANE_TAPS; c++) {
        rows[c] = c < channels ? ekw_load16(x + c * plane, count) : _mm_setzero_si128();
    }
#ifdef EKW_HAS_VNNI
    return ekw_plus_bytes(ekw_transposed(rows), ekw_raise(kind));
#else
    return ekw_pairs(ekw_widen(rows[0], kind.is_signed), ekw_widen(rows[1], kind.is_signed));
#endif
}

EKW_BODY void ekw_pack_pointwise(uint8_t *packed, const uint8_t *input, int32_t plane, int32_t channels, int32_t count,
                                 ekw_case kind) {
    uint8_t *to = ekw_to_line(packed);
    for (int32_t p = 0; p < count; p += 16) {
        const uint8_t *x = input + p;
        for (int32_t c = 0; c < channels; c += EKW_LANE_TAPS, x += EKW_LANE_TAPS * plane, to += 64) {
            ekw_keep(to, ekw_lanes_of_rows(x, plane, channels - c, count - p, kind));
        }
    }
}

/* Outputs o of one dimension whose tap k lies inside: begin <= o < end. */
EKW_BODY ekw_taps ekw_outputs_inside(int32_t k, int32_t pad, int32_t stride, int32_t size, int32_t outputs) {
    const int32_t first = k - pad, last = size - 1 - first;
    ekw_taps found = {first < 0 ? (-first + stride - 1) / stride : 0, last < 0 ? 0 : last / stride + 1};
    found.end = found.end > outputs ? outputs : found.end;
    return found;
}

/* A run of output pixels, of which those are packed that lie within first..past. */
typedef struct {
    int32_t first;
    int32_t past;
    int32_t group; /* taps of 16 pixels */
} ekw_block;

/* A tap of a row of pixels, from `pixel` on. x: its values. */
EKW_BODY void ekw_pack_row(const ekw_block *block, ekw_tap *to, int32_t pixel, int32_t count, const uint8_t *x,
                           int32_t step, ekw_case kind) {
    const int32_t begin = block->first > pixel ? block->first - pixel : 0;
    const int32_t end = block->past - pixel < count ? block->past - pixel : count;
    for (int32_t i = begin; i < end; i++) {
        const int32_t slot = pixel + i - block->first, value = ekw_at(x, i * step, kind.is_signed);
        to[(slot >> 4) * block->group + (slot & 15) * EKW_LANE_TAPS] = (ekw_tap)(value + ekw_raise(kind));
    }
}

EKW_BODY void ekw_pack_tap(const ekw_node *node, const ekw_block *block, const uint8_t *input, ekw_tap *to, int32_t i,
                           int32_t j, ekw_case kind) {
    const ekw_shape in = node->in_shape, out = node->out_shape;
    i *= ekw_dilation(kind, 0), j *= ekw_dilation(kind, 1);
    const ekw_taps rows = ekw_outputs_inside(i, node->pad[0], node->stride[0], in.height, out.height);
    const ekw_taps columns = ekw_outputs_inside(j, node->pad[2], node->stride[1], in.width, out.width);
    const int32_t left = columns.begin * node->stride[1] + j - node->pad[2];
    for (int32_t row = rows.begin; row < rows.end; row++) {
        const uint8_t *x = input + (row * node->stride[0] + i - node->pad[0]) * in.width + left;
        const int32_t pixel = row * out.width + columns.begin;
        ekw_pack_row(block, to, pixel, columns.end - columns.begin, x, node->stride[1], kind);
    }
}

#ifdef EKW_HAS_VNNI
/* The same for kernels whose rows are multiples of four taps. False when 16 outputs read beyond two registers. */
EKW_BODY bool ekw_pack_fours(const ekw_node *node, const uint8_t *input, uint8_t *to, int32_t first, int32_t count,
                             ekw_case kind) {
    const int32_t fours = node->kernel[1] / 4, plane = node->in_shape.height * node->in_shape.width;
    const int32_t channels = node->in_shape.channels, lanes = node->kernel[0] * fours * channels;
    ekw_lanes row, column;
    ekw_seat seat;
    for (int32_t output = 0; output < count; output += 16, to += 64 * lanes) {
        ekw_origins(node, first + output, &row, &column);
        for (int32_t k = 0; k < node->kernel[0] * fours; k++) {
            const ekw_lanes i = ekw_plus(row, ekw_all(k / fours)), j = ekw_plus(column, ekw_all(k % fours * 4));
            if (ekw_seat_fill(&seat, node, i, j, 4) > 128) {
                return false;
            }
            for (int32_t c = 0; c < channels; c++) {
                const ekw_lanes x = ekw_plus_bytes(ekw_seated(&seat, input + c * plane, plane), ekw_raise(kind));
                const ekw_lanes padded = _mm512_mask_blend_epi8(seat.inside, ekw_padding(kind), x);
                ekw_keep(to + 64 * (c * node->kernel[0] * fours + k), padded);
            }
        }
    }
    return true;
}
#endif

EKW_BODY void ekw_pack_windows(const ekw_node *node, const uint8_t *input, uint8_t *packed, int32_t first,
                               int32_t count, ekw_case kind) {
    const int32_t lanes = ekw_lanes_of(node->kernel[0] * node->kernel[1] * node->in_shape.channels);
    const ekw_block block = {first, first + count, 16 * lanes * EKW_LANE_TAPS};
    uint8_t *to = ekw_to_line(packed);
#ifdef EKW_HAS_VNNI
    if (node->kernel[1] % 4 == 0 && !ekw_is_dilated(kind) && ekw_pack_fours(node, input, to, first, count, kind)) {
        return;
    }
#endif
    for (int32_t i = 0; i < (count + 15) / 16 * lanes; i++) {
        ekw_keep(to + 64 * i, ekw_padding(kind));
    }
    int32_t tap = 0;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += node->in_shape.height * node->in_shape.width) {
        for (int32_t i = 0; i < node->kernel[0]; i++) {
            for (int32_t j = 0; j < node->kernel[1]; j++, tap++) {
                const int32_t place = tap / EKW_LANE_TAPS * 16 * EKW_LANE_TAPS + tap % EKW_LANE_TAPS;
                ekw_pack_tap(node, &block, input, (ekw_tap *)(void *)to + place, i, j, kind);
            }
        }
    }
}

/* Sums of `filters` filters and `groups` groups of pixels, both constant. */
EKW_BODY void ekw_tile(const ekw_node *node, const ekw_panel *panel, int32_t f, int32_t filters, int32_t pixel,
                       int32_t groups, ekw_case kind) {
    const int32_t lanes = ekw_lanes_of(panel->taps), group_bytes = 64 * lanes;
    const uint8_t *x = ekw_to_line(panel->pixels) + (pixel >> 4) * group_bytes;
    const ekw_lane *w = (const ekw_lane *)(const void *)panel->filters + f * lanes;
    const int32_t *raised = (const int32_t *)(const void *)panel->stages + panel->first_filter + f;
    ekw_lanes acc[4][EKW_GROUP_TILE];
#pragma GCC unroll 4
    for (int32_t i = 0; i < filters; i++) {
#pragma GCC unroll 4
        for (int32_t g = 0; g < groups; g++) {
            acc[i][g] = ekw_all(ekw_raise(kind) ? raised[i] : 0);
        }
    }
    for (int32_t k = 0; k < lanes; k++, x += 64, w++) {
#pragma GCC unroll 4
        for (int32_t i = 0; i < filters; i++) {
            const ekw_lanes weight = ekw_all(w[i * lanes]);
#pragma GCC unroll 4
            for (int32_t g = 0; g < groups; g++) {
                acc[i][g] = ekw_dot_taps(acc[i][g], ekw_load(x + g * group_bytes), weight);
            }
        }
    }
#pragma GCC unroll 4
    for (int32_t i = 0; i < filters; i++) {
        uint8_t *output = panel->output + (f + i) * panel->plane + pixel;
#pragma GCC unroll 4
        for (int32_t g = 0; g < groups; g++) {
            const ekw_lanes y = ekw_requantized(&node->requant, acc[i][g], panel->first_filter + f + i, kind);
            ekw_keep16(output + g * 16, ekw_bytes(y), panel->pixel_count - pixel - g * 16);
        }
    }
}

EKW_BODY void ekw_tile_row(const ekw_node *node, const ekw_panel *panel, int32_t f, int32_t filters, ekw_case kind) {
    int32_t pixel = 0;
    for (; pixel + 16 * (EKW_GROUP_TILE - 1) < panel->pixel_count; pixel += 16 * EKW_GROUP_TILE) {
        ekw_tile(node, panel, f, filters, pixel, EKW_GROUP_TILE, kind);
    }
    for (; pixel < panel->pixel_count; pixel += 16) {
        ekw_tile(node, panel, f, filters, pixel, 1, kind);
    }
}

EKW_BODY void ekw_panel_run(const ekw_node *node, const ekw_panel *panel, ekw_case kind) {
    int32_t f = 0;
    for (; f + 4 <= panel->filter_count; f += 4) {
        ekw_tile_row(node, panel, f, 4, kind);
    }
    for (; f < panel->filter_count; f++) {
        ekw_tile_row(node, panel, f, 1, kind);
    }
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, const int8_t *filter, int32_t length, ekw_case kind) {
    ekw_lanes acc = ekw_all(0);
    int32_t k = 0;
    for (; k + 32 <= length; k += 32) {
        const ekw_lanes weights = ekw_widen_to_halves(ekw_weights32(filter, k, kind.weight_bits), true);
        acc = ekw_dot_halves(acc, ekw_widen_to_halves(ekw_load32(x + k), kind.is_signed), weights);
    }
    int32_t sum = ekw_total(acc);
    for (; k < length; k++) {
        sum += ekw_at(x, k, kind.is_signed) * ekw_weight(filter, k, kind.weight_bits);
    }
    return sum;
}

EKW_BODY int32_t ekw_sum(const uint8_t *x, int32_t count, ekw_case kind) {
    ekw_lanes acc = ekw_all(0);
    int32_t i = 0;
    for (; i + 32 <= count; i += 32) {
        acc = ekw_dot_halves(acc, ekw_widen_to_halves(ekw_load32(x + i), kind.is_signed), ekw_all(0x10001));
    }
    int32_t sum = ekw_total(acc);
    for (; i < count; i++) {
        sum += ekw_at(x, i, kind.is_signed);
    }
    return sum;
}

#include "kernels/cores/avx2_depthwise.h"

#endif
