/* The inner loops for Arm's DSP extension (Cortex-M4, M7, M33): two products of 16 bits in one instruction.
 *
 * Values become int16 before they are multiplied, four taps at a time and in this order, which is what
 * SXTB16 and UXTB16 make of four bytes:
 *
 *     bytes t3 t2 t1 t0   ->   words (t2, t0), (t3, t1)
 *
 * Pixels and filters are interleaved in pairs, word by word, so that one LDM loads four taps of both:
 *
 *     packed pixels, unpacked filters   [pairs][taps / 4] a (t2, t0) | b (t2, t0) | a (t3, t1) | b (t3, t1)
 *     stages, EKW_SHIFT                 [pairs of filters] offset a | a | b | b | factor a | b
 *             EKW_FIXED                 offset a | b | mult a | b | added << 8 | shift of a | b
 *
 * factor = mult * 2^(32 - shift): then the high half of acc * factor is (acc * mult) >> shift. Where that is more than
 * 31 bits, weights and offset are made larger instead: Graph.check proves that acc * mult has 32 bits, and so has
 * acc * 2^gain, gain <= log2(mult).
 *
 * EKW_FIXED has a gain of 1: the high half of 2 acc * mult, plus what is added before the shift, is one SMMLAR. Added are
 * a half of what the shift divides by, and the zero point times that; negative numbers get one less, so that halves are
 * rounded away from zero. Outputs of 0 to 255 do not need that. */
#ifndef EKW_CORE_DSP_H
#define EKW_CORE_DSP_H

#include <arm_acle.h>

#include "kernels/panel.h"
#include "kernels/weights.h"

#define EKW_PIXELS_STEP 2
#define EKW_FILTERS_STEP 2
#define EKW_STAGE_BYTES 12
#define EKW_PACKED_SPARE 0
#define EKW_PIXEL_BYTES(taps) (EKW_ROUND_UP(taps, 4) * 2)
#define EKW_FILTER_BYTES(taps, bits) (EKW_ROUND_UP(taps, 4) * 2)
#define EKW_PIXEL_BLOCK 16
#define EKW_KEPT_BYTES 12288
#define EKW_UNPACKINGS 8

/* Functions that kernels of several cases share. The compiler still propagates what all kernels of an image have in
 * common, usually bits and rule, as constants. "cold" optimizes for size; the few loops that matter for speed are assembly, or "hot". */
#define EKW_SMALL static __attribute__((noinline, unused, cold))
#define EKW_HOT static __attribute__((noinline, unused, hot))
#define EKW_DRIVER EKW_SMALL

typedef struct {
    uint32_t even; /* (t2, t0) */
    uint32_t odd;  /* (t3, t1) */
} ekw_taps4;

EKW_BODY uint32_t ekw_load4(const void *bytes) {
    uint32_t word;
    __builtin_memcpy(&word, bytes, sizeof word); /* the address may be odd */
    return word;
}

EKW_BODY ekw_taps4 ekw_widen(uint32_t bytes, bool is_signed) {
    ekw_taps4 taps;
    if (is_signed) {
        __asm("sxtb16 %0, %1" : "=r"(taps.even) : "r"(bytes));
        __asm("sxtb16 %0, %1, ror #8" : "=r"(taps.odd) : "r"(bytes));
    } else {
        __asm("uxtb16 %0, %1" : "=r"(taps.even) : "r"(bytes));
        __asm("uxtb16 %0, %1, ror #8" : "=r"(taps.odd) : "r"(bytes));
    }
    return taps;
}

EKW_BODY uint32_t ekw_load2(const void *bytes) {
    uint16_t half;
    __builtin_memcpy(&half, bytes, sizeof half);
    return half;
}

/* (low half of high, low half of low), and of the high halves. */
EKW_BODY uint32_t ekw_low_halves(uint32_t high, uint32_t low) {
    uint32_t word;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(word) : "r"(low), "r"(high));
    return word;
}

EKW_BODY uint32_t ekw_high_halves(uint32_t high, uint32_t low) {
    uint32_t word;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(word) : "r"(high), "r"(low));
    return word;
}

/* Four weights of `bits` in the low bits of `field`, times 2^gain (4 and 2 bits only). With its sign bit flipped a
 * field is the weight plus 2^(bits - 1). */
EKW_BODY ekw_taps4 ekw_doubled(ekw_taps4 taps) {
    const int16x2_t even = (int16x2_t)taps.even, odd = (int16x2_t)taps.odd;
    return (ekw_taps4){(uint32_t)__sadd16(even, even), (uint32_t)__sadd16(odd, odd)};
}

