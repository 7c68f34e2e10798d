"""The fixed-point front end's C, compiled for this computer and called from Python: the integers of
edgekws/features/fixed.py, many times as fast.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from edgekws.emit.c import front_end
from edgekws.emit.c.text import array
from edgekws.features.fixed import Sums, frames_in
from edgekws.features.fixed_plan import plan
from edgekws.features.spec import FeatureSpec
from firmware_io.build import host_cc

_HOST = """
void ekw_host_sums(const int16_t *samples, int32_t clips, int32_t clip_samples, int32_t frames, const int32_t *peaks,
                   int32_t *sums);

/* The DCT before the input scale: sums over pairs of bands at equal distances from the middle. */
static void ekw_host_cosines(const int32_t *logarithms, int32_t *sums) {
#if defined(EKW_FRONTEND_LOG_MEL)
    for (int32_t b = 0; b < EKW_FRONTEND_BANDS; b++) {
        sums[b] = logarithms[b] * (1 << EKW_FRONTEND_LOG_SHIFT);
    }
#else
    const int16_t *cosine = ekw_host_dct;
    for (int32_t c = 0; c < EKW_FRONTEND_COEFFICIENTS; c++) {
        int64_t sum = 0;
        for (int32_t b = 0; b < (EKW_FRONTEND_BANDS + 1) / 2; b++) {
            const int32_t first = logarithms[b], last = logarithms[EKW_FRONTEND_BANDS - 1 - b];
            const int64_t pair = 2 * b + 1 == EKW_FRONTEND_BANDS ? first : (c & 1) == 0 ? first + last : first - last;
            sum += (pair * (1 << EKW_FRONTEND_LOG_SHIFT) * *cosine++) >> 16;
        }
        sums[c] = (int32_t)sum;
    }
#endif
}

/* samples [clips][clip_samples], peaks [clips] -> sums [clips][frames][coefficients] */
void ekw_host_sums(const int16_t *samples, int32_t clips, int32_t clip_samples, int32_t frames, const int32_t *peaks,
                   int32_t *sums) {
    ekw_frontend state;
    ekw_frontend_work work;
    int32_t bands[EKW_FRONTEND_BAND_PLACES];
    for (; clips > 0; clips--, samples += clip_samples) {
        ekw_frontend_start(&state, *peaks++);
        for (int32_t i = 0; i < frames; i++, sums += EKW_FRONTEND_COEFFICIENTS) {
            ekw_frontend_copy(state.samples, samples + i * EKW_FRONTEND_HOP, EKW_FRONTEND_WINDOW);
            ekw_frontend_window_bands(&state, &work, bands);
            ekw_host_cosines(bands + 1, sums);
        }
    }
}
"""


def compile_sums(spec: FeatureSpec, folder: Path | None, options: host_cc.Options = None) -> Sums:
    """`fixed.sums` of `spec` in C; only its windows, bands and floor count. folder: cache of libraries, None for none.

    Raises ConfigError as fixed.check, BoardError without a compiler or when the C does not compile.
    """
    half = plan(spec).dct[: (spec.mel_bands + 1) // 2].T
    table = array("int16_t", "ekw_host_dct", half, half.shape) if half.size else ""
    source = front_end.definitions(spec) + table + _HOST
    library = host_cc.library({"front_end.c": source.encode()}, folder, options)

    def run(samples: np.ndarray, peaks: np.ndarray) -> np.ndarray:
        frames = frames_in(spec, samples.shape[1])
        given, divided_by = np.ascontiguousarray(samples, np.int16), np.ascontiguousarray(peaks, np.int32)
        made = np.empty((len(given), frames, spec.coefficients), np.int32)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (given, divided_by, made)]
        library.ekw_host_sums(pointers[0], *given.shape, frames, pointers[1], pointers[2])
        return made

    return run
