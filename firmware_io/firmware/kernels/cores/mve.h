/* The inner loops with Arm's M-profile vectors (MVE, "Helium", integers): 16 products of int8 an instruction.
 *
 *     packed pixels      [blocks of 4 pixels][vectors of 16 taps][4 pixels][16 taps] int8
 *     unpacked filters   [filters][taps, zeros up to a multiple of 16] int8; weights of 8 bits are read from
 *                        where they are
 *
 * There is no product of uint8 and int8: what is packed is x - 128 for inputs of uint8, the byte with its
 * highest bit flipped, and the offsets of the stages make up for it: sum(x * w) = sum((x - 128) * w) +
 * 128 * sum(w). What packed pixels hold beyond the last tap does not matter, there filters are 0. */
#ifndef EKW_CORE_MVE_H
#define EKW_CORE_MVE_H

#include <arm_mve.h>

#include "kernels/panel.h"
#include "kernels/weights.h"

#define EKW_PIXELS_STEP 4
#define EKW_FILTERS_STEP 2
#define EKW_STAGE_BYTES 4

#define EKW_LANES 16
#define EKW_PACKS_WINDOWS

/* Once for all kernels of a model. */
#define EKW_SHARED static __attribute__((noinline, unused))

EKW_BODY int32_t ekw_pixel_bytes(int32_t taps) {
    return (taps + EKW_LANES - 1) & -EKW_LANES;
}

EKW_BODY int32_t ekw_filter_bytes(int32_t taps, int32_t bits) {
    return bits == 8 ? 0 : ekw_pixel_bytes(taps);
}

/* What a byte of the input is xored with. */
EKW_BODY uint8_t ekw_flip(ekw_case kind) {
    return kind.is_signed ? 0 : 0x80;
}

/* Bytes of packed weights, each with number tap[lane] among them: that one, sign extended. */
EKW_BODY int8x16_t ekw_extracted(int8x16_t bytes, uint8x16_t taps, int32_t bits) {
    const int8x16_t place = vreinterpretq_s8_u8(vandq_u8(taps, vdupq_n_u8(bits == 4 ? 1 : 3)));
    const int8x16_t left = vshlq_s8(bytes, vmlaq_n_s8(vdupq_n_s8((int8_t)(8 - bits)), place, (int8_t)-bits));
    return bits == 8 ? bytes : bits == 4 ? vshrq_n_s8(left, 4) : vshrq_n_s8(left, 6);
}

/* Which byte of a packed filter has the weight. */
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

EKW_BODY void ekw_unpack(uint8_t *unpacked, const int8_t *weights, int32_t taps, int32_t filters, int32_t bits) {
    if (bits == 4) {
        ekw_unpack_4(unpacked, weights, taps, filters);
    } else if (bits == 2) {
        ekw_unpack_2(unpacked, weights, taps, filters);
    }
}

EKW_BODY int32_t ekw_offset(const ekw_node *node, int32_t channel, ekw_case kind) {
    return kind.rule == EKW_CLIP ? 0 : node->requant.offset[channel];
}

EKW_BODY int32_t ekw_weight_sum(const int8_t *w, int32_t taps, int32_t bits) {
    int32_t sum = 0;
    for (int32_t i = 0; i < taps >> 4; i++, w += 2 * bits) {
        sum = vaddvaq_s8(sum, ekw_weights_of(w, bits));
    }
    return vaddvaq_s8(sum, ekw_last_weights(w, taps & 15, bits));
}

/* A stage is the offset, with what makes up for x - 128. */
EKW_BODY void ekw_prepare_stages(uint8_t *stages, const ekw_node *node, int32_t taps, ekw_case kind) {
    const int32_t stride = ekw_filter_stride(taps, kind.weight_bits);
    const int8_t *filter = node->weight;
    for (int32_t f = 0; f < node->out_shape.channels; f++, filter += stride) {
        const int32_t sum = kind.is_signed ? 0 : ekw_weight_sum(filter, taps, kind.weight_bits);
        ((int32_t *)stages)[f] = ekw_offset(node, f, kind) + 128 * sum;
    }
}

/* ------------------------------------------------------------------ packing */

EKW_BODY uint8_t *ekw_slot(uint8_t *packed, int32_t taps, int32_t slot) {
    return packed + (slot >> 2) * 4 * ekw_pixel_bytes(taps) + (slot & 3) * EKW_LANES;
}

/* 8 channels of one pixel: a gather of bytes that are a plane apart. */
EKW_BODY void ekw_pack_8(uint8_t *to, const uint8_t *x, uint16x8_t planes, mve_pred16_t lanes, uint8_t flip) {
    vstrbq_u16(to, veorq_u16(vldrbq_gather_offset_z_u16(x, planes, lanes), vdupq_n_u16(flip)));
}

