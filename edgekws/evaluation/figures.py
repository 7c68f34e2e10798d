"""The figures of a classifier on labelled clips: one frozen value from probabilities and true labels. NumPy only.

A word is accepted at a threshold when it has the highest probability and that is at least the threshold. Every share
has its 95 % interval (Wilson's score interval, edgekws.stats).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgekws import stats
from edgekws.data.labels import REJECT, SILENCE, UNKNOWN
from edgekws.errors import DataError
from edgekws.types import Interval

SILENT, OTHER = -1, -2
"""True labels of clips without a word and of other words, for a model that has no such label.

They have no row in the confusion table and no part in the accuracy: only thresholds can reject them.
"""
THRESHOLDS = (*(step / 20 for step in range(20)), 0.99)
BINS = 10
"""Bins of equal width, by confidence, of the calibration error."""
MOST_SILENCE, MOST_OTHER = 0.01, 0.1
"""Shares of silence and of other words that `Evaluation.suggested` lets pass."""
LEAST_RECALL = 0.5
"""Share of the words that must still be recognized there."""
WIDE = 0.1
"""An interval wider than this needs more clips."""
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Share:
    """`hits` of `n`; value is None when n is 0."""

    hits: int
    n: int
    value: float | None
    interval: Interval


@dataclass(frozen=True)
class ClassFigures:
    """recall: of the clips of this label; precision: of the answers with this label."""

    label: str
    recall: Share
    precision: Share


@dataclass(frozen=True)
class Point:
    """What passes at one threshold.

    recall: word clips whose own word was accepted; wrong: word clips taken for another word; silence, other: clips of
    `_silence_` and `_unknown_` taken for a word.
    """

    threshold: float
    recall: Share
    wrong: Share
    silence: Share
    other: Share


@dataclass(frozen=True)
class Bin:
    """The clips whose highest probability is in (low, high]. confidence: its mean, None without clips."""

    low: float
    high: float
    confidence: float | None
    accuracy: Share


@dataclass(frozen=True)
class Evaluation:
    """Figures of `n` clips with a label of the model.

    confusion: int64 [true, predicted]. chance: accuracy of always answering the most frequent label.
    calibration_error: expected difference of confidence and accuracy (0..1). thresholds: in rising order.
    """

    labels: tuple[str, ...]
    n: int
    accuracy: Share
    balanced_accuracy: float
    chance: float
    classes: tuple[ClassFigures, ...]
    confusion: np.ndarray
    calibration_error: float
    reliability: tuple[Bin, ...]
    thresholds: tuple[Point, ...]

    @property
    def is_above_chance(self) -> bool:
        """Whether the whole interval of the accuracy is above chance."""
        return self.accuracy.interval.low > self.chance

    @property
    def is_wide(self) -> bool:
        """Whether the interval of the accuracy is wider than 10 points: too few clips to compare anything."""
        return width(self.accuracy) > WIDE

    @property
    def suggested(self) -> Point | None:
        """The lowest threshold that lets at most 1 % of silence and 10 % of other words pass, and half of the words.

        None when none does, and when there is neither silence nor another word to judge by.
        """
        if not self.thresholds or not (self.thresholds[0].silence.n or self.thresholds[0].other.n):
            return None
        fits = (
            point
            for point in self.thresholds
            if (point.silence.value or 0) <= MOST_SILENCE
            and (point.other.value or 0) <= MOST_OTHER
            and (point.recall.value or 0) >= LEAST_RECALL
        )
        return next(fits, None)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain JSON values."""
        return {**asdict(self), "labels": list(self.labels), "confusion": self.confusion.tolist()}


def evaluate(
    probabilities: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    thresholds: Sequence[float] = THRESHOLDS,
) -> Evaluation:
    """The figures of `probabilities`, float64 [n, labels], for the true labels `truth`, int64 [n].

    truth: indices into `labels`, or SILENT or OTHER. Of equal probabilities the first label is the answer. Raises
    DataError without a clip of the labels, and for probabilities or indices that do not fit.
    """
    names = tuple(labels)
    _check(probabilities, truth, names)
    known = truth >= 0
    predicted = probabilities.argmax(axis=1)
    table = stats.confusion(truth[known], predicted[known], len(names))
    rows, hits = table.sum(axis=1), np.diag(table)
    n = int(known.sum())
    confidence = probabilities.max(axis=1)[known]
    bins = _reliability(confidence, truth[known] == predicted[known])
    return Evaluation(
        labels=names,
        n=n,
        accuracy=share(int(hits.sum()), n),
        balanced_accuracy=float((hits[rows > 0] / rows[rows > 0]).mean()),
        chance=float(rows.max() / n),
        classes=_classes(table, names),
        confusion=table,
        calibration_error=sum(_gap(each) * each.accuracy.n for each in bins) / n,
        reliability=bins,
        thresholds=_points(probabilities, truth, names, sorted(thresholds)),
    )


