"""Thresholds and smoothing for a budget of false accepts per hour, from validation streams alone.

A validation stream of an hour holds no false accept at the thresholds that are asked for, so counting them says
nothing. The rate of each word above its highest peaks is therefore extrapolated: peaks of the smoothed posterior, as
log odds, have an exponential tail (the Hill estimator of its slope, pooled over words; B. M. Hill, Annals of Statistics
3, 1975). The thresholds miss the fewest words of the validation scenes at a total rate of at most the budget: each word
minimizes misses + weight * rate, and one weight fits the budget (Lagrange). What is then observed on the validation
streams must not exceed the budget either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgekws.detect import runs
from edgekws.detect.evaluation.figures import highest
from edgekws.detect.evaluation.matching import match
from edgekws.detect.evaluation.streams import Heard, hours
from edgekws.detect.settings import MOST_SMOOTHING_STEPS, NEVER, ONE, Settings
from edgekws.errors import DataError

SMOOTHINGS = (1, 2, 3, 4, 6, 8, 10, 12, 16)
_TAIL_PEAKS = 8
"""The highest peaks of a word that the slope of its tail is estimated from, and where its tail begins."""
_LEAST_SCORE = 20
_GRID = np.arange(1, NEVER + 1)
_WEIGHTS = np.geomspace(1e-7, 1e3, 61)


class Choice(NamedTuple):
    """settings: of the detector. expected_per_hour: false accepts by the model of their tails.

    observed, missed, p95_ms: false accepts, missed words and latency from the end of the word on the streams that it
    was chosen on; latency is infinite without a hit.
    """

    settings: Settings
    expected_per_hour: float
    observed: int
    missed: int
    words: int
    p95_ms: float


@dataclass(frozen=True)
class _Curves:
    """Of each keyword at each threshold of _GRID: false accepts per hour, and missed words. float [keywords, grid]."""

    rates: np.ndarray
    misses: np.ndarray


def choose(
    background: Sequence[Heard],
    scenes: Sequence[Heard],
    keywords: tuple[str, ...],
    refractory_steps: int,
    budget_per_hour: float,
    tau_ms: float,
    smoothings: Sequence[int] = SMOOTHINGS,
    latency_ms: float = math.inf,
) -> Choice:
    """The detector that misses the fewest words of `scenes` within the budget; of equals the shortest smoothing.

    background: streams without keywords. latency_ms: 95 % of the hits come this soon after the end of their word, if
    any smoothing does that; else the quickest one is chosen. Raises DataError without both kinds of streams.
    """
    if not background or not any(stream.words for stream in scenes):
        raise DataError(
            "thresholds are chosen on validation streams with and without keywords",
            got=f"{len(background)} without and {len(scenes)} with keywords",
        )
    tau = round(tau_ms * background[0].clock.rate_hz / 1000)
    blank = Settings(keywords, (ONE,) * len(keywords), 1, refractory_steps)
    choices = [
        _at(
            Settings(keywords, blank.thresholds_permille, steps, refractory_steps),
            background,
            scenes,
            budget_per_hour,
            tau,
        )
        for steps in smoothings
        if steps <= MOST_SMOOTHING_STEPS
    ]
    quick = [choice for choice in choices if choice.p95_ms <= latency_ms]
    if not quick:
        return min(choices, key=lambda choice: (choice.p95_ms, choice.settings.smoothing_steps))
    return min(quick, key=lambda choice: (choice.missed, choice.settings.smoothing_steps))


def _at(blank: Settings, background: Sequence[Heard], scenes: Sequence[Heard], budget: float, tau: int) -> Choice:
    """The best thresholds at one smoothing."""
    steps = blank.smoothing_steps
    quiet = [runs.sums(stream.posteriors, steps) for stream in background]
    spoken = [runs.sums(stream.posteriors, steps) for stream in scenes]
    curves = _curves(blank, quiet, spoken, background, scenes, tau)
    total = hours(background)

    def settings(weight: float) -> Settings:
        return Settings(blank.keywords, _thresholds(curves, weight, budget), steps, blank.refractory_steps)

    def observed(each: Settings) -> int:
        return sum(len(runs.events(sums, each)) for sums in quiet)

    def fits(each: Settings) -> bool:
        return _expected(curves, each) <= budget and observed(each) <= budget * total

    best = _lightest(settings, fits)
    waits = [
        1000 * (stream.clock.samples(event.step) - stream.words[number].end) / stream.clock.rate_hz
        for sums, stream in zip(spoken, scenes, strict=True)
        for number, event in match(runs.events(sums, best), stream.words, stream.clock, tau).hits.items()
    ]
    words = sum(len(stream.words) for stream in scenes)
    p95_ms = float(np.percentile(waits, 95)) if waits else math.inf
    return Choice(best, _expected(curves, best), observed(best), words - len(waits), words, p95_ms)


def _lightest(settings: Callable[[float], Settings], fits: Callable[[Settings], bool]) -> Settings:
    """The settings of the least weight that fit; all words switched off fit always, at the end of the scale."""
    low, high = 0, len(_WEIGHTS)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(settings(_WEIGHTS[middle])) else (middle + 1, high)
    if low < len(_WEIGHTS):
        return settings(float(_WEIGHTS[low]))
    off = settings(float(_WEIGHTS[-1]))
    return Settings(off.keywords, (NEVER,) * len(off.keywords), off.smoothing_steps, off.refractory_steps)


def _thresholds(curves: _Curves, weight: float, budget: float) -> tuple[int, ...]:
    """Of equally good thresholds the highest. A word that the scenes do not hold gets its share of the budget."""
    costs = curves.misses + weight * curves.rates
    chosen = len(_GRID) - 1 - np.argmin(costs[:, ::-1], axis=1)
    unspoken = curves.misses[:, -1] == 0
    chosen[unspoken] = np.argmax(curves.rates[unspoken] <= budget / len(costs), axis=1)
    return tuple(_GRID[chosen].tolist())


def _expected(curves: _Curves, settings: Settings) -> float:
    return float(sum(row[at - 1] for row, at in zip(curves.rates, settings.thresholds_permille, strict=True)))


def _curves(
    blank: Settings,
    quiet: Sequence[np.ndarray],
    spoken: Sequence[np.ndarray],
    background: Sequence[Heard],
    scenes: Sequence[Heard],
    tau: int,
) -> _Curves:
    count, steps = len(blank.keywords), blank.smoothing_steps
    gap = max(blank.refractory_steps, 1)
    peaks = [
        np.sort(np.concatenate([_peaks(sums[:, number] / steps, gap) for sums in quiet])) for number in range(count)
    ]
    slope, total = _slope(peaks), hours(background)
    rates = np.stack([_rates(each, slope) / total for each in peaks])
    misses = np.zeros((count, len(_GRID)))
    for sums, stream in zip(spoken, scenes, strict=True):
        for word in stream.words:
            misses[word.keyword] += _GRID * steps > highest(sums, stream, word, tau)
    return _Curves(rates, misses)


def _peaks(scores: np.ndarray, gap: int) -> np.ndarray:
    """The local maxima of a word's mean posterior that are at least `gap` steps from a higher one, in thousandths."""
    padded = np.concatenate([[-1.0], scores, [-1.0]])
    maxima = np.flatnonzero((scores >= padded[:-2]) & (scores > padded[2:]) & (scores >= _LEAST_SCORE))
    taken = np.zeros(len(scores) + 2 * gap, bool)
    kept = []
    for at in maxima[np.argsort(-scores[maxima], kind="stable")].tolist():
        if not taken[at + gap]:
            taken[at + 1 : at + 2 * gap] = True
            kept.append(scores[at])
    return np.array(kept)