/* For planes so large that an index of 16 bits does not reach over eight of them. */
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
    const int32_t block = 4 * ekw_pixel_bytes(channels);
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

/* Up to 16 columns of one output pixel's window, from column `first` on: 0 where it leaves the input. */
EKW_BODY void ekw_pack_columns(const ekw_node *node, const uint8_t *input, int32_t top, int32_t left, int32_t first,
                               uint8_t *slot, uint8_t flip) {
    const int32_t height = node->in_shape.height, width = node->in_shape.width;
    const int32_t bottom = top + node->kernel[0], kernel = node->kernel[1];
    const ekw_taps columns = ekw_inside(left + first, kernel - first, width);
    const mve_pred16_t all = vctp8q((uint32_t)(kernel - first));
    const mve_pred16_t inside = vctp8q((uint32_t)columns.end) & (mve_pred16_t)~vctp8q((uint32_t)columns.begin);
    int32_t tap = first;
    for (int32_t c = 0; c < node->in_shape.channels; c++, input += height * width) {
        const uint8_t *row = input + top * width + left + first;
        for (int32_t i = top; i < bottom; i++, tap += kernel, row += width) {
            const bool is_inside = (uint32_t)i < (uint32_t)height;
            const uint8x16_t x = is_inside ? vldrbq_z_u8(row, inside) : vdupq_n_u8(0);
            slot += (tap >> 4) * 4 * EKW_LANES;
            tap &= EKW_LANES - 1;
            ekw_pack_row(slot, tap, veorq_u8(x, vdupq_n_u8(flip)), all);
        }
    }
}

EKW_SHARED void ekw_pack_some(const ekw_node *node, const uint8_t *input, int32_t pixel, uint8_t *slot, uint8_t flip) {
    const int32_t top = pixel / node->out_shape.width * node->stride[0] - node->pad[0];
    const int32_t left = pixel % node->out_shape.width * node->stride[1] - node->pad[2];
    for (int32_t first = 0; first < node->kernel[1]; first += EKW_LANES) {
        ekw_pack_columns(node, input, top, left, first, slot, flip);
    }
}

EKW_BODY void ekw_pack_window(const ekw_node *node, const uint8_t *input, int32_t pixel, uint8_t *packed, int32_t slot,
                              ekw_case kind) {
    const int32_t taps = node->kernel[0] * node->kernel[1] * node->in_shape.channels;
    ekw_pack_some(node, input, pixel, ekw_slot(packed, taps, slot), ekw_flip(kind));
}

/* ------------------------------------------------------------------ stages */

/* The stage of one channel, ready for vectors of sums. EKW_SHIFT: (acc * mult + offset) >> shift, the offset being
 * a product with mult already. */
typedef struct {
    int32_t offset;
    int32_t mult;
    int32_t left; /* minus shift */
} ekw_scaler;

EKW_BODY ekw_scaler ekw_scaler_of(const ekw_node *node, int32_t offset, int32_t channel, ekw_rule rule) {
    const ekw_requant *stage = &node->requant;
    if (rule == EKW_CLIP) {
        return (ekw_scaler){offset, 1, 0};
    }
    const int32_t left = -(int32_t)stage->shift[channel];
    if (rule == EKW_FIXED) {
        return (ekw_scaler){offset, ((const int32_t *)stage->mult)[channel], left};
    }
    const uint32_t mult = ((const uint8_t *)stage->mult)[channel];
    return (ekw_scaler){(int32_t)((uint32_t)offset * mult), (int32_t)mult, left};
}

/* vqrdmulh and vrshl are the two roundings of ekw_fixed_point, but vrshl takes halves up: one less before it,
 * where there is a shift, takes those of negative numbers away from zero. */
