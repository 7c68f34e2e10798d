/* Sixteen 32-bit integers at once: one register of AVX-512, or two of AVX2. */
#ifndef EKW_X86_H
#define EKW_X86_H

#include <immintrin.h>

#include "kernels/inner.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#define EKW_REGISTERS 32

typedef __m512i ekw_lanes;

EKW_BODY ekw_lanes ekw_all(int32_t value) {
    return _mm512_set1_epi32(value);
}

EKW_BODY ekw_lanes ekw_load(const void *from) {
    return _mm512_loadu_si512(from);
}

EKW_BODY void ekw_keep(void *to, ekw_lanes x) {
    _mm512_storeu_si512(to, x);
}

/* 16 bytes to 16 lanes. */
EKW_BODY ekw_lanes ekw_widen(__m128i bytes, bool is_signed) {
    return is_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
}

/* 32 bytes to 32 halves of lanes. */
EKW_BODY ekw_lanes ekw_widen_to_halves(__m256i x, bool is_signed) {
    return is_signed ? _mm512_cvtepi8_epi16(x) : _mm512_cvtepu8_epi16(x);
}

/* acc + a.low * b.low + a.high * b.high, of signed halves */
EKW_BODY ekw_lanes ekw_dot_halves(ekw_lanes acc, ekw_lanes a, ekw_lanes b) {
#ifdef __AVX512VNNI__
    return _mm512_dpwssd_epi32(acc, a, b);
#else
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
#endif
}

#if defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
#define EKW_HAS_VNNI

/* acc + the four products of unsigned bytes of `x` and signed bytes of `w`. Around the intrinsic gcc 12 copies every
 * sum of a tile to another register and some to the stack, in each round of the inner loop. */
EKW_BODY ekw_lanes ekw_dot_taps(ekw_lanes acc, ekw_lanes x, ekw_lanes w) {
#ifdef __clang__
    return _mm512_dpbusd_epi32(acc, x, w);
#else
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
    return acc;
#endif
}

EKW_BODY ekw_lanes ekw_plus_bytes(ekw_lanes x, int32_t value) {
    return value == 0 ? x : _mm512_add_epi8(x, _mm512_set1_epi8((char)value));
}

/* Four rows of 16 bytes to 16 lanes of four. */
EKW_BODY ekw_lanes ekw_transposed(const __m128i rows[4]) {
    const __m128i low = _mm_unpacklo_epi8(rows[0], rows[1]), high = _mm_unpackhi_epi8(rows[0], rows[1]);
    const __m128i next_low = _mm_unpacklo_epi8(rows[2], rows[3]), next_high = _mm_unpackhi_epi8(rows[2], rows[3]);
    const __m256i first = _mm256_set_m128i(_mm_unpackhi_epi16(low, next_low), _mm_unpacklo_epi16(low, next_low));
    const __m256i last = _mm256_set_m128i(_mm_unpackhi_epi16(high, next_high), _mm_unpacklo_epi16(high, next_high));
    return _mm512_inserti64x4(_mm512_castsi256_si512(first), last, 1);
}
#endif

/* {a0, b0, a1, b1, ...} of the halves in the lower or upper 8 bytes of each 16. */
EKW_BODY ekw_lanes ekw_zip_low(ekw_lanes a, ekw_lanes b) {
    return _mm512_unpacklo_epi16(a, b);
}

EKW_BODY ekw_lanes ekw_zip_high(ekw_lanes a, ekw_lanes b) {
    return _mm512_unpackhi_epi16(a, b);
}

/* low: even halves; high: odd halves, both taken from the lower end of lanes. */
EKW_BODY ekw_lanes ekw_pairs(ekw_lanes low, ekw_lanes high) {
    return _mm512_mask_blend_epi16(0xAAAAAAAA, low, _mm512_slli_epi32(high, 16));
}

EKW_BODY ekw_lanes ekw_plus(ekw_lanes a, ekw_lanes b) {
    return _mm512_add_epi32(a, b);
}

EKW_BODY ekw_lanes ekw_times(ekw_lanes a, ekw_lanes b) {
    return _mm512_mullo_epi32(a, b);
}

EKW_BODY ekw_lanes ekw_shifted(ekw_lanes x, int32_t shift) {
    return _mm512_sra_epi32(x, _mm_cvtsi32_si128(shift));
}

EKW_BODY ekw_lanes ekw_within(ekw_lanes x, int32_t lo, int32_t hi) {
    return _mm512_min_epi32(_mm512_max_epi32(x, ekw_all(lo)), ekw_all(hi));
}

/* (a * b + 2^30) >> 31 of 64-bit products. */
EKW_BODY ekw_lanes ekw_high_product(ekw_lanes a, ekw_lanes b) {
    const __m512i half = _mm512_set1_epi64(INT64_C(1) << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, b), half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32)), half);
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
}

