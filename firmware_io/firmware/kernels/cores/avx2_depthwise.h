/* Depthwise convolutions of avx2.h. With VBMI a plane is read in the order of the outputs, through a table of
 * positions; without, or where 16 outputs read more than a register, it is padded and read at all positions. */
#ifndef EKW_AVX2_DEPTHWISE_H
#define EKW_AVX2_DEPTHWISE_H

#include "kernels/cores/avx2_seats.h"

/* The plane is aligned to a cache line and has one to spare; so have the seats and both copies. A compilation uses one
 * of the two layouts, and the memory plan has room for either. */
#define EKW_PLANE_WEIGHT_BYTES(node) EKW_ROUND_UP(EKW_CHANNEL_TAPS(node) * 2, EKW_ALIGNMENT)
#define EKW_PLANE_PADDED_BYTES(node)                                                                         \
    (EKW_PLANE_WEIGHT_BYTES(node) + EKW_PADDED_ROWS(node) * EKW_PADDED_COLUMNS(node) * 2 + 128)
#define EKW_TABLE_GROUPS(node) ((EKW_OUT_PLANE(node) + 15) / 16)
#define EKW_TABLE_EACH(node) ((node)->kernel[0] * (((node)->kernel[1] + 3) / 4))
#define EKW_TABLE_COPY_BYTES(node) (EKW_ROUND_UP(EKW_IN_PLANE(node), 64) + 64)
#define EKW_TABLE_BYTES(node)                                                                                \
    (64 + EKW_TABLE_GROUPS(node) * EKW_TABLE_EACH(node) * EKW_SEAT_BYTES + 2 * EKW_TABLE_COPY_BYTES(node))
#define EKW_PLANE_BYTES(node, rows, columns) EKW_LARGER(EKW_PLANE_PADDED_BYTES(node), EKW_TABLE_BYTES(node))

typedef struct {
    int16_t *weights;
    int16_t *values; /* of the padded plane; results take their place, see ekw_plane_run */
    int32_t rows;
    int32_t columns;
} ekw_plane;

EKW_BODY ekw_plane ekw_plane_of(const ekw_node *node, uint8_t *scratch, ekw_case kind) {
    (void)kind;
    return (ekw_plane){(int16_t *)(void *)scratch,
                       (int16_t *)(void *)ekw_to_line(scratch + EKW_PLANE_WEIGHT_BYTES(node)), EKW_PADDED_ROWS(node),
                       EKW_PADDED_COLUMNS(node)};
}

/* Results have overwritten the padding: ekw_plane_fill clears it for each channel. */
EKW_BODY void ekw_plane_clear(const ekw_plane *plane, ekw_case kind) {
    (void)plane, (void)kind;
}

/* Rows in pieces of 8. The last piece of a row is filled with padding, which the next row overwrites. */
EKW_BODY void ekw_plane_fill(const ekw_node *node, const ekw_plane *plane, const uint8_t *input, ekw_case kind) {
    const int32_t width = node->in_shape.width, whole = node->in_shape.height * width - 8;
    const __m128i pad = _mm_set1_epi16((int16_t)ekw_pad_value(kind));
    const __m128i order = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
    for (int32_t i = 0; i < plane->rows * plane->columns; i += 32) {
        ekw_keep(plane->values + i, ekw_all((int32_t)((uint32_t)(uint16_t)ekw_pad_value(kind) * UINT32_C(0x00010001))));
    }
    int16_t *row = plane->values + node->pad[0] * plane->columns + node->pad[2];
    for (int32_t i = 0; i < node->in_shape.height * width; i += width, row += plane->columns) {
        for (int32_t j = 0; j < width; j += 8) {
            const int32_t left = width - j;
            const __m128i bytes = i + j <= whole ? _mm_loadl_epi64((const __m128i *)(const void *)(input + i + j))
                                                 : ekw_load_some(input + i + j, left < 8 ? left : 8);
            const __m128i x = kind.is_signed ? _mm_cvtepi8_epi16(bytes) : _mm_cvtepu8_epi16(bytes);
            const __m128i mask = _mm_cmpgt_epi16(_mm_set1_epi16((int16_t)(left < 8 ? left : 8)), order);
            _mm_storeu_si128((__m128i *)(void *)(row + j), _mm_blendv_epi8(pad, x, mask));
        }
    }
}

EKW_BODY void ekw_plane_weights(const ekw_plane *plane, const int8_t *filter, int32_t taps, ekw_case kind) {
    for (int32_t k = 0; k < taps; k++) {
        plane->weights[k] = (int16_t)ekw_weight(filter, k, kind.weight_bits);
    }
}