EKW_BODY int32x4_t ekw_scaled(int32x4_t acc, const ekw_scaler *scaler, ekw_rule rule) {
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

/* ------------------------------------------------------------------ panels */

/* Two filters at blocks of four pixels. The order is that of the assembly below. */
typedef struct {
    const uint8_t *x;      /* pixels and filters from the last vector of taps on */
    const uint8_t *filter[2];
    int32_t before;        /* taps before that vector */
    int32_t offset[2];
    int32_t left[2];
    int32_t mult[2];
    uint8_t *output[2];
    const uint8_t *end;    /* where x is after the last block */
    uint32_t lanes;        /* with taps in the last vector, as a predicate */
    int32_t lo;
    int32_t hi;
} ekw_job;

/* 16 taps of two filters, in q0 and q1, at four pixels. The 8 sums take every even register, where vmladav wants
 * them: r0, r2, r4, r6 those of the first filter. With that no register is left over, and compilers spill. */
#define EKW_STEP(vmladav, first)                                                                             \
    "vldrw.32 q2, [r1" first "\n\t"                                                                          \
    "vldrw.32 q3, [r1, #16]\n\t" vmladav " r0, q2, q0\n\t" vmladav " r8, q2, q1\n\t"                         \
    "vldrw.32 q2, [r1, #32]\n\t" vmladav " r2, q3, q0\n\t" vmladav " r10, q3, q1\n\t"                        \
    "vldrw.32 q3, [r1, #48]\n\t" vmladav " r4, q2, q0\n\t" vmladav " r12, q2, q1\n\t"                        \
    vmladav " r6, q3, q0\n\t" vmladav " lr, q3, q1\n\t"

/* The stages of q2 and q3; q6, q7: the multipliers or, for EKW_FIXED, the shifts. See ekw_scaled. */
#define EKW_LOAD_CLIP ""
#define EKW_LOAD_SHIFT "vdup.32 q6, r4\n\tvdup.32 q7, r6\n\t"
#define EKW_LOAD_FIXED "vdup.32 q6, r0\n\tvdup.32 q7, r2\n\t"
#define EKW_SCALE_CLIP "vadd.i32 q2, q2, r0\n\tvadd.i32 q3, q3, r2\n\t"
#define EKW_SCALE_SHIFT                                                                                      \
    "vmlas.s32 q2, q6, r0\n\tvmlas.s32 q3, q7, r2\n\t"                                                       \
    "vshl.s32 q2, r4\n\tvshl.s32 q3, r6\n\t"
#define EKW_SCALE_FIXED                                                                                      \
    "vadd.i32 q2, q2, r0\n\tvadd.i32 q3, q3, r2\n\t"                                                         \
    "ldrd r0, r2, [r11, #32]\n\t"                                                                            \
    "vqrdmulh.s32 q2, q2, r0\n\tvqrdmulh.s32 q3, q3, r2\n\t"                                                 \
    "vand q0, q2, q6\n\tvand q1, q3, q7\n\t"                                                                 \
    "vshr.s32 q0, q0, #31\n\tvshr.s32 q1, q1, #31\n\t"                                                       \
    "vqadd.s32 q2, q2, q0\n\tvqadd.s32 q3, q3, q1\n\t"                                                       \
    "vrshl.s32 q2, r4\n\tvrshl.s32 q3, r6\n\t"

/* The last vector comes first, as its taps may be fewer than 16 and its sums begin with nothing; then back to the
 * first one. r1: pixels; r3, r5: filters; r7: taps before the last vector; r9 counts them down. */
#define EKW_BLOCKS(load, scale)                                                                              \
    "ldrd r1, r3, [r11]\n\tldrd r5, r7, [r11, #8]\n\t"                                                       \
    "ldrd r0, r2, [r11, #24]\n\tldrd r4, r6, [r11, #32]\n\t" load                                            \
    "ldrd r8, r0, [r11, #52]\n\tvmsr p0, r8\n\tvdup.32 q4, r0\n\t"                                           \
    "ldr r0, [r11, #60]\n\tvdup.32 q5, r0\n"                                                                 \
    "1:\n\t"                                                                                                 \
    "vpstt\n\tvldrbt.8 q0, [r3]\n\tvldrbt.8 q1, [r5]\n\t" EKW_STEP("vmladav.s8", "]")                        \
    "movs r9, r7\n\t"                                                                                        \
    "beq 3f\n"                                                                                               \
    "2:\n\t"                                                                                                 \
    "vldrb.8 q0, [r3, #-16]!\n\tvldrb.8 q1, [r5, #-16]!\n\t" EKW_STEP("vmladava.s8", ", #-64]!")             \
    "subs r9, #16\n\t"                                                                                       \
    "bne 2b\n\t"                                                                                             \
    "add r3, r7\n\tadd r5, r7\n"                                                                             \
    "3:\n\t"                                                                                                 \
    "vmov q2[2], q2[0], r0, r4\n\tvmov q2[3], q2[1], r2, r6\n\t"                                             \
    "vmov q3[2], q3[0], r8, r12\n\tvmov q3[3], q3[1], r10, lr\n\t"                                           \
    "ldrd r0, r2, [r11, #16]\n\tldrd r4, r6, [r11, #24]\n\t" scale                                           \
    "vmax.s32 q2, q2, q4\n\tvmax.s32 q3, q3, q4\n\t"                                                         \
    "vmin.s32 q2, q2, q5\n\tvmin.s32 q3, q3, q5\n\t"                                                         \
    "ldrd r0, r2, [r11, #40]\n\t"                                                                            \
    "vstrb.32 q2, [r0], #4\n\tvstrb.32 q3, [r2], #4\n\t"                                                     \
    "strd r0, r2, [r11, #40]\n\t"                                                                            \
    "ldr r0, [r11, #48]\n\t"                                                                                 \
    "add r1, r1, r7, lsl #3\n\t"                                                                             \
    "adds r1, #64\n\t"                                                                                       \
    "cmp r1, r0\n\t"                                                                                         \
    "bne 1b"

#define EKW_RUN(job, load, scale)                                                                            \
    register ekw_job *const at __asm("r11") = job;                                                           \
    __asm volatile(EKW_BLOCKS(load, scale)                                                                   \
                   :                                                                                         \
                   : "r"(at)                                                                                 \
                   : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r12", "lr", "q0",   \
                     "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory")

EKW_SHARED void ekw_run_clip(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_CLIP, EKW_SCALE_CLIP);
}

EKW_SHARED void ekw_run_shift(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_SHIFT, EKW_SCALE_SHIFT);
}

