"""The floor that stands for a rounding equals it for every sum, by exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from edgekws.graph.interp import requantize
from edgekws.importers._onnx import rounding

SUMS = np.arange(-700, 701)


def half_to_even(value):
    return round(value)


def rounded(factor, bias):
    return np.array([half_to_even(Fraction(factor) * int(acc) + Fraction(bias)) for acc in SUMS])


@pytest.mark.parametrize("seed", range(2))
def test_a_floor_equals_the_rounding_or_there_is_none(seed):
    rng, equal = np.random.default_rng(seed), 0
    for _ in range(60):
        mult, shift = int(rng.integers(1, 60)), int(rng.integers(0, 7))
        odd = 2 * mult * int(rng.integers(-99, 99)) - (1 << shift) + 1  # what our exporter writes
        bias = (odd if rng.random() < 0.5 else int(rng.integers(-999, 999))) / 2.0 ** (shift + 1)
        factor = mult / 2.0**shift
        form = rounding.floor_form(np.array([factor]), np.array([bias]), None)
        if form is None:
            continue
        equal += 1
        scores = requantize(SUMS[:, None], form.requant(-128, 127))[:, 0]
        assert (scores == np.clip(rounded(factor, bias), -128, 127)).all(), (factor, bias)
    assert equal > 10


def test_weights_that_are_all_even_are_halved_only_where_that_gives_a_floor():
    weight = np.array([[2, 4], [2, 4], [1, 2], [0, 0]])
    factor, bias = np.array([2.0**-3, 0.5, 2.0**-2, 1e-9]), np.array([5 / 8, 3, 1 / 8, 7.25])
    form = rounding.floor_form(factor, bias, weight)
    assert form.weight.tolist() == [[1, 2], [1, 2], [1, 2], [0, 0]]
    assert (form.mult.tolist(), form.shift.tolist(), form.offset[3]) == ([1, 1, 1, 1], [2, 0, 2, 0], 7)


@pytest.mark.parametrize(
    ("factor", "bias"),
    [(0.1, 0.0), (2.0**-40, 0.0), (0.25, 0.5), (0.25, 0.1), (300.0, 0.0), (-0.5, 0.25), (0.75, 0.125)],
)
def test_there_is_no_floor(factor, bias):
    assert rounding.floor_form(np.array([factor]), np.array([bias]), None) is None


def test_the_nearest_multiplier_is_the_nearest():
    rng = np.random.default_rng(0)
    factor, bias = np.exp(rng.uniform(-12, 1, 200)), rng.integers(-999, 999, 200).astype(float)
    close = rounding.nearest(factor, bias * factor, None, np.full(200, 1e6))
    assert close.rounded < 1e-6 and (close.offset == bias).all()
    real = [
        Fraction(int(mult), 1 << 31) / Fraction(2) ** int(shift)
        for mult, shift in zip(close.mult, close.shift, strict=True)
    ]
    assert max(abs(float(each / Fraction(exact)) - 1) for each, exact in zip(real, factor, strict=True)) < 2.0**-31
    requant = close.requant(-128, 127, 5)
    assert requant.rule == "fixed-point-once" and requant.zero == 5 and requant.mult.min() >= 1 << 30


def test_channels_that_hardly_move_are_constants():
    weight = np.array([[3, 4], [3, 4]])
    close = rounding.nearest(np.array([1e-30, 0.01]), np.array([7.2, 0.2]), weight, np.array([900.0, 900.0]))
    assert close.weight.tolist() == [[0, 0], [3, 4]] and close.offset.tolist() == [7, 20]
    assert rounding.nearest(np.array([1e-30]), np.array([0.5]), weight[:1], np.array([900.0])) is None


def test_a_file_that_rounds_down_keeps_its_multiplier_and_shift():
    parts = np.array([6.0, 3.0]), np.array([2.0**-4, 2.0**-4])
    form = rounding.floored_form(parts[0] * parts[1], np.array([5.0, 4.0]) * parts[0] * parts[1], None, parts)
    assert (form.mult.tolist(), form.shift.tolist(), form.offset.tolist()) == ([6, 3], [4, 4], [5, 4])
    merged = rounding.floored_form(parts[0] * parts[1], np.array([5.0, 4.0]) * parts[0] * parts[1], None, ())
    assert (merged.mult.tolist(), merged.shift.tolist(), merged.offset.tolist()) == ([3, 3], [3, 4], [5, 4])
    for acc in SUMS[::50]:
        expected = [math.floor((int(acc) + offset) * mult / 16) for offset, mult in ((5, 6), (4, 3))]
        for each in (form, merged):
            assert (
                requantize(np.array([acc, acc]), each.requant(-128, 127)).tolist()
                == np.clip(expected, -128, 127).tolist()
            )
