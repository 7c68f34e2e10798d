"""Faults of a recording, independent of its label: silent, clipped, cut off.

Padding (exact zeros at the ends of a shorter recording) is removed first. Then the level is measured in steps of 10 ms:

    silent     its loudest step is very low, or hardly louder than its quietest: no speech
    clipped    its extreme samples are flat: runs of equal ones, as from an overdriven input
    cut off    its first or last 20 ms are about as loud as its loudest step: the word begins before the clip or
               continues after it

The score is a confidence: 0.5 at the threshold to nearly 1, and three quarters of that for a cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.clean.clips import Clips
from edgekws.data.labels import SILENCE
from edgekws.types import Progress

SILENT, CLIPPED, CUT_OFF = "silent", "clipped", "cut off"

_STEP_MS = 10
_SILENT_DB, _SURELY_SILENT_DB = -50.0, -70.0
"""Loudest step, relative to full scale."""
_FLAT_DB, _SURELY_FLAT_DB = 9.0, 2.0
"""Loudest step above the tenth percentile of all."""
_CLIPPED_SHARE, _SURELY_CLIPPED_SHARE = 1e-3, 3e-2
"""Samples of flat tops among all."""
_FLAT_RUN = 3
_CLIPPED_LEVEL = 8_000
"""Flat tops below a quarter of full scale are quiet recordings in few steps, not overdriven ones."""
_CUT_DB, _SURELY_CUT_DB = -6.0, 3.0
"""Loudness at an end relative to the loudest step; a cut in the middle of a vowel is near 0."""
_EDGE_STEPS = 2
_CUT_TRUST = 0.75
"""A cut is less certain, as fricatives at an end look the same; it never outranks the other faults."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one clip. number: which clip; score: 0..1."""

    number: int
    reason: str
    score: float
    detail: str


def find(clips: Clips, progress: Progress) -> list[Fault]:
    """All faults of all clips. Clips labelled silence are only checked for clipping."""
    silence = clips.words.index(SILENCE) if SILENCE in clips.words else -1
    results = []
    for numbers, samples in clips.blocks():
        for number, clip in zip(numbers, samples, strict=True):
            faults = of_clip(clip, clips.rate_hz)
            spoken = clips.labels[number] != silence
            results += [Fault(int(number), *fault) for fault in faults if spoken or fault[0] == CLIPPED]
        progress("listen", int(numbers[-1]) + 1, len(clips))
    return results


def of_clip(samples: np.ndarray, rate_hz: int) -> list[tuple[str, float, str]]:
    """(reason, score, detail) of each fault. samples: int16 [n]."""
    sound = unpadded(samples)
    levels = _levels_db(sound, rate_hz)
    if not len(levels):
        return [(SILENT, 1.0, "no sound at all")]
    silence_fault = _silent(levels)
    return [fault for fault in (silence_fault or _cut_off(levels), _clipped(sound)) if fault is not None]


def unpadded(samples: np.ndarray) -> np.ndarray:
    """The samples without exact zeros at the ends. samples: int16 [n]."""
    loud = np.flatnonzero(samples)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def _levels_db(sound: np.ndarray, rate_hz: int) -> np.ndarray:
    step = rate_hz * _STEP_MS // 1000
    whole = sound[: len(sound) // step * step].astype(np.float64).reshape(-1, step) / 32_768
    whole = whole - whole.mean(axis=1, keepdims=True)  # a constant offset is not loudness
    return np.asarray(10 * np.log10((whole**2).mean(axis=1) + 1e-12))


def _silent(levels: np.ndarray) -> tuple[str, float, str] | None:
    loudest, above = levels.max(), levels.max() - np.percentile(levels, 10)
    score = max(_score(loudest, _SILENT_DB, _SURELY_SILENT_DB), _score(above, _FLAT_DB, _SURELY_FLAT_DB))
    if not score:
        return None
    return SILENT, score, f"loudest 10 ms at {loudest:.0f} dBFS, {above:.0f} dB above its quietest"


def _cut_off(levels: np.ndarray) -> tuple[str, float, str] | None:
    if len(levels) < 2 * _EDGE_STEPS + 1:
        return None
    ends = {"start": levels[:_EDGE_STEPS].max(), "end": levels[-_EDGE_STEPS:].max()}
    where = max(ends, key=lambda end: float(ends[end]))
    below = float(ends[where] - levels.max())
    score = _score(below, _CUT_DB, _SURELY_CUT_DB) * _CUT_TRUST
    return (CUT_OFF, score, f"{abs(below):.0f} dB below its loudest at its {where}") if score else None


def _clipped(sound: np.ndarray) -> tuple[str, float, str] | None:
    share = flat_share(sound)
    score = _score(share, _CLIPPED_SHARE, _SURELY_CLIPPED_SHARE)
    return (CLIPPED, score, f"{100 * share:.1f} % of its samples are flat tops") if score else None


def flat_share(sound: np.ndarray) -> float:
    """The share (0..1) of samples in runs of equal extreme ones. sound: int16 [n]."""
    flat = 0
    for peak in (int(sound.max(initial=0)), int(sound.min(initial=0))):
        if abs(peak) < _CLIPPED_LEVEL:
            continue
        near = np.concatenate([[0], (sound == peak).astype(np.int8), [0]])
        edges = np.flatnonzero(np.diff(near))
        runs = edges[1::2] - edges[::2]
        flat += int(runs[runs >= _FLAT_RUN].sum())
    return flat / max(len(sound), 1)


def _score(value: float, threshold: float, sure: float) -> float:
    """0 on the good side of the threshold, 0.5 at it, 0.99 at `sure` and beyond."""
    passed = (value - threshold) / (sure - threshold)
    return float(0.5 + 0.49 * min(passed, 1.0)) if passed >= 0 else 0.0