EKW_SHARED void ekw_run_fixed(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_FIXED, EKW_SCALE_FIXED);
}

EKW_BODY void ekw_job_run(ekw_job *job, ekw_rule rule) {
    if (rule == EKW_CLIP) {
        ekw_run_clip(job);
    } else if (rule == EKW_SHIFT) {
        ekw_run_shift(job);
    } else {
        ekw_run_fixed(job);
    }
}

/* Fewer than four pixels: to a place of their own first. */
EKW_BODY void ekw_job_rest(ekw_job *job, int32_t count, int32_t block, ekw_rule rule) {
    uint8_t some[2][4], *output[2] = {job->output[0], job->output[1]};
    job->x = job->end;
    job->end += block;
    job->output[0] = some[0], job->output[1] = some[1];
    ekw_job_run(job, rule);
    for (int32_t i = 0; i < count; i++) {
        output[0][i] = some[0][i];
        output[1][i] = some[1][i];
    }
}

/* Filter number f and its neighbour; the last one of an odd number is computed twice. */
EKW_BODY void ekw_strip(const ekw_node *node, const ekw_panel *panel, int32_t taps, int32_t f, ekw_rule rule) {
    const int32_t bytes = ekw_pixel_bytes(taps), before = bytes - EKW_LANES, count = panel->pixel_count;
    ekw_job job;
    job.before = before, job.lo = node->requant.lo, job.hi = node->requant.hi;
    for (int32_t i = 0; i < 2; i++) {
        const int32_t g = i != 0 && f + 1 < panel->filter_count ? f + 1 : f, channel = panel->first_filter + g;
        const ekw_scaler a = ekw_scaler_of(node, ((const int32_t *)panel->stages)[channel], channel, rule);
        job.filter[i] = panel->filters + g * taps + before;
        job.offset[i] = a.offset, job.mult[i] = a.mult, job.left[i] = a.left;
        job.output[i] = panel->output + g * panel->plane;
    }
    job.x = panel->pixels + 4 * before;
    job.end = job.x + 4 * bytes * (count >> 2);
    job.lanes = vctp8q((uint32_t)(taps - before));
    if (job.end != job.x) {
        ekw_job_run(&job, rule);
    }
    if ((count & 3) != 0) {
        ekw_job_rest(&job, count & 3, 4 * bytes, rule);
    }
}

EKW_BODY void ekw_strips(const ekw_node *node, const ekw_panel *panel, int32_t taps, ekw_rule rule) {
    for (int32_t f = 0; f < panel->filter_count; f += 2) {
        ekw_strip(node, panel, taps, f, rule);
    }
}

EKW_SHARED void ekw_strips_clip(const ekw_node *node, const ekw_panel *panel, int32_t taps) {
    ekw_strips(node, panel, taps, EKW_CLIP);
}

EKW_SHARED void ekw_strips_shift(const ekw_node *node, const ekw_panel *panel, int32_t taps) {
    ekw_strips(node, panel, taps, EKW_SHIFT);
}

EKW_SHARED void ekw_strips_fixed(const ekw_node *node, const ekw_panel *panel, int32_t taps) {
    ekw_strips(node, panel, taps, EKW_FIXED);
}

EKW_BODY void ekw_panel_run(const ekw_node *node, const ekw_panel *panel, ekw_case kind) {
    const int32_t unpacked = ekw_filter_bytes(panel->taps, kind.weight_bits);
    const int32_t taps = unpacked == 0 ? panel->taps : unpacked;
    if (kind.rule == EKW_CLIP) {
        ekw_strips_clip(node, panel, taps);
    } else if (kind.rule == EKW_SHIFT) {
        ekw_strips_shift(node, panel, taps);
    } else {
        ekw_strips_fixed(node, panel, taps);
    }
}

/* ------------------------------------------------------------------ vectors */

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

#include "kernels/cores/mve_plane.h"

#endif
