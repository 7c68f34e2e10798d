"""A model for tests of the stream's protocol that needs no network: rows are samples, scores are sums of rows.

The board and `expected` compute the same integers, so every sample that is lost, doubled or changed is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekws.detect.detector import Detector
from edgekws.detect.settings import Settings
from edgekws.emit.c import emit, listening
from edgekws.features.spec import FeatureSpec
from edgekws.graph import softmax
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.types import Detection

SPEC = replace(FeatureSpec(), coefficients=4, input_scale=(0.5,) * 4, input_zero_point=(0,) * 4)
SETTINGS = Settings(("yes", "no", "hey lamp"), (600, 500, 450), 4, 6)
LABELS = ("silence", *SETTINGS.keywords)
STEP_ROWS = 2
_FRONT_END = """
#ifndef STUB_FRONT_END_H
#define STUB_FRONT_END_H
#include <stdbool.h>
#include <stdint.h>
#include "ekw_config.h"
#define EKW_FRONTEND_PEAK 0
typedef struct { int32_t have; int16_t samples[EKW_WINDOW_SAMPLES]; } ekw_frontend;
typedef struct { int32_t unused; } ekw_frontend_work;
static inline void ekw_frontend_start(ekw_frontend *state, int32_t peak) { state->have = peak; }
static inline bool ekw_frontend_push(ekw_frontend *state, const int16_t **samples, int32_t *count,
                                     ekw_frontend_work *work, int8_t *row) {
    (void)work;
    for (; *count > 0 && state->have < EKW_WINDOW_SAMPLES; --*count) {
        state->samples[state->have++] = *(*samples)++;
    }
    if (state->have < EKW_WINDOW_SAMPLES) {
        return false;
    }
    for (int32_t i = 0; i < EKW_COEFFICIENTS; i++) {
        row[i] = (int8_t)(state->samples[i * 100] >> 8);
    }
    for (int32_t i = EKW_HOP_SAMPLES; i < EKW_WINDOW_SAMPLES; i++) {
        state->samples[i - EKW_HOP_SAMPLES] = state->samples[i];
    }
    state->have = EKW_WINDOW_SAMPLES - EKW_HOP_SAMPLES;
    return true;
}
#endif
"""
_HEADER = """
#ifndef STUB_STREAM_H
#define STUB_STREAM_H
#include <stdbool.h>
#include <stdint.h>
#include "model.h"
#define EKW_STREAM_STEP_ROWS 2
void ekw_stream_reset(void);
bool ekw_stream_row(const int8_t *row, int8_t *scores);
#endif
"""
_SOURCE = """
#include "model_stream.h"
static int32_t count, sums[4];
void ekw_stream_reset(void) {
    count = 0;
    for (int32_t i = 0; i < 4; i++) {
        sums[i] = 0;
    }
}
bool ekw_stream_row(const int8_t *row, int8_t *scores) {
    for (int32_t i = 0; i < 4; i++) {
        sums[i] = sums[i] / 2 + row[i];
        scores[i] = (int8_t)(sums[i] < -128 ? -128 : sums[i] > 127 ? 127 : sums[i]);
    }
    return ++count % 2 == 0;
}
"""


def graph() -> Graph:
    """Only its name, its labels and the table of its probabilities are used."""
    weight = np.ones((4, SPEC.frames * 4), np.int8)
    requant = Requant(np.zeros(4, np.int32), np.ones(4, np.uint8), np.full(4, 9, np.uint8), -128, 127)
    node = Node("fc", "linear", (INPUT,), requant, (*SPEC.shape, 1), (1, 1, 4), weight)
    return Graph((node,), LABELS, SPEC, "tinpu", "stub", input_scale=1 / 32)


def model(settings: Settings = SETTINGS) -> dict[str, bytes]:
    """The C of the stub, for firmware_io.build.build."""
    return {
        **emit(graph()),
        **listening.emit(graph(), SPEC, settings, STEP_ROWS),
        "ekw_front_end.h": _FRONT_END.encode(),
        "model_stream.h": _HEADER.encode(),
        "model_stream.c": _SOURCE.encode(),
    }


@dataclass(frozen=True)
class Expected:
    """scores: int8 [steps, labels]."""

    scores: np.ndarray
    events: list[Detection]
    histogram: np.ndarray


def expected(samples: np.ndarray, settings: Settings = SETTINGS) -> Expected:
    """What a board should hear in int16 samples [n]."""
    rows = 1 + (len(samples) - SPEC.window_samples) // SPEC.hop_samples if len(samples) >= SPEC.window_samples else 0
    sums, scores = np.zeros(4, np.int64), []
    for row in range(rows):
        heard = samples[row * SPEC.hop_samples + np.arange(4) * 100].astype(np.int64) >> 8
        sums = np.fix(sums / 2).astype(np.int64) + heard
        scores.append(np.clip(sums, -128, 127).astype(np.int8))
    steps = np.array(scores[1::2], np.int8).reshape(-1, 4)
    detector = Detector(settings)
    posteriors = softmax.permille(steps, graph().score_scale)[:, settings.indices(LABELS)]
    events = [
        Detection(
            settings.keywords[event.keyword],
            SPEC.window_samples + (STEP_ROWS * (event.step + 1) - 1) * SPEC.hop_samples,
            event.score,
        )
        for event in detector.push(posteriors)
    ]
    return Expected(steps, events, detector.histogram)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """int16 samples of noise whose loudness changes; it makes events of every keyword."""
    rng = np.random.default_rng(seed)
    count = int(seconds * SPEC.rate_hz)
    loud = np.repeat(rng.integers(0, 2, count // 4000 + 1) * 25_000 + 300, 4000)[:count]
    return np.clip(rng.normal(0, 1, count) * loud, -32768, 32767).astype(np.int16)