def _odds(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.log((scores + 0.5) / (ONE + 0.5 - scores)))


def _slope(peaks: Sequence[np.ndarray]) -> float:
    """Of the log of the rate against log odds, by the excesses over each word's tail; 1 without enough peaks."""
    tails = [_odds(each[-_TAIL_PEAKS:]) for each in peaks if len(each) >= 2]
    excesses = np.concatenate([tail[1:] - tail[0] for tail in tails]) if tails else np.zeros(0)
    total = float(excesses.sum())
    return min(len(excesses) / total, 10.0) if total > 0 else 1.0


def _rates(peaks: np.ndarray, slope: float) -> np.ndarray:
    """False accepts at each threshold of _GRID: counted below the tail, extrapolated in it. peaks: rising."""
    counts = np.asarray(len(peaks) - np.searchsorted(peaks, _GRID), np.float64)
    tail = peaks[-_TAIL_PEAKS:] if len(peaks) else np.array([float(_LEAST_SCORE)])
    size, start = max(len(tail), 1), _odds(tail[:1])
    fitted = size * np.exp(-slope * (_odds(np.minimum(_GRID, ONE).astype(float)) - start))
    rates = np.where(tail[0] < _GRID, fitted, np.maximum(counts, size))
    return np.where(_GRID == NEVER, 0.0, rates)
