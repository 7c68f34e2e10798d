"""Measures of predicted labels, and their confidence intervals over evaluation clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws import stats
from edgekws.curate.dataperf.scorer.protocols import Measure
from edgekws.types import Interval

RESAMPLES = 1000


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class, means over seeds. support: number of evaluation clips."""

    name: str
    f1: float
    precision: float
    recall: float
    support: int


def measure(table: np.ndarray, which: Measure) -> float:
    """Of one confusion table [classes, classes], row = truth; classes that do not occur are ignored."""
    return float(_measures(table[None].astype(np.float64), which)[0])


def _measures(tables: np.ndarray, which: Measure) -> np.ndarray:
    """float64 [n] of tables [n, classes, classes]."""
    hits = np.diagonal(tables, axis1=1, axis2=2)
    truth, predicted = tables.sum(axis=2), tables.sum(axis=1)
    if which == "accuracy":
        return np.asarray(hits.sum(axis=1) / truth.sum(axis=1))
    if which == "balanced accuracy":
        return _mean(_ratio(hits, truth), truth > 0)
    return _mean(_ratio(2 * hits, truth + predicted), truth + predicted > 0)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(above, below, out=np.zeros_like(above, np.float64), where=below > 0))


def _mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.asarray((values * counts).sum(axis=1) / counts.sum(axis=1))


def per_class(tables: np.ndarray, names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """tables: int [seeds, classes, classes]."""
    hits = np.diagonal(tables, axis1=1, axis2=2)
    truth, predicted = tables.sum(axis=2), tables.sum(axis=1)
    f1 = _ratio(2 * hits, truth + predicted).mean(axis=0).tolist()
    precision, recall = (_ratio(hits, below).mean(axis=0).tolist() for below in (predicted, truth))
    rows = zip(names, f1, precision, recall, truth[0].tolist(), strict=True)
    return tuple(ClassScore(*row) for row in rows)


def interval(truth: np.ndarray, labels: np.ndarray, classes: int, which: Measure) -> Interval:
    """95 % bootstrap interval of the mean over seeds, for other evaluation clips of the same classes.

    truth: int [n]; labels: int [seeds, n]. Clips are drawn with replacement within each class, the same for all seeds;
    clips of one truth and one set of predictions are alike, so their counts are drawn at once. Seeded.
    """
    patterns, counts = np.unique(np.vstack([truth, labels]), axis=1, return_counts=True)
    rng, drawn = np.random.default_rng(0), np.zeros((RESAMPLES, len(counts)))
    for label in np.unique(truth):
        rows = np.flatnonzero(patterns[0] == label)
        drawn[:, rows] = rng.multinomial(counts[rows].sum(), counts[rows] / counts[rows].sum(), RESAMPLES)
    total = np.zeros(RESAMPLES)
    for predicted in patterns[1:]:
        place = np.zeros((len(counts), classes * classes))
        place[np.arange(len(counts)), patterns[0] * classes + predicted] = 1
        total += _measures((drawn @ place).reshape(-1, classes, classes), which)
    low, high = np.quantile(total / len(labels), [0.025, 0.975])
    return Interval(float(low), float(high))


def confusions(truth: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """int64 [seeds, classes, classes]."""
    return np.stack([stats.confusion(truth, predicted, classes) for predicted in labels])