/* x + 1 where a > b */
EKW_BODY ekw_lanes ekw_one_more_where(ekw_lanes x, ekw_lanes a, ekw_lanes b) {
    return _mm512_mask_add_epi32(x, _mm512_cmpgt_epi32_mask(a, b), x, ekw_all(1));
}

EKW_BODY ekw_lanes ekw_and(ekw_lanes a, ekw_lanes b) {
    return _mm512_and_si512(a, b);
}

EKW_BODY __m128i ekw_bytes(ekw_lanes x) {
    return _mm512_cvtepi32_epi8(x);
}

/* Undoes the order of ekw_zip_low and ekw_zip_high: 32 bytes. */
EKW_BODY void ekw_keep_bytes(void *to, ekw_lanes low, ekw_lanes high) {
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi16_epi8(_mm512_packs_epi32(low, high)));
}

EKW_BODY __m128i ekw_load_some(const uint8_t *from, int32_t count) {
    return _mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), from);
}

EKW_BODY void ekw_keep_some(uint8_t *to, __m128i bytes, int32_t count) {
    _mm_mask_storeu_epi8(to, (__mmask16)((1u << count) - 1), bytes);
}

EKW_BODY int32_t ekw_total(ekw_lanes x) {
    return _mm512_reduce_add_epi32(x);
}

#else
#define EKW_REGISTERS 16

typedef struct {
    __m256i low;
    __m256i high;
} ekw_lanes;

EKW_BODY ekw_lanes ekw_all(int32_t value) {
    return (ekw_lanes){_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}

EKW_BODY ekw_lanes ekw_load(const void *from) {
    const __m256i *at = (const __m256i *)from;
    return (ekw_lanes){_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}

EKW_BODY void ekw_keep(void *to, ekw_lanes x) {
    _mm256_storeu_si256((__m256i *)to, x.low);
    _mm256_storeu_si256((__m256i *)to + 1, x.high);
}

EKW_BODY ekw_lanes ekw_widen(__m128i bytes, bool is_signed) {
    const __m128i upper = _mm_srli_si128(bytes, 8);
    return is_signed ? (ekw_lanes){_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(upper)}
                     : (ekw_lanes){_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(upper)};
}

EKW_BODY ekw_lanes ekw_widen_to_halves(__m256i x, bool is_signed) {
    const __m128i low = _mm256_castsi256_si128(x), high = _mm256_extracti128_si256(x, 1);
    return is_signed ? (ekw_lanes){_mm256_cvtepi8_epi16(low), _mm256_cvtepi8_epi16(high)}
                     : (ekw_lanes){_mm256_cvtepu8_epi16(low), _mm256_cvtepu8_epi16(high)};
}

EKW_BODY ekw_lanes ekw_plus(ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

EKW_BODY ekw_lanes ekw_dot_halves(ekw_lanes acc, ekw_lanes a, ekw_lanes b) {
    return ekw_plus(acc, (ekw_lanes){_mm256_madd_epi16(a.low, b.low), _mm256_madd_epi16(a.high, b.high)});
}

EKW_BODY ekw_lanes ekw_zip_low(ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){_mm256_unpacklo_epi16(a.low, b.low), _mm256_unpacklo_epi16(a.high, b.high)};
}

EKW_BODY ekw_lanes ekw_zip_high(ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){_mm256_unpackhi_epi16(a.low, b.low), _mm256_unpackhi_epi16(a.high, b.high)};
}

EKW_BODY ekw_lanes ekw_pairs(ekw_lanes low, ekw_lanes high) {
    return (ekw_lanes){_mm256_blend_epi16(low.low, _mm256_slli_epi32(high.low, 16), 0xAA),
                       _mm256_blend_epi16(low.high, _mm256_slli_epi32(high.high, 16), 0xAA)};
}

EKW_BODY ekw_lanes ekw_times(ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
}

EKW_BODY ekw_lanes ekw_shifted(ekw_lanes x, int32_t shift) {
    const __m128i count = _mm_cvtsi32_si128(shift);
    return (ekw_lanes){_mm256_sra_epi32(x.low, count), _mm256_sra_epi32(x.high, count)};
}

EKW_BODY ekw_lanes ekw_within(ekw_lanes x, int32_t lo, int32_t hi) {
    const __m256i least = _mm256_set1_epi32(lo), most = _mm256_set1_epi32(hi);
    return (ekw_lanes){_mm256_min_epi32(_mm256_max_epi32(x.low, least), most),
                       _mm256_min_epi32(_mm256_max_epi32(x.high, least), most)};
}

EKW_BODY __m256i ekw_high_product8(__m256i a, __m256i b) {
    const __m256i half = _mm256_set1_epi64x(INT64_C(1) << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
}

EKW_BODY ekw_lanes ekw_high_product(ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){ekw_high_product8(a.low, b.low), ekw_high_product8(a.high, b.high)};
}

EKW_BODY ekw_lanes ekw_one_more_where(ekw_lanes x, ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){_mm256_sub_epi32(x.low, _mm256_cmpgt_epi32(a.low, b.low)),
                       _mm256_sub_epi32(x.high, _mm256_cmpgt_epi32(a.high, b.high))};
}