EKW_BODY ekw_taps4 ekw_widen_weights(uint32_t field, int32_t bits, int32_t gain) {
    if (bits == 8) {
        return ekw_widen(field, true);
    }
    const uint32_t one = UINT32_C(0x00010001), sign = one << (bits - 1), mask = ((one << bits) - one) << gain;
    field |= field << (16 - 2 * bits); /* t2 is at bit 16 */
    field = (field ^ (sign | sign << bits)) << gain;
    const int16x2_t even = (int16x2_t)(field & mask), odd = (int16x2_t)(field >> bits & mask);
    const int16x2_t bias = (int16x2_t)(sign << gain);
    return (ekw_taps4){(uint32_t)__ssub16(even, bias), (uint32_t)__ssub16(odd, bias)};
}

/* Four weights, of which 1 to 4 exist: nothing beyond a filter is read. */
EKW_BODY uint32_t ekw_load_weights(const int8_t *weights, int32_t count, int32_t bits) {
    const uint8_t *bytes = (const uint8_t *)weights;
    if (count >= 4) {
        return bits == 8 ? ekw_load4(bytes) : bits == 4 ? ekw_load2(bytes) : bytes[0];
    }
    uint32_t field = 0;
    for (int32_t i = 0; i < (count * bits + 7) >> 3; i++) {
        field |= (uint32_t)bytes[i] << (8 * i);
    }
    return field;
}

EKW_BODY int32_t ekw_dot(const uint8_t *x, const int8_t *filter, int32_t length, ekw_case kind) {
    const int32_t bytes = kind.weight_bits / 2;
    int32_t acc = 0, k = 0;
    for (; k + 4 <= length; k += 4, filter += bytes) {
        const ekw_taps4 a = ekw_widen(ekw_load4(x + k), kind.is_signed);
        const ekw_taps4 b = ekw_widen_weights(ekw_load_weights(filter, 4, kind.weight_bits), kind.weight_bits, 0);
        acc = __smlad((int16x2_t)a.even, (int16x2_t)b.even, acc);
        acc = __smlad((int16x2_t)a.odd, (int16x2_t)b.odd, acc);
    }
    for (int32_t i = 0; k < length; k++, i++) {
        acc += ekw_at(x, k, kind.is_signed) * ekw_weight(filter, i, kind.weight_bits);
    }
    return acc;
}

/* USADA8 adds up four unsigned bytes; flipping the top bit of a signed one adds 128 to it. */
EKW_BODY int32_t ekw_sum(const uint8_t *x, int32_t count, ekw_case kind) {
    uint32_t acc = 0;
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        acc = __usada8(ekw_load4(x + i) ^ (kind.is_signed ? UINT32_C(0x80808080) : 0), 0, acc);
    }
    int32_t sum = (int32_t)acc - (kind.is_signed ? 128 * i : 0);
    for (; i < count; i++) {
        sum += ekw_at(x, i, kind.is_signed);
    }
    return sum;
}

/* The rule by which weights and offsets get a gain. Functions that are not inlined receive what it is made of, for the
 * compiler propagates only arguments that are passed on. */
EKW_BODY ekw_rule ekw_gain_rule(ekw_rule rule, const ekw_general *general) {
    return rule == EKW_GENERAL && general->is_near ? EKW_FIXED : rule;
}

EKW_SMALL int32_t ekw_gain(const ekw_requant *stage, int32_t channel, int32_t bits, ekw_rule rule,
                           const ekw_general *general) {
    if (ekw_gain_rule(rule, general) == EKW_FIXED) {
        return 1;
    }
    if (bits == 8 || rule != EKW_SHIFT) {
        return 0;
    }
    const int32_t log = 31 - __builtin_clz(((const uint8_t *)stage->mult)[channel]);
    const int32_t room = 32 - stage->shift[channel];
    return log < room ? log : room;
}

/* The factor of sums with a gain; 0 where it needs more than 31 bits: ekw_requantize scales such layers. */
EKW_BODY int32_t ekw_factor(const ekw_requant *stage, int32_t channel, int32_t gain) {
    const uint32_t mult = ((const uint8_t *)stage->mult)[channel];
    const int32_t shift = stage->shift[channel] + gain;
    return shift == 0 || mult >> (shift - 1) != 0 ? 0 : (int32_t)(mult << (32 - shift));
}

#include "kernels/cores/dsp_gemm.h"
#include "kernels/cores/dsp_plane.h"

#endif