def share(hits: int, n: int) -> Share:
    """`hits` of `n` with its interval."""
    return Share(hits, n, hits / n if n else None, stats.wilson(hits, n))


def width(of: Share) -> float:
    """Width of the interval, 0..1."""
    return of.interval.high - of.interval.low


def mistakes(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Indices of the clips with a wrong answer, int64 [m]; the highest probability of the wrong answer first.

    Clips of SILENT and OTHER are no mistakes: the model has no right answer to them.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero((truth >= 0) & (predicted != truth))
    return wrong[np.argsort(-confidence[wrong], kind="stable")]


def softmax(scores: np.ndarray, score_scale: float) -> np.ndarray:
    """Integer scores [n, labels] -> probabilities, float64 [n, labels]. score_scale: real value of one step."""
    real = score_scale * scores.astype(np.float64)
    terms = np.exp(real - real.max(axis=1, keepdims=True))
    return np.asarray(terms / terms.sum(axis=1, keepdims=True))


def _check(probabilities: np.ndarray, truth: np.ndarray, names: tuple[str, ...]) -> None:
    shape = probabilities.shape
    if probabilities.ndim != 2 or shape != (len(truth), len(names)):
        expected = f"probabilities should have shape [{len(truth)}, {len(names)}]"
        raise DataError(expected, got=str(list(shape)))
    if not np.any(truth >= 0):
        raise DataError("an evaluation needs clips of the model's labels", got="none", hint=f"{', '.join(names)}")
    if truth.max() >= len(names) or truth.min() < OTHER:
        raise DataError(f"true labels should be {OTHER}..{len(names) - 1}", got=f"{truth.min()}..{truth.max()}")
    if not np.isfinite(probabilities).all() or np.abs(probabilities.sum(axis=1) - 1).max() > _TOLERANCE:
        raise DataError("the probabilities of each clip should add up to 1", got="others")


def _classes(table: np.ndarray, names: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    rows, columns, hits = table.sum(axis=1).tolist(), table.sum(axis=0).tolist(), np.diag(table).tolist()
    figures = zip(names, hits, rows, columns, strict=True)
    return tuple(ClassFigures(name, share(hit, row), share(hit, column)) for name, hit, row, column in figures)


def _reliability(confidence: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for number in range(BINS):
        inside = place == number
        n = int(inside.sum())
        mean = float(confidence[inside].mean()) if n else None
        bins.append(Bin(number / BINS, (number + 1) / BINS, mean, share(int(right[inside].sum()), n)))
    return tuple(bins)


def _gap(each: Bin) -> float:
    """Difference of accuracy and confidence of one bin: Guo et al., On Calibration of Modern Neural Networks, 2017."""
    if each.confidence is None or each.accuracy.value is None:
        return 0.0
    return abs(each.accuracy.value - each.confidence)


def _points(
    probabilities: np.ndarray, truth: np.ndarray, names: tuple[str, ...], thresholds: Sequence[float]
) -> tuple[Point, ...]:
    is_word = np.array([name not in REJECT for name in names])
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    silence = (truth == SILENT) | _is(SILENCE, truth, names)
    other = (truth == OTHER) | _is(UNKNOWN, truth, names)
    of_words = ~silence & ~other
    right = predicted == truth
    points = []
    for threshold in thresholds:
        accepted = is_word[predicted] & (confidence >= threshold)
        points.append(
            Point(
                threshold,
                _among(of_words, accepted & right),
                _among(of_words, accepted & ~right),
                _among(silence, accepted),
                _among(other, accepted),
            )
        )
    return tuple(points)


def _is(label: str, truth: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    return truth == names.index(label) if label in names else np.zeros(len(truth), bool)


def _among(clips: np.ndarray, hits: np.ndarray) -> Share:
    return share(int((clips & hits).sum()), int(clips.sum()))
