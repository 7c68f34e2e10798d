"""The threshold of one word for a budget of false accepts per hour, from streams without it alone.

Where nobody knows how the word will be said, its misses cannot be weighed: the lowest threshold within the budget is
the one that misses fewest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from edgekws.detect import runs
from edgekws.detect.evaluation.choice import _GRID, _peaks, _rates, _slope
from edgekws.detect.evaluation.streams import Heard, hours
from edgekws.detect.settings import NEVER, ONE, Settings
from edgekws.errors import DataError


class Budgeted(NamedTuple):
    """settings: of the detector. expected_per_hour: false accepts by the model of their tail (see `choice`).

    observed: of the streams, at this threshold.
    """

    settings: Settings
    expected_per_hour: float
    observed: int


def lowest(
    background: Sequence[Heard], keyword: str, smoothing_steps: int, refractory_steps: int, budget_per_hour: float
) -> Budgeted:
    """The lowest threshold at which the expected rate, and what is observed, are within the budget.

    Raises DataError without any stream.
    """
    if not hours(background):
        raise DataError("a threshold is chosen on streams without the word", got="none")
    sums = [runs.sums(stream.posteriors, smoothing_steps) for stream in background]
    peaks = np.sort(np.concatenate([_peaks(each[:, 0] / smoothing_steps, max(refractory_steps, 1)) for each in sums]))
    rates = _rates(peaks, _slope([peaks])) / hours(background)
    settings = Settings((keyword,), (ONE,), smoothing_steps, refractory_steps)
    for threshold in _GRID[rates <= budget_per_hour].tolist():
        at = replace(settings, thresholds_permille=(threshold,))
        observed = sum(len(runs.events(each, at)) for each in sums)
        if observed <= budget_per_hour * hours(background):
            return Budgeted(at, float(rates[threshold - 1]), observed)
    return Budgeted(replace(settings, thresholds_permille=(NEVER,)), 0.0, 0)
