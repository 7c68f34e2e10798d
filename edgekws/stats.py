"""The statistics of a classifier: confusion, recall, AUC; intervals of shares, means, counts and groups. NumPy only."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.types import Interval

Z_95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""
_T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.23)
"""Two-sided 95 % points of Student's t, 1 to 10 degrees of freedom; beyond these the last, slightly too wide."""


def half_of_mean(values: Sequence[float]) -> float:
    """Half width of the 95 % interval of the mean, by Student's t; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan
    point = _T_95[min(len(values) - 1, len(_T_95)) - 1]
    return point * statistics.stdev(values) / math.sqrt(len(values))


@dataclass(frozen=True)
class Recall:
    """Recall of one class: `hits` of `n` clips, with its Wilson interval; value is None when n is 0."""

    label: str
    hits: int
    n: int
    value: float | None
    interval: Interval


def wilson(successes: int, n: int, z: float = Z_95) -> Interval:
    """Wilson's score interval of a proportion (E. B. Wilson, JASA 1927). With n = 0 it is [0, 1].

    Raises ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes should be 0..{n}, got {successes}")
    if n == 0:
        return Interval(0.0, 1.0)
    share, weight = successes / n, z * z / n
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    low = 0.0 if successes == 0 else centre - half  # exact at the ends, where rounding leaves 1e-17
    high = 1.0 if successes == n else centre + half
    return Interval(low, high)


def poisson(count: int) -> Interval:
    """Exact 95 % interval of the mean of a Poisson count (F. Garwood, Biometrika 28, 1936): 0 gives [0, 3.69].

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"a count should be 0 or more, got {count}")
    top = count + 8 * math.sqrt(count + 1) + 8
    low = 0.0 if count == 0 else _bisected(lambda mean: 1 - _poisson_cdf(count - 1, mean) > _TAIL, 0.0, float(count))
    return Interval(low, _bisected(lambda mean: _poisson_cdf(count, mean) < _TAIL, float(count), top))


_TAIL = 0.025


def _poisson_cdf(count: int, mean: float) -> float:
    """P(X <= count)."""
    if mean <= 0:
        return 1.0
    numbers = np.arange(count + 1)
    logs = numbers * math.log(mean) - mean - np.array([math.lgamma(number + 1) for number in numbers.tolist()])
    return min(1.0, float(np.exp(logs).sum()))


def _bisected(is_beyond: Callable[[float], bool], low: float, high: float) -> float:
    """The least value within low..high of which `is_beyond` holds, to 50 bits."""
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return high


def bootstrap(hits: np.ndarray, sizes: np.ndarray, draws: int = 4_000) -> Interval:
    """95 % percentile interval of sum(hits) / sum(sizes), by drawing whole groups with replacement, always the same.

    For answers that depend on each other within a group, such as a speaker (B. Efron, R. Tibshirani, An Introduction
    to the Bootstrap, 1993, chapter 13). hits, sizes: int [groups]; at least one group with a size above 0.
    """
    drawn = np.random.default_rng(0).integers(0, len(hits), (draws, len(hits)))
    totals = sizes[drawn].sum(axis=1)
    shares = hits[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    low, high = np.percentile(shares, [2.5, 97.5])
    return Interval(float(low), float(high))


def difference(
    old: float, old_interval: Interval, new: float, new_interval: Interval, correlation: float = 0.0
) -> Interval:
    """95 % interval of new - old, two proportions with their Wilson intervals.

    correlation: of the answers on the same clips (`correlation`); 0 for independent clips. By R. G. Newcombe's
    square-and-add methods (Statistics in Medicine 17, 1998: page 873, method 10; of pairs page 2635, method 10).
    """
    low = _added(new - new_interval.low, old_interval.high - old, correlation)
    high = _added(new_interval.high - new, old - old_interval.low, correlation)
    return Interval(new - old - low, new - old + high)


def _added(one: float, two: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one + two * two - 2 * correlation * one * two))


def correlation(old: np.ndarray, new: np.ndarray) -> float:
    """Phi coefficient of two bool [n], the right answers of two runs on the same clips; 0 where one is constant.

    With Newcombe's correction towards 0 for a positive one.
    """
    both, only_old, only_new = (int(np.count_nonzero(part)) for part in (old & new, old & ~new, new & ~old))
    neither = len(old) - both - only_old - only_new
    product = (both + only_old) * (only_new + neither) * (both + only_new) * (only_old + neither)
    excess = float(both * neither - only_old * only_new)
    if excess > 0:
        excess = max(excess - len(old) / 2, 0.0)
    return excess / math.sqrt(product) if product else 0.0


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: row = truth, column = prediction. Both inputs are int [n], 0..classes-1."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def recalls(table: np.ndarray, labels: tuple[str, ...]) -> tuple[Recall, ...]:
    """The recall of each class from its row of a confusion table."""
    rows = zip(labels, np.diag(table).tolist(), table.sum(axis=1).tolist(), strict=True)
    return tuple(Recall(label, hits, n, hits / n if n else None, wilson(hits, n)) for label, hits, n in rows)


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve, exact: P(positive scores higher) + P(tie) / 2. NaN without both kinds.

    positive: bool [n]; score: number [n].
    """
    hits = int(np.count_nonzero(positive))
    misses = len(positive) - hits
    if not hits or not misses:
        return math.nan
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2  # ties share the mean of their ranks
    rank_sum = float(mean_rank[place][positive].sum())
    return (rank_sum - hits * (hits + 1) / 2) / (hits * misses)


def macro_auc(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Mean one-against-rest AUC of the classes that occur; None when only one does.

    truth: int [n]; scores: number [n, classes].
    """
    each = [auc(truth == label, scores[:, label]) for label in range(scores.shape[1])]
    known = [value for value in each if not math.isnan(value)]
    return float(np.mean(known)) if known else None
