/* Panels for cores/mve.h: two filters at four pixels, 8 sums, for every vector of taps 6 loads and 8 instructions of
 * 16 products each. */
#ifndef EKW_CORE_MVE_PANEL_H
#define EKW_CORE_MVE_PANEL_H

#include <stddef.h>

/* Two filters at blocks of four pixels. The assembly below knows the order. */
typedef struct {
    const uint8_t *x;         /* pixels, from the last vector of taps on */
    const uint8_t *filter[2]; /* likewise */
    int32_t before;           /* taps before that vector */
    int32_t offset[2];        /* see ekw_scaler */
    int32_t left[2];
    int32_t mult[2];
    uint8_t *output[2];
    const uint8_t *end; /* where x is after the last block */
    uint32_t lanes;     /* with taps in the last vector, as a predicate */
    int32_t lo;
    int32_t hi;
} ekw_job;

_Static_assert(offsetof(ekw_job, offset) == 16 && offsetof(ekw_job, output) == 40 && offsetof(ekw_job, hi) == 60,
               "the assembly reads an ekw_job");

/* 16 taps of two filters, in q0 and q1, at four pixels. The 8 sums take every even register, as vmladav requires:
 * r0, r2, r4, r6 those of the first filter. No register is left, and compilers spill. */
#define EKW_STEP(vmladav, first)                                                                             \
    "vldrw.32 q2, [r1" first "\n\t"                                                                          \
    "vldrw.32 q3, [r1, #16]\n\t" vmladav " r0, q2, q0\n\t" vmladav " r8, q2, q1\n\t"                         \
    "vldrw.32 q2, [r1, #32]\n\t" vmladav " r2, q3, q0\n\t" vmladav " r10, q3, q1\n\t"                        \
    "vldrw.32 q3, [r1, #48]\n\t" vmladav " r4, q2, q0\n\t" vmladav " r12, q2, q1\n\t"                        \
    vmladav " r6, q3, q0\n\t" vmladav " lr, q3, q1\n\t"

/* The requantization of q2 and q3; q6, q7: the multipliers or, for EKW_FIXED, the shifts. See ekw_lanes_scaled. */
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

/* Four outputs of each filter; or their sums. */
#define EKW_STORE_BYTES                                                                                      \
    "vmax.s32 q2, q2, q4\n\tvmax.s32 q3, q3, q4\n\t"                                                         \
    "vmin.s32 q2, q2, q5\n\tvmin.s32 q3, q3, q5\n\t"                                                         \
    "vstrb.32 q2, [r0], #4\n\tvstrb.32 q3, [r2], #4\n\t"
#define EKW_STORE_SUMS "vstrw.32 q2, [r0], #16\n\tvstrw.32 q3, [r2], #16\n\t"

/* The last vector comes first, as its taps may be fewer than 16 and its sums start at zero; then the others from the
 * first on. r1: pixels; r3, r5: filters; r7: taps before the last vector; r9 counts them down. */
#define EKW_BLOCKS(load, scale, store)                                                                       \
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
    "ldrd r0, r2, [r11, #40]\n\t" store                                                                      \
    "strd r0, r2, [r11, #40]\n\t"                                                                            \
    "ldr r0, [r11, #48]\n\t"                                                                                 \
    "add r1, r1, r7, lsl #3\n\t"                                                                             \
    "adds r1, #64\n\t"                                                                                       \
    "cmp r1, r0\n\t"                                                                                         \
    "bne 1b"

#define EKW_RUN(job, load, scale, store)                                                                     \
    register ekw_job *const at __asm("r11") = job;                                                           \
    __asm volatile(EKW_BLOCKS(load, scale, store)                                                            \
                   :                                                                                         \
                   : "r"(at)                                                                                 \
                   : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r12", "lr", "q0",   \
                     "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory")

EKW_SHARED void ekw_run_clip(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_CLIP, EKW_SCALE_CLIP, EKW_STORE_BYTES);
}

EKW_SHARED void ekw_run_shift(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_SHIFT, EKW_SCALE_SHIFT, EKW_STORE_BYTES);
}

EKW_SHARED void ekw_run_fixed(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_FIXED, EKW_SCALE_FIXED, EKW_STORE_BYTES);
}

/* job->output: of int32. */
EKW_SHARED void ekw_run_sums(ekw_job *job) {
    EKW_RUN(job, EKW_LOAD_CLIP, EKW_SCALE_CLIP, EKW_STORE_SUMS);
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

/* Fewer than four pixels: to a temporary first. */
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
    const int32_t bytes = EKW_PIXEL_BYTES(taps), before = bytes - EKW_LANES, count = panel->pixel_count;
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

#define EKW_SUMS_BLOCKS 8 /* of four pixels */

/* Up to EKW_SUMS_BLOCKS blocks of job->x, requantized. */
EKW_BODY void ekw_general_blocks(const ekw_general *general, ekw_job *job, int32_t count, int32_t channel, int32_t next,
                                 uint8_t *const output[2]) {
    int32_t sums[2][4 * EKW_SUMS_BLOCKS];
    const ekw_range range = ekw_range_of(&general->node);
    job->output[0] = (uint8_t *)sums[0], job->output[1] = (uint8_t *)sums[1];
    ekw_run_sums(job);
    for (int32_t i = 0; i < 2; i++) {
        for (int32_t p = 0; p < count; p += 4) {
            const int32x4_t y = ekw_lanes_scaled_general(vld1q_s32(sums[i] + p), general, i == 0 ? channel : next);
            ekw_store(output[i] + p, count - p, ekw_clipped(y, &range));
        }
    }
}

EKW_SHARED void ekw_strips_general(const ekw_general *general, const ekw_panel *panel, int32_t taps) {
    const int32_t bytes = EKW_PIXEL_BYTES(taps), before = bytes - EKW_LANES;
    const int32_t *offsets = (const int32_t *)panel->stages + panel->first_filter;
    for (int32_t f = 0; f < panel->filter_count; f += 2) {
        const int32_t g = f + 1 < panel->filter_count ? f + 1 : f;
        ekw_job job = {.before = before, .offset = {offsets[f], offsets[g]}};
        job.filter[0] = panel->filters + f * taps + before, job.filter[1] = panel->filters + g * taps + before;
        job.lanes = vctp8q((uint32_t)(taps - before));
        for (int32_t p = 0; p < panel->pixel_count; p += 4 * EKW_SUMS_BLOCKS) {
            const int32_t left = panel->pixel_count - p, count = left < 4 * EKW_SUMS_BLOCKS ? left : 4 * EKW_SUMS_BLOCKS;
            uint8_t *const output[2] = {panel->output + f * panel->plane + p, panel->output + g * panel->plane + p};
            job.x = panel->pixels + p * bytes + 4 * before;
            job.end = job.x + ((count + 3) >> 2) * 4 * bytes;
            ekw_general_blocks(general, &job, count, panel->first_filter + f, panel->first_filter + g, output);
        }
    }
}

EKW_BODY void ekw_panel_run(const ekw_node *node, const ekw_panel *panel, ekw_case kind) {
    const int32_t unpacked = EKW_FILTER_BYTES(panel->taps, kind.weight_bits);
    const int32_t taps = unpacked == 0 ? panel->taps : unpacked;
    if (kind.rule == EKW_CLIP) {
        ekw_strips_clip(node, panel, taps);
    } else if (kind.rule == EKW_SHIFT) {
        ekw_strips_shift(node, panel, taps);
    } else if (kind.rule == EKW_GENERAL) {
        ekw_strips_general(kind.general, panel, taps);
    } else {
        ekw_strips_fixed(node, panel, taps);
    }
}

#endif
