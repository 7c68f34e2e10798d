/* The fixed-point front end: int16 samples -> int8 rows, the input of the network. edgekws/features/fixed.py defines its
 * integers, which are the same on every core; edgekws/emit/c/front_end.py writes what must be defined before this is
 * included: sizes (EKW_FRONTEND_...) and tables (ekw_frontend_...).
 *
 *     ekw_frontend state;
 *     ekw_frontend_start(&state, EKW_FRONTEND_PEAK);
 *     while (ekw_frontend_push(&state, &samples, &count, work, row)) {
 *         a row is complete
 *     }
 *
 * Nothing is allocated. `work` is scratch memory between two calls' rows: the arena of a network may serve. */
#ifndef EKW_FRONTEND_H
#define EKW_FRONTEND_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_MVE
#include "kernels/frontend/mve.h"
#else
#include "kernels/frontend/spectrum.h"
#include "kernels/frontend/transform.h"
#endif
#if defined(EKW_FRONTEND_LOG_MEL)
#include "kernels/frontend/log_mel.h"
#elif EKW_CORE != EKW_MVE
#include "kernels/frontend/cepstrum.h"
#endif

/* One for what lies below the first band; vectors write four. */
#define EKW_FRONTEND_BAND_PLACES EKW_ROUND_UP(1 + EKW_FRONTEND_BANDS, 4)

typedef struct {
    _Alignas(8) int16_t samples[EKW_FRONTEND_WINDOW];
    int32_t held;    /* samples of the next window that are there */
    int32_t skipped; /* samples before it that are still to come, where windows do not touch */
    int32_t peak, peak_log2;
#if defined(EKW_FRONTEND_LOG_MEL)
    int16_t before; /* the last sample that was read; those that are held are pre-emphasized */
#endif
} ekw_frontend;

typedef struct {
    _Alignas(8) ekw_fe_complex spectrum[EKW_FRONTEND_POINTS];
} ekw_frontend_work;

/* peak: what samples are divided by, 1 to 32768; EKW_FRONTEND_PEAK in a stream, else the clip's largest sample. */
static inline void ekw_frontend_start(ekw_frontend *state, int32_t peak) {
    state->held = 0;
    state->skipped = 0;
    state->peak = peak;
    state->peak_log2 = ekw_fe_log2(peak, ekw_frontend_curve);
#if defined(EKW_FRONTEND_LOG_MEL)
    state->before = 0;
#endif
}

/* The largest sample of a clip, at least 1. */
static inline int32_t ekw_frontend_peak(const int16_t *samples, int32_t count) {
    int32_t peak = 1;
    for (const int16_t *end = samples + count; samples != end; samples++) {
        peak = *samples > peak ? *samples : peak;
    }
    return peak;
}

#if defined(EKW_FRONTEND_LOG_MEL)
static inline void ekw_frontend_window_bands(const ekw_frontend *state, ekw_frontend_work *work, int32_t *bands) {
    const int32_t exponent = ekw_frontend_exponent(state->samples);
    const int32_t up = (EKW_FRONTEND_SCALE_BITS - ekw_frontend_energy_bits(state->samples)) >> 1;
    ekw_frontend_first(state->samples, exponent, work->spectrum);
    ekw_frontend_stages(work->spectrum);
    ekw_frontend_powers(work->spectrum, up - exponent - EKW_FRONTEND_UNIT, bands);
    ekw_frontend_levels(bands + 1, up * 131072 + EKW_FRONTEND_LEVEL + 2 * state->peak_log2);
}
#else
/* The floor of a band: the peak times the specification's, in units of a band. */
EKW_BODY int32_t ekw_frontend_floor(int32_t peak, int32_t exponent) {
    const int32_t shift = EKW_FRONTEND_FLOOR_SHIFT - exponent;
    const uint32_t floor = shift > 31 ? 0 : (uint32_t)peak * EKW_FRONTEND_FLOOR_FACTOR >> shift;
    return floor > 0 ? (int32_t)floor : 1;
}

/* The logarithms of the window that is held, bands + 1 on, of int32 [EKW_FRONTEND_BAND_PLACES]. The host calls this
 * (firmware_io/build/host_front_end.py), and has the DCT without the input scale itself. */
static inline void ekw_frontend_window_bands(const ekw_frontend *state, ekw_frontend_work *work, int32_t *bands) {
    const int32_t exponent = ekw_frontend_exponent(state->samples);
    ekw_frontend_first(state->samples, exponent, work->spectrum);
    ekw_frontend_stages(work->spectrum);
    ekw_frontend_bands(work->spectrum, bands);
    ekw_frontend_logarithms(bands + 1, ekw_frontend_floor(state->peak, exponent),
                            (exponent + EKW_FRONTEND_UNIT) * 65536 + state->peak_log2);
}
#endif

/* Its row. */
static inline void ekw_frontend_window_row(const ekw_frontend *state, ekw_frontend_work *work, int8_t *row) {
    int32_t bands[EKW_FRONTEND_BAND_PLACES];
    ekw_frontend_window_bands(state, work, bands);
    ekw_frontend_row(bands + 1, row);
}

/* Eight samples at a time where they are aligned to words. `to` may be part of what is copied, at least eight before. */
EKW_SHARED void ekw_frontend_copy(int16_t *to, const int16_t *from, int32_t count) {
    if (EKW_FRONTEND_HOP >= 8 && (((uintptr_t)to | (uintptr_t)from) & 3) == 0) {
        for (; count >= 8; count -= 8, to += 8, from += 8) {
#if EKW_CORE == EKW_MVE
            vst1q_s16(to, vld1q_s16(from));
#else
            __builtin_memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), 16);
#endif
        }
    }
    for (const int16_t *end = from + count; from != end;) {
        *to++ = *from++;
    }
}

/* Reads samples until a row is complete or none is left; *samples and *count become those that are not yet read. row:
 * int8 [EKW_FRONTEND_COEFFICIENTS], written when this returns true. */
static inline bool ekw_frontend_push(ekw_frontend *state, const int16_t **samples, int32_t *count,
                                     ekw_frontend_work *work, int8_t *row) {
    const int32_t skip = *count < state->skipped ? *count : state->skipped;
    const int32_t missing = EKW_FRONTEND_WINDOW - state->held, there = *count - skip;
    const int32_t read = there < missing ? there : missing;
#if defined(EKW_FRONTEND_LOG_MEL)
    state->before = skip > 0 ? (*samples)[skip - 1] : state->before;
    state->before = ekw_frontend_emphasize(state->samples + state->held, *samples + skip, read, state->before);
#else
    ekw_frontend_copy(state->samples + state->held, *samples + skip, read);
#endif
    state->skipped -= skip;
    state->held += read;
    *samples += skip + read;
    *count -= skip + read;
    if (state->held < EKW_FRONTEND_WINDOW) {
        return false;
    }
    ekw_frontend_window_row(state, work, row);
#if EKW_FRONTEND_HOP < EKW_FRONTEND_WINDOW
    state->held = EKW_FRONTEND_WINDOW - EKW_FRONTEND_HOP;
    ekw_frontend_copy(state->samples, state->samples + EKW_FRONTEND_HOP, state->held);
#else
    state->held = 0;
    state->skipped = EKW_FRONTEND_HOP - EKW_FRONTEND_WINDOW;
#endif
    return true;
}

#endif