EKW_BODY ekw_lanes ekw_and(ekw_lanes a, ekw_lanes b) {
    return (ekw_lanes){_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}

/* The lowest byte of each half. */
EKW_BODY __m256i ekw_low_bytes(__m256i low, __m256i high) {
    const __m256i byte = _mm256_set1_epi16(0xFF);
    const __m256i mixed = _mm256_packus_epi16(_mm256_and_si256(low, byte), _mm256_and_si256(high, byte));
    return _mm256_permute4x64_epi64(mixed, 0xD8);
}

EKW_BODY __m128i ekw_bytes(ekw_lanes x) {
    const __m256i halves = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xD8);
    return _mm256_castsi256_si128(ekw_low_bytes(halves, halves));
}

EKW_BODY void ekw_keep_bytes(void *to, ekw_lanes low, ekw_lanes high) {
    const __m256i first = _mm256_packs_epi32(low.low, high.low), second = _mm256_packs_epi32(low.high, high.high);
    _mm256_storeu_si256((__m256i *)to, ekw_low_bytes(first, second));
}

EKW_BODY __m128i ekw_load_some(const uint8_t *from, int32_t count) {
    uint8_t some[16] = {0};
    for (int32_t i = 0; i < count; i++) {
        some[i] = from[i];
    }
    return _mm_loadu_si128((const __m128i *)some);
}

EKW_BODY void ekw_keep_some(uint8_t *to, __m128i bytes, int32_t count) {
    uint8_t some[16];
    _mm_storeu_si128((__m128i *)some, bytes);
    for (int32_t i = 0; i < count; i++) {
        to[i] = some[i];
    }
}

EKW_BODY int32_t ekw_total(ekw_lanes x) {
    int32_t parts[8], sum = 0;
    _mm256_storeu_si256((__m256i *)parts, _mm256_add_epi32(x.low, x.high));
    for (int32_t i = 0; i < 8; i++) {
        sum += parts[i];
    }
    return sum;
}

#endif

#ifndef EKW_HAS_VNNI
EKW_BODY ekw_lanes ekw_dot_taps(ekw_lanes acc, ekw_lanes x, ekw_lanes w) {
    return ekw_dot_halves(acc, x, w);
}
#endif

EKW_BODY __m256i ekw_load32(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}

EKW_BODY __m128i ekw_load16(const uint8_t *from, int32_t count) {
    return count >= 16 ? _mm_loadu_si128((const __m128i *)from) : ekw_load_some(from, count);
}

EKW_BODY void ekw_keep16(uint8_t *to, __m128i bytes, int32_t count) {
    if (count >= 16) {
        _mm_storeu_si128((__m128i *)to, bytes);
    } else {
        ekw_keep_some(to, bytes, count);
    }
}

/* gemmlowp's two roundings, as ekw_fixed_point of inner.h. */
EKW_BODY ekw_lanes ekw_fixed_points(ekw_lanes total, int32_t mult, int32_t shift) {
    const int32_t mask = (int32_t)((UINT32_C(1) << shift) - 1);
    const ekw_lanes high = ekw_high_product(total, ekw_all(mult));
    const ekw_lanes threshold = ekw_one_more_where(ekw_all(mask >> 1), ekw_all(0), high);
    return ekw_one_more_where(ekw_shifted(high, shift), ekw_and(high, ekw_all(mask)), threshold);
}

/* One by one: an import has few such nodes. */
EKW_SHARED ekw_lanes ekw_requantized_general(const ekw_general *general, ekw_lanes acc, int32_t channel) {
    const int32_t offset = ekw_general_offset(general, channel);
    int32_t lanes[16];
    ekw_keep(lanes, acc);
    for (int32_t i = 0; i < 16; i++) {
        lanes[i] = ekw_scaled_general(general, lanes[i] + offset, channel);
    }
    return ekw_within(ekw_load(lanes), general->node.requant.lo, general->node.requant.hi);
}

/* The requantization of one channel, as ekw_requantize of inner.h. */
EKW_BODY ekw_lanes ekw_requantized(const ekw_requant *stage, ekw_lanes acc, int32_t channel, ekw_case kind) {
    const ekw_rule rule = kind.rule;
    if (rule == EKW_GENERAL) {
        return ekw_requantized_general(kind.general, acc, channel);
    }
    if (rule != EKW_CLIP) {
        acc = ekw_plus(acc, ekw_all(stage->offset[channel]));
    }
    if (rule == EKW_SHIFT) {
        acc = ekw_times(acc, ekw_all(((const uint8_t *)stage->mult)[channel]));
        acc = ekw_shifted(acc, stage->shift[channel]);
    } else if (rule == EKW_FIXED) {
        acc = ekw_fixed_points(acc, ((const int32_t *)stage->mult)[channel], stage->shift[channel]);
    }
    return ekw_within(acc, stage->lo, stage->hi);
}

#endif
