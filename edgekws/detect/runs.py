"""The events of a whole stream at once, the same as those of Detector, for a search over many thresholds.

A keyword has at most one event in each run of steps in which it passes. So the runs are enough, and there are few.
"""

from __future__ import annotations

import numpy as np

from edgekws.detect.detector import Event
from edgekws.detect.settings import Settings


def sums(posteriors: np.ndarray, smoothing_steps: int) -> np.ndarray:
    """int [steps, keywords] -> int64 [steps, keywords], the sum of the last `smoothing_steps` posteriors."""
    totals = np.cumsum(posteriors, axis=0, dtype=np.int64)
    result = totals.copy()
    result[smoothing_steps:] -= totals[:-smoothing_steps]
    return result


def events(smoothed: np.ndarray, settings: Settings) -> list[Event]:
    """smoothed: `sums` of the posteriors. Equal to Detector.push on the posteriors of a whole stream."""
    levels = np.array(settings.thresholds_permille) * settings.smoothing_steps
    keywords, starts, stops = _runs(smoothed >= levels)
    result, free, alive = list[Event](), 0, np.ones(len(keywords), bool)
    while (alive := alive & (stops > free)).any():
        step = max(free, int(starts[alive].min()))
        ready = np.flatnonzero(alive & (starts <= step) & (stops > step))
        scores = smoothed[step, keywords[ready]]
        best = ready[np.lexsort((keywords[ready], -scores))[0]]
        keyword = int(keywords[best])
        result.append(Event(keyword, step, int(smoothed[step, keyword]) // settings.smoothing_steps))
        alive[best] = False
        free = step + max(settings.refractory_steps, 1)
    return result


def _runs(passes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """bool [steps, keywords] -> keyword, first step and last step + 1 of each run, by keyword and time."""
    edge = np.zeros((passes.shape[1], 1), np.int8)
    changes = np.diff(passes.T.astype(np.int8), axis=1, prepend=edge, append=edge)
    keywords, starts = np.nonzero(changes > 0)
    return keywords, starts, np.nonzero(changes < 0)[1]
