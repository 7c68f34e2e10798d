"""A trace of any rate as joules per millisecond around each window, which is what MLPerf Tiny's runner stores and adds.

The grid of a window starts at its first edge, so no energy before or after it is counted. Its second edge is rounded to
the nearest millisecond: 0.005 % of a window of 10 s. A sample that spans several milliseconds is divided evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_io.energy.windows import Span
from firmware_io.monitors import Trace

RATE_HZ = 1000
AROUND = 1000
"""Milliseconds of rest that are kept on each side of a window, where there are so many."""
_AT_ONCE = 1000


@dataclass(frozen=True)
class WindowSamples:
    """Joules per millisecond around one window. edges: indices of its first millisecond and of the one behind it."""

    joules: tuple[float, ...]
    edges: tuple[int, int]


def of_windows(trace: Trace, spans: Sequence[Span]) -> tuple[WindowSamples, ...]:
    """The samples of each span, with some of the rest beside it, but none of another span."""
    borders = [0, *(sample for span in spans for sample in (span.first, span.last)), len(trace.joules)]
    return tuple(_of_window(trace, span, borders[2 * at], borders[2 * at + 3]) for at, span in enumerate(spans))


def _of_window(trace: Trace, span: Span, earliest: int, latest: int) -> WindowSamples:
    step = trace.rate_hz / RATE_HZ  # samples per millisecond
    length = round((span.last - span.first) / step)
    before = min(AROUND, int((span.first - earliest) / step))
    after = min(AROUND, max(0, int((latest - span.first) / step) - length))
    joules = per_millisecond(trace, span.first - before * step, before + length + after)
    return WindowSamples(tuple(joules.tolist()), (before, before + length))


def per_millisecond(trace: Trace, start: float, count: int) -> np.ndarray:
    """float64 [count]: joules of each millisecond from sample `start` on, which may lie within a sample."""
    step, parts = trace.rate_hz / RATE_HZ, []
    for at in range(0, count, _AT_ONCE):  # a trace may be larger than memory
        places = start + step * np.arange(at, min(at + _AT_ONCE, count) + 1)
        first, last = int(places[0]), int(np.ceil(places[-1]))
        total = np.concatenate([[0.0], np.cumsum(trace.joules[first:last], dtype=np.float64)])
        parts.append(np.diff(np.interp(places - first, np.arange(len(total)), total)))
    return np.concatenate(parts) if parts else np.zeros(0)
