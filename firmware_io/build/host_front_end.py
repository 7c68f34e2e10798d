"""The fixed-point front end's C, compiled for this computer and called from Python: the integers of
edgekws/features/fixed.py, many times as fast.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from edgekws.emit.c import front_end
from edgekws.features.fixed import Sums, frames_in
from edgekws.features.spec import FeatureSpec
from firmware_io.build import host_cc

_HOST = """
#include "kernels/sizes.h"

void ekw_host_sums(const int16_t *samples, int32_t clips, int32_t clip_samples, int32_t frames, const int32_t *peaks,
                   int32_t *sums);

/* The DCT as ekw_frontend_row has it, before the input scale. */
static void ekw_host_cosines(int32_t *logarithms, int32_t *sums) {
    const int16_t *cosine = ekw_frontend_cosines;
    ekw_fe_pairs(logarithms);
    for (int32_t c = 0; c < EKW_FRONTEND_COEFFICIENTS; c++, cosine += EKW_FRONTEND_COSINES) {
        int32_t sum = 0;
        for (int32_t b = 0; b < EKW_FRONTEND_PAIRS; b++) {
            sum += ekw_fe_mul(logarithms[(c & 1) == 0 ? b : EKW_FRONTEND_BANDS - 1 - b], cosine[b]);
        }
        sums[c] = sum;
    }
}

static void ekw_host_window(ekw_frontend *state, ekw_frontend_work *work, int32_t *sums) {
    int32_t logarithms[EKW_FRONTEND_BANDS];
    const int32_t exponent = ekw_frontend_exponent(state->samples);
    ekw_frontend_first(state->samples, exponent, work->spectrum);
    ekw_frontend_stages(work->spectrum);
    ekw_frontend_bands(work->spectrum, ekw_frontend_floor(state->peak, exponent),
                       ((exponent + EKW_FRONTEND_UNIT) * 65536) + state->peak_log2, logarithms);
    ekw_host_cosines(logarithms, sums);
}

/* samples [clips][clip_samples], peaks [clips] -> sums [clips][frames][coefficients] */
void ekw_host_sums(const int16_t *samples, int32_t clips, int32_t clip_samples, int32_t frames, const int32_t *peaks,
                   int32_t *sums) {
    ekw_frontend state;
    ekw_frontend_work work;
    for (; clips > 0; clips--, samples += clip_samples) {
        ekw_frontend_start(&state, *peaks++);
        for (int32_t i = 0; i < frames; i++, sums += EKW_FRONTEND_COEFFICIENTS) {
            ekw_frontend_copy(state.samples, samples + i * EKW_FRONTEND_HOP, EKW_FRONTEND_WINDOW);
            ekw_host_window(&state, &work, sums);
        }
    }
}
"""


def compile_sums(spec: FeatureSpec, folder: Path | None, options: host_cc.Options = None) -> Sums:
    """`fixed.sums` of `spec` in C; only its windows, bands and floor count. folder: cache of libraries, None for none.

    Raises ConfigError as fixed.check, BoardError without a compiler or when the C does not compile.
    """
    source = front_end.definitions(spec) + _HOST
    library = host_cc.library({"front_end.c": source.encode()}, folder, options)

    def run(samples: np.ndarray, peaks: np.ndarray) -> np.ndarray:
        frames = frames_in(spec, samples.shape[1])
        given, divided_by = np.ascontiguousarray(samples, np.int16), np.ascontiguousarray(peaks, np.int32)
        made = np.empty((len(given), frames, spec.coefficients), np.int32)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (given, divided_by, made)]
        library.ekw_host_sums(pointers[0], *given.shape, frames, pointers[1], pointers[2])
        return made

    return run
