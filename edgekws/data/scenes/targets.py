"""What a detector should say at each step of a stream.

    speech          ....[==keyword==]............[==other speech==]....
    target          0000uu------kkkkkkkkkk-------uuuuuuuuuuuuuuuuuuuu00

0: silence, u: unknown, k: the keyword, -: any answer is right (IGNORED)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IGNORED = -100
"""The target of steps that no loss counts; PyTorch's own number for it."""
_EARLY_MS, _HELD_MS, _LOOK_BACK_MS, _ENOUGH_MS = 30.0, 480.0, 1000.0, 160.0
_INTO_NEXT_MS, _LEAST_HELD_MS = 100.0, 200.0
_PREFIX = 0.5


@dataclass(frozen=True)
class Heard:
    """Speech from sample `start` to `stop`. label: of a keyword, or None for other speech."""

    start: int
    stop: int
    label: int | None


def targets(
    heard: Sequence[Heard], window_ends: np.ndarray, window_samples: int, rate_hz: int, silence: int, unknown: int
) -> np.ndarray:
    """A label, or IGNORED, for each step: int64 [steps].

    window_ends: int64 [steps], the samples read when each step's window of `window_samples` is complete.

    A keyword is the answer from 40 ms to 480 ms after its end, or until 100 ms of the next speech are heard. From its
    middle on until half of it has left the window, other steps are ignored, and so are those with two different
    keywords in the window. Elsewhere the answer is `unknown` when more than 160 ms of the last second are speech.
    """
    per_ms = rate_hz / 1000
    spoken = _overlap(heard, window_ends - int(_LOOK_BACK_MS * per_ms), window_ends)
    answer = np.where(spoken > _ENOUGH_MS * per_ms, unknown, silence)
    answer[(spoken > 0) & (spoken <= _ENOUGH_MS * per_ms)] = IGNORED
    keywords = [each for each in heard if each.label is not None]
    for each in keywords:
        middle = each.start + _PREFIX * (each.stop - each.start)
        answer[(window_ends >= middle) & (window_ends < middle + window_samples)] = IGNORED
    starts = np.array(sorted(each.start for each in heard))
    for each in keywords:
        following = starts[starts > each.start]
        held = min(_HELD_MS, (following[0] - each.stop) / per_ms + _INTO_NEXT_MS) if len(following) else _HELD_MS
        first, last = each.stop - _EARLY_MS * per_ms, each.stop + max(held, _LEAST_HELD_MS) * per_ms
        whole = window_ends - window_samples <= each.start
        answer[(window_ends >= first) & (window_ends < last) & whole] = each.label
    return np.where(_of_several(keywords, window_ends, window_samples), IGNORED, answer).astype(np.int64)


def _of_several(keywords: Sequence[Heard], window_ends: np.ndarray, window_samples: int) -> np.ndarray:
    """Where more than half of two different keywords is in the window: their order is lost in a global pool."""
    halves: dict[int | None, np.ndarray] = {}
    for each in keywords:
        middle = (each.start + each.stop) / 2
        inside = (window_ends > middle) & (window_ends - window_samples < middle)
        halves[each.label] = halves.get(each.label, False) | inside
    return np.asarray(np.sum([np.zeros(len(window_ends), np.int64), *halves.values()], axis=0) > 1)


def _overlap(heard: Sequence[Heard], starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    total = np.zeros(len(stops), np.int64)
    for each in heard:
        total += np.maximum(np.minimum(stops, each.stop) - np.maximum(starts, each.start), 0)
    return total
