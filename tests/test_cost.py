"""Costs against figures worked out by hand, statistics against published and brute-force values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws import cost, stats


def test_layers_of_the_random_graph(graph):
    rows = cost.layers(graph)
    by_name = {row.name: row for row in rows}
    assert by_name["conv1"].macs == 25 * 5 * 8 * 10 * 4
    assert by_name["dw1"].macs == 25 * 5 * 8 * 9
    assert by_name["pool"].macs == 0
    assert by_name["fc"].parameter_bytes == 12 * 8 + 12 * 6
    assert sum(row.macs_share for row in rows) == pytest.approx(1.0)
    assert sum(row.macs for row in rows) == graph.macs


def test_peak_is_the_largest_pair(graph):
    assert cost.peak_activation_bytes(graph) == 2 * 25 * 5 * 8


def test_peak_of_the_mlperf_size(graph_factory):
    assert cost.peak_activation_bytes(graph_factory(channels=64)) == 16_000


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_newcombe_1998_table_1(successes, n, low, high):
    interval = stats.wilson(successes, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_refuses_more_hits_than_clips():
    with pytest.raises(ValueError, match=r"0\.\.3"):
        stats.wilson(4, 3)


@given(st.integers(0, 400), st.integers(0, 400))
def test_wilson_holds_the_share(hits, misses):
    interval = stats.wilson(hits, hits + misses)
    assert 0 <= interval.low <= interval.high <= 1
    if hits + misses:
        assert interval.low <= hits / (hits + misses) <= interval.high


def test_confusion_and_recall():
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    table = stats.confusion(truth, predicted, 3)
    assert table.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    first, second, absent = stats.recalls(table, ("a", "b", "c"))
    assert (first.value, second.value, absent.value) == (0.5, 2 / 3, None)
    assert (absent.interval.low, absent.interval.high) == (0.0, 1.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_is_the_share_of_ordered_pairs(pairs):
    positive = np.array([kind for kind, _ in pairs])
    score = np.array([value for _, value in pairs])
    ups, downs = score[positive], score[~positive]
    found = stats.auc(positive, score)
    if not len(ups) or not len(downs):
        assert math.isnan(found)
        return
    wins = sum((up > down) + (up == down) / 2 for up, down in itertools.product(ups, downs))
    assert found == pytest.approx(wins / (len(ups) * len(downs)))


def test_macro_auc_skips_absent_classes():
    truth = np.array([0, 0, 1, 1])
    scores = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.9, 0], [0.85, 0.15, 0]])
    assert stats.macro_auc(truth, scores) == pytest.approx(0.75)
    assert stats.macro_auc(np.zeros(4, int), scores) is None
