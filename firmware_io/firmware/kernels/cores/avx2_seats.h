/* Gather tables (seats): the inputs of neighbouring outputs of a convolution, moved by one byte permutation. */
#ifndef EKW_AVX2_SEATS_H
#define EKW_AVX2_SEATS_H

#include "kernels/cores/x86.h"

#define EKW_SEAT_BYTES 128

#ifdef EKW_HAS_VNNI

/* The inputs of 16 neighbouring outputs for four taps of a row: byte i of lane l is at places[4 * l + i] from `start`
 * on, where `inside` is set; the others read padding. */
typedef struct {
    uint8_t places[64];
    uint64_t inside;
    int32_t start;
    int32_t weights; /* of the current channel; in the seats of the first 16 outputs */
    uint8_t unused[48];
} ekw_seat;

_Static_assert(sizeof(ekw_seat) == EKW_SEAT_BYTES, "the sizes of scratch memory count seats");

/* row, column: of the first of the four taps, for 16 outputs. Returns how many bytes from `start` on they read. */
EKW_BODY int32_t ekw_seat_fill(ekw_seat *seat, const ekw_node *node, __m512i row, __m512i column, int32_t taps) {
    const __m512i height = ekw_all(node->in_shape.height), width = ekw_all(node->in_shape.width);
    const __mmask16 rows = _mm512_cmplt_epu32_mask(row, height);
    seat->inside = 0;
    for (int32_t i = 0; i < taps; i++) {
        const __mmask16 inside = _mm512_mask_cmplt_epu32_mask(rows, ekw_plus(column, ekw_all(i)), width);
        seat->inside |= _pdep_u64(inside, UINT64_C(0x1111111111111111) << i);
    }
    const __m512i first = ekw_plus(ekw_times(row, width), column);
    const int32_t least = _mm512_mask_reduce_min_epi32(rows, first), most = _mm512_mask_reduce_max_epi32(rows, first);
    seat->start = rows == 0 || least < 0 ? 0 : least;
    const __m512i offset = ekw_plus(first, ekw_all(-seat->start));
    const __m512i low_byte = _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C));
    ekw_keep(seat->places, _mm512_add_epi8(_mm512_shuffle_epi8(offset, low_byte), ekw_all(0x03020100)));
    return rows == 0 ? 0 : most + 4 - seat->start;
}

/* Rows and columns of 16 outputs from `output` on, in steps of the input. */
EKW_BODY void ekw_origins(const ekw_node *node, int32_t output, __m512i *row, __m512i *column) {
    int32_t rows[16], columns[16], i = output / node->out_shape.width, j = output % node->out_shape.width;
    for (int32_t lane = 0; lane < 16; lane++) {
        rows[lane] = i * node->stride[0] - node->pad[0];
        columns[lane] = j * node->stride[1] - node->pad[2];
        if (++j == node->out_shape.width) {
            j = 0, i++;
        }
    }
    *row = ekw_load(rows), *column = ekw_load(columns);
}

/* Up to 64 bytes; those beyond the first `left` are 0 and are not read. */
EKW_BODY ekw_lanes ekw_load_left(const uint8_t *from, int32_t left) {
    const __mmask64 some = left < 64 ? (UINT64_C(1) << (left < 0 ? 0 : left)) - 1 : ~UINT64_C(0);
    return _mm512_maskz_loadu_epi8(some, from);
}

/* The taps of a seat out of up to 128 bytes of a plane; padding is 0. */
EKW_BODY ekw_lanes ekw_seated(const ekw_seat *seat, const uint8_t *plane, int32_t size) {
    const ekw_lanes first = ekw_load_left(plane + seat->start, size - seat->start);
    const int32_t next = seat->start + 64 < size ? seat->start + 64 : size;
    const ekw_lanes second = ekw_load_left(plane + next, size - next);
    return _mm512_maskz_permutex2var_epi8(seat->inside, first, ekw_load(seat->places), second);
}

#endif

#endif
