"""The figures of a classifier against scikit-learn and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.errors import DataError
from edgekws.evaluation import figures
from edgekws.stats import wilson

LABELS = ("yes", "no", SILENCE, UNKNOWN)


def drawn(seed: int, n: int, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [n, labels] that favour the truth, and the truth [n]."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, n)
    scores = rng.normal(0, 1.5, (n, labels))
    scores[np.arange(n), truth] += 1
    return figures.softmax(scores, 1.0), truth


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 80))
def test_figures_are_those_of_scikit_learn(seed: int, n: int) -> None:
    from sklearn import metrics

    probabilities, truth = drawn(seed, n)
    result, predicted = figures.evaluate(probabilities, truth, LABELS), probabilities.argmax(axis=1)
    assert result.confusion.tolist() == metrics.confusion_matrix(truth, predicted, labels=range(4)).tolist()
    precision, recall, _, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(4), zero_division=np.nan
    )
    assert result.accuracy.value == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert [row.recall.n for row in result.classes] == support.tolist()
    for row, of_truth, of_answers in zip(result.classes, recall, precision, strict=True):
        assert row.recall.value == (None if np.isnan(of_truth) else pytest.approx(of_truth))
        assert row.precision.value == (None if np.isnan(of_answers) else pytest.approx(of_answers))
        assert row.recall.interval == wilson(row.recall.hits, row.recall.n)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 80))
def test_a_higher_threshold_accepts_less(seed: int, n: int) -> None:
    probabilities, truth = drawn(seed, n)
    points = figures.evaluate(probabilities, truth, LABELS).thresholds
    for name in ("recall", "wrong", "silence", "other"):
        hits = [getattr(point, name).hits for point in points]
        assert hits == sorted(hits, reverse=True)
        assert len({getattr(point, name).n for point in points}) == 1
    words = truth < 2
    assert points[0].recall.hits == int((words & (probabilities.argmax(axis=1) == truth)).sum())


def test_the_calibration_error_is_the_mean_gap_of_confidence_and_accuracy() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    result = figures.evaluate(probabilities, np.array([0, 0, 0, 1]), ("a", "b"))
    assert result.calibration_error == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)  # 100 % at 0.9, 50 % at 0.6
    filled = [each for each in result.reliability if each.accuracy.n]
    assert [(each.low, each.accuracy.hits) for each in filled] == [(0.5, 1), (0.8, 2)]


def test_clips_without_a_label_of_the_model_count_at_the_thresholds_alone() -> None:
    probabilities = np.array([[0.95, 0.05], [0.3, 0.7], [0.8, 0.2], [0.45, 0.55]])
    truth = np.array([0, 1, figures.SILENT, figures.OTHER])
    result = figures.evaluate(probabilities, truth, ("a", "b"))
    assert (result.n, result.accuracy.hits, int(result.confusion.sum())) == (2, 2, 2)
    at = {point.threshold: point for point in result.thresholds}
    assert (at[0.0].silence.hits, at[0.0].other.hits, at[0.6].other.hits, at[0.85].silence.hits) == (1, 1, 0, 0)
    assert result.suggested is not None and result.suggested.threshold == 0.85
    assert result.suggested.recall.hits == 1 and figures.mistakes(probabilities, truth).size == 0


def test_no_threshold_is_suggested_without_anything_to_reject() -> None:
    assert figures.evaluate(np.eye(2), np.array([0, 1]), ("a", "b")).suggested is None


def test_chance_and_few_clips_are_named() -> None:
    always_a = np.tile([0.7, 0.3], (10, 1))
    result = figures.evaluate(always_a, np.array([0] * 6 + [1] * 4), ("a", "b"))
    assert result.chance == 0.6 and not result.is_above_chance and result.is_wide
    assert result.balanced_accuracy == 0.5


def test_the_most_confident_mistakes_come_first() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    assert figures.mistakes(probabilities, np.array([1, 1, 0, 1])).tolist() == [1, 2, 0]


def test_the_figures_are_plain_json() -> None:
    probabilities, truth = drawn(0, 30)
    document = json.loads(json.dumps(figures.evaluate(probabilities, truth, LABELS).to_json()))
    assert document["accuracy"]["n"] == 30 and len(document["thresholds"]) == len(figures.THRESHOLDS)


@pytest.mark.parametrize(
    ("probabilities", "truth", "message"),
    [
        (np.eye(2), [0], "shape"),
        (np.eye(2), [-1, -2], "needs clips"),
        (np.eye(2), [0, 2], "should be -2..1"),
        (np.ones((2, 2)), [0, 1], "add up to 1"),
        (np.full((2, 2), np.nan), [0, 1], "add up to 1"),
    ],
    ids=["shape", "no label", "range", "sum", "nan"],
)
def test_what_does_not_fit_is_refused(probabilities: np.ndarray, truth: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        figures.evaluate(probabilities, np.array(truth), ("a", "b"))