/* Sums of 32 neighbours; their order is that of ekw_zip_low and ekw_zip_high. */
typedef struct {
    ekw_lanes low;
    ekw_lanes high;
} ekw_sums;

EKW_BODY ekw_sums ekw_add_taps(ekw_sums acc, const int16_t *a, int32_t w_a, const int16_t *b, int32_t w_b) {
    const ekw_lanes x = ekw_load(a), y = ekw_load(b);
    const ekw_lanes w = ekw_all((int32_t)((uint32_t)(uint16_t)w_a | (uint32_t)w_b << 16));
    return (ekw_sums){ekw_dot_halves(acc.low, ekw_zip_low(x, y), w), ekw_dot_halves(acc.high, ekw_zip_high(x, y), w)};
}

EKW_BODY ekw_sums ekw_plane_sums3x3(const ekw_plane *plane, const int16_t *corner) {
    const int16_t *w = plane->weights, *second = corner + plane->columns, *third = second + plane->columns;
    ekw_sums acc = {ekw_all(0), ekw_all(0)};
    acc = ekw_add_taps(acc, corner, w[0], corner + 1, w[1]);
    acc = ekw_add_taps(acc, corner + 2, w[2], second, w[3]);
    acc = ekw_add_taps(acc, second + 1, w[4], second + 2, w[5]);
    acc = ekw_add_taps(acc, third, w[6], third + 1, w[7]);
    return ekw_add_taps(acc, third + 2, w[8], third + 2, 0);
}

EKW_BODY ekw_sums ekw_plane_sums(const ekw_node *node, const ekw_plane *plane, const int16_t *corner,
                                 ekw_case kind) {
    const int32_t down = ekw_dilation(kind, 0) * plane->columns, right = ekw_dilation(kind, 1);
    const int16_t *w = plane->weights;
    ekw_sums acc = {ekw_all(0), ekw_all(0)};
    for (int32_t i = 0; i < node->kernel[0]; i++, corner += down) {
        for (int32_t j = 0; j < node->kernel[1]; j++) {
            acc = ekw_add_taps(acc, corner + j * right, *w++, corner + j * right, 0);
        }
    }
    return acc;
}

/* The results of stride 1 at all positions, those that the stride steps over included, to the outputs. */
EKW_BODY void ekw_plane_take(const ekw_node *node, const uint8_t *results, int32_t columns, uint8_t *output) {
    const int32_t width = node->out_shape.width, down = node->stride[0] * columns, right = node->stride[1];
    const int32_t count = node->out_shape.height * width;
    for (int32_t i = 0; i < count; i += width, results += down) {
        int32_t j = 0;
        for (; right == 1 && j < width && i + j + 8 <= count; j += 8) {
            _mm_storel_epi64((__m128i *)(void *)(output + i + j), _mm_loadl_epi64((const __m128i *)(const void *)(results + j)));
        }
        for (; j < width; j++) {
            output[i + j] = results[j * right];
        }
    }
}

/* Bytes of results are written where the plane begins, behind the values that are still to be read. */
EKW_BODY void ekw_plane_run(const ekw_node *node, const ekw_plane *plane, int32_t channel, uint8_t *output,
                            ekw_case kind) {
    const bool is_3x3 = ekw_is_3x3(node, kind);
    const int32_t last_row = (node->out_shape.height - 1) * node->stride[0];
    const int32_t last = last_row * plane->columns + (node->out_shape.width - 1) * node->stride[1];
    uint8_t *results = (uint8_t *)plane->values;
    for (int32_t i = 0; i <= last; i += 32) {
        const int16_t *corner = plane->values + i;
        const ekw_sums acc = is_3x3 ? ekw_plane_sums3x3(plane, corner) : ekw_plane_sums(node, plane, corner, kind);
        const ekw_lanes low = ekw_requantized(&node->requant, acc.low, channel, kind);
        const ekw_lanes high = ekw_requantized(&node->requant, acc.high, channel, kind);
        ekw_keep_bytes(results + i, low, high);
    }
    ekw_plane_take(node, results, plane->columns, output);
}

#ifdef EKW_HAS_VNNI
#define EKW_HAS_SHORTCUT

typedef struct {
    ekw_seat *seats; /* [groups of 16 outputs][rows of the kernel][fours of its columns] */
    int32_t each;    /* seats of a group */
    uint8_t *copies; /* two channels, one being copied while the other is read */
    int32_t copy_bytes;
} ekw_table;

