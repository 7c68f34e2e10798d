"""Scoring of MLPerf Tiny's streaming wake word (mlcommons/tiny, runner/streaming_ww_utils.py), and a device's pulses.

A device gives a pulse for each frame of 32 ms whose score is above 115: no smoothing, one word gives many. The first
frame gives one too, and marks time 0. The official recording of 1,200 s is not part of this project.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.errors import DataError
from edgekws.files import read_content

THRESHOLD = 115
"""int8; 0.953 of the wake word's probability. The wake word is label 0."""
GRACE_S, DEBOUNCE_S = 2.0, 1.0
"""How long after its end a word may be detected: the rules say 1 s, and the script that decides adds it twice. And for
how long after a false positive further pulses belong to it.
"""
CLOSED_MOST = 8
"""False positives, and false negatives, that the closed division allows on the official recording."""
HOP_S = 0.032
_LABELS = "give [[start, end], ...] in seconds, one pair for each wake word"

Windows = tuple[tuple[float, float], ...]
"""Start and end of each wake word in seconds."""


@dataclass(frozen=True)
class Counts:
    """Words found, words without a pulse, and pulses, debounced, that belong to no word."""

    true_positives: int
    false_negatives: int
    false_positives: int


def read_windows(path: Path) -> Windows:
    """The wake words of a recording: JSON, [[start, end], ...] in seconds, as long_wav_ww_windows.json has them.

    Raises DataError for a file of something else.
    """
    try:
        value = json.loads(read_content(path, "a list of wake words", _LABELS))
    except ValueError as error:
        raise DataError(f"{path} should be JSON", got=str(error), hint=_LABELS) from error
    try:
        pairs = tuple((float(start), float(end)) for start, end in value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} should hold pairs of seconds", got=str(error), hint=_LABELS) from error
    if not all(0 <= start < end for start, end in pairs):
        raise DataError(f"{path} should hold a start before each end", got=str(pairs[:3]), hint=_LABELS)
    return pairs


def pulses(scores: np.ndarray, first_frame: int) -> np.ndarray:
    """Scores int8 [frames, labels], the first of frame `first_frame` -> times of the pulses in seconds, float64 [n].

    Frame 0, whose pulse marks time 0, ends with the first 512 samples.
    """
    return np.asarray((np.flatnonzero(scores[:, 0] > THRESHOLD) + first_frame) * HOP_S)


def counts(times: Sequence[float] | np.ndarray, windows: Windows) -> Counts:
    """times: of the pulses in seconds, ascending, without that of frame 0.

    Words are taken in their order; a pulse belongs to the first whose time it is in.
    """
    left, found = np.asarray(times, np.float64), 0
    for start, end in windows:
        inside = (left >= start) & (left <= end + GRACE_S)
        found += bool(inside.any())
        left = left[~inside]
    false_positives = 0
    while len(left):
        false_positives += 1
        left = left[left > left[0] + DEBOUNCE_S]
    return Counts(found, len(windows) - found, false_positives)
