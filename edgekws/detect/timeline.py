"""What was heard, over time: the highest posteriors in memory that does not grow, and a drawing for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekws.types import Detection

_MOST_BINS = 1 << 11
_EMPTY, _FAINT, _EVENT = "·", "▁▂▃▄▅▆▇", "█"
"""A column without sound of the word; its highest posterior; a column with an event."""


class Envelope:
    """The highest posterior of each keyword in bins of equal length, which double when there are too many."""

    def __init__(self, keywords: int) -> None:
        self._bins = np.zeros((_MOST_BINS, keywords), np.int16)
        self._steps_each, self._steps = 1, 0

    def push(self, posteriors: np.ndarray) -> None:
        """int [steps, keywords], thousandths."""
        for row in posteriors:
            if self._steps == _MOST_BINS * self._steps_each:
                self._halve()
            place = self._steps // self._steps_each
            self._bins[place] = np.maximum(self._bins[place], row)
            self._steps += 1

    def columns(self, count: int) -> np.ndarray:
        """int16 [at most count, keywords] over the whole stream."""
        used = self._bins[: -(-self._steps // self._steps_each)]
        if not len(used):
            return used
        edges = np.linspace(0, len(used), min(count, len(used)) + 1).astype(int)[:-1]
        return np.asarray(np.maximum.reduceat(used, edges, axis=0))

    def _halve(self) -> None:
        half = _MOST_BINS // 2
        self._bins[:half] = self._bins.reshape(half, 2, -1).max(axis=1)
        self._bins[half:] = 0
        self._steps_each *= 2


def lines(
    envelope: Envelope, events: Sequence[Detection], keywords: Sequence[str], seconds: float, rate_hz: int, width: int
) -> list[str]:
    """A line for each keyword, `width` columns of time, and a scale: for a terminal."""
    columns, name_width = envelope.columns(width), max(map(len, keywords), default=0)
    if not len(columns):
        return []
    rows = []
    for number, keyword in enumerate(keywords):
        marks = [_mark(int(value)) for value in columns[:, number].tolist()]
        for event in events:
            if event.keyword == keyword:
                at = int(event.time_samples / rate_hz / seconds * len(marks))
                marks[min(at, len(marks) - 1)] = _EVENT
        rows.append(f"{keyword:>{name_width}} {''.join(marks)}")
    end = clock_text(seconds)
    return [*rows, f"{'':{name_width}} 0:00{end:>{max(len(columns) - 4, len(end) + 1)}}"]


def _mark(permille: int) -> str:
    """Probabilities below 0.1 are nothing to see."""
    return _EMPTY if permille < 100 else _FAINT[min(permille * len(_FAINT) // 1000, len(_FAINT) - 1)]


def clock_text(seconds: float, digits: int = 0) -> str:
    """2:03, 1:02:03, or with digits 2:03.45; not rounded, so that no sound is said to be longer than it is."""
    whole = int(seconds)
    hours, minutes = f"{whole // 3600}:" if whole >= 3600 else "", whole // 60 % 60
    fraction = f".{int((seconds - whole) * 10**digits):0{digits}}" if digits else ""
    return f"{hours}{minutes:0{2 if hours else 1}}:{whole % 60:02}{fraction}"