EKW_BODY ekw_table ekw_table_of(const ekw_node *node, uint8_t *scratch) {
    const int32_t each = EKW_TABLE_EACH(node);
    ekw_seat *seats = (ekw_seat *)(void *)ekw_to_line(scratch);
    return (ekw_table){seats, each, (uint8_t *)(seats + EKW_TABLE_GROUPS(node) * each), EKW_TABLE_COPY_BYTES(node)};
}

EKW_BODY bool ekw_table_fill(const ekw_table *table, const ekw_node *node) {
    const int32_t outputs = node->out_shape.height * node->out_shape.width, width = node->kernel[1];
    ekw_seat *seat = table->seats;
    bool fits = true;
    for (int32_t output = 0; fits && output < outputs; output += 16) {
        __m512i row, column;
        ekw_origins(node, output, &row, &column);
        for (int32_t i = 0; i < node->kernel[0]; i++) {
            for (int32_t j = 0; j < width; j += 4, seat++) {
                const int32_t taps = width - j < 4 ? width - j : 4;
                fits &= ekw_seat_fill(seat, node, ekw_plus(row, ekw_all(i)), ekw_plus(column, ekw_all(j)), taps) <= 64;
            }
        }
    }
    return fits;
}

/* Fours of weights into the first seats. Their sum, times the raise of the values, is the initial value of the sums. */
EKW_BODY int32_t ekw_table_weights(const ekw_table *table, const ekw_node *node, const int8_t *filter, ekw_case kind) {
    const int32_t width = node->kernel[1];
    int32_t sum = 0, tap = 0;
    ekw_seat *seat = table->seats;
    for (int32_t i = 0; i < node->kernel[0]; i++) {
        for (int32_t j = 0; j < width; j += 4, seat++) {
            uint32_t weights = 0;
            for (int32_t t = 0; t < 4 && j + t < width; t++, tap++) {
                const int32_t weight = ekw_weight(filter, tap, kind.weight_bits);
                weights |= (uint32_t)(uint8_t)weight << (8 * t);
                sum += weight;
            }
            seat->weights = (int32_t)weights;
        }
    }
    return -sum * ekw_raise(kind);
}

EKW_BODY void ekw_table_copy(uint8_t *to, const uint8_t *input, int32_t count, ekw_case kind) {
    for (int32_t i = 0; i < count; i += 64) {
        ekw_keep(to + i, ekw_plus_bytes(ekw_load_left(input + i, count - i), ekw_raise(kind)));
    }
}

EKW_BODY void ekw_table_run(const ekw_table *table, const ekw_node *node, const uint8_t *copy, int32_t channel,
                            int32_t raised, uint8_t *output, ekw_case kind) {
    const int32_t outputs = node->out_shape.height * node->out_shape.width;
    const ekw_seat *seat = table->seats;
    for (int32_t i = 0; i < outputs; i += 16) {
        ekw_lanes acc = ekw_all(raised);
        for (int32_t k = 0; k < table->each; k++, seat++) {
            const ekw_lanes x = _mm512_mask_permutexvar_epi8(ekw_padding(kind), seat->inside, ekw_load(seat->places),
                                                             ekw_load(copy + seat->start));
            acc = ekw_dot_taps(acc, x, ekw_all(table->seats[k].weights));
        }
        const ekw_lanes y = ekw_requantized(&node->requant, acc, channel, kind);
        ekw_keep16(output + i, ekw_bytes(y), outputs - i);
    }
}

EKW_BODY bool ekw_depthwise_shortcut(const ekw_node *node, const uint8_t *input, uint8_t *output, uint8_t *scratch,
                                     ekw_case kind) {
    const int32_t in_plane = node->in_shape.height * node->in_shape.width, channels = node->in_shape.channels;
    const int32_t out_plane = node->out_shape.height * node->out_shape.width;
    const int32_t stride = ekw_filter_stride(node->kernel[0] * node->kernel[1], kind.weight_bits);
    const ekw_table table = ekw_table_of(node, scratch);
    if (ekw_is_dilated(kind) || !ekw_table_fill(&table, node)) {
        return false;
    }
    ekw_table_copy(table.copies, input, in_plane, kind);
    for (int32_t c = 0; c < channels; c++, output += out_plane) {
        if (c + 1 < channels) {
            input += in_plane;
            ekw_table_copy(table.copies + ((c + 1) & 1) * table.copy_bytes, input, in_plane, kind);
        }
        const int32_t raised = ekw_table_weights(&table, node, node->weight + c * stride, kind);
        ekw_table_run(&table, node, table.copies + (c & 1) * table.copy_bytes, c, raised, output, kind);
    }
    return true;
}
#endif

#endif
