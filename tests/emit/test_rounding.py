"""The rewriting of floor as round, against integer models of the three ways in which kernels round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.emit._rounding import RAISE, check_bounds, round_form
from edgekws.emit.tflite.scales import free_scale, near, scale_with_margin, unit_of
from edgekws.errors import TargetError
from edgekws.graph.ir import Node, Requant

S_IN = near(0.05)[0]
S_OUT = scale_with_margin(S_IN, 0.11)
UNIT = unit_of(S_IN, S_OUT)


def one_weight(weight: int, offset: int, shift: int, signed: bool, mult: int = 1) -> Node:
    """A linear node of one input and one output."""
    requant = Requant(
        np.array([offset], np.int32),
        np.array([mult], np.uint8),
        np.array([shift], np.uint8),
        *((-128, 127) if signed else (0, 255)),
    )
    return Node("n", "linear", ("input",), requant, (1, 1, 1), (1, 1, 1), weight=np.array([[weight]], np.int8))


def multiplier(shift: int) -> tuple[int, int]:
    """TFLite's 31-bit multiplier and right shift for s_in * s_w / s_out."""
    fraction, exponent = np.frexp(float(S_IN) * float(np.ldexp(UNIT, -shift)) / float(S_OUT))
    quantized = int(np.floor(fraction * 2**31 + 0.5))
    return (quantized // 2, -int(exponent) - 1) if quantized == 2**31 else (quantized, -int(exponent))


def high_product(acc: np.ndarray, quantized: int) -> np.ndarray:
    product = acc * quantized
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.trunc((product + nudge) / 2.0**31).astype(np.int64)


def half_away(acc: np.ndarray, shift: int) -> np.ndarray:
    quantized, right = multiplier(shift)
    high, half = high_product(acc, quantized), (1 << right) >> 1
    return np.where(high >= 0, (high + half) >> right, -((-high + half) >> right))


def half_up(acc: np.ndarray, shift: int) -> np.ndarray:
    quantized, right = multiplier(shift)
    return (high_product(acc, quantized) + ((1 << right) >> 1)) >> right


def half_even(acc: np.ndarray, shift: int) -> np.ndarray:
    scale = S_IN * np.ldexp(UNIT, -shift) / S_OUT
    assert scale.dtype == np.float32
    return np.rint(np.clip(acc.astype(np.float32) * scale, -1000, 1000)).astype(np.int64)


def rewritten(node: Node, x: np.ndarray, dialect) -> np.ndarray:
    form, requant = round_form(node), node.requant
    acc = form.weight.astype(np.int64).ravel()[0] * x + form.bias[0]
    rounded = dialect(acc, int(form.shift[0]))
    return np.clip(rounded - form.raised, requant.lo, requant.hi)


def floored(node: Node, x: np.ndarray) -> np.ndarray:
    requant = node.requant
    acc = node.weight.astype(np.int64).ravel()[0] * x + int(requant.offset[0])
    return np.clip((acc * int(requant.mult[0])) >> int(requant.shift[0]), requant.lo, requant.hi)


X = np.arange(-128, 256)
nodes = st.builds(
    one_weight,
    weight=st.integers(-127, 127),
    offset=st.integers(-(1 << 19), 1 << 19),
    shift=st.integers(0, 12),
    signed=st.booleans(),
)
near_nodes = st.builds(
    one_weight,
    weight=st.integers(-127, 127),
    offset=st.integers(-3000, 3000),
    shift=st.integers(0, 7),
    signed=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(nodes | near_nodes)
def test_equals_floor_where_halves_round_away_or_up(node):
    assert np.array_equal(rewritten(node, X, half_away), floored(node, X))
    assert np.array_equal(rewritten(node, X, half_up), floored(node, X))


@settings(max_examples=300, deadline=None)
@given(nodes | near_nodes)
def test_equals_floor_where_halves_round_to_even_if_there_are_none(node):
    got, expected = rewritten(node, X, half_even), floored(node, X)
    if round_form(node).tie_free.all():
        assert np.array_equal(got, expected)
    else:
        assert set(np.unique(expected - got)) <= {0, 1}


def test_halves_to_even_do_err_on_ties():
    node = one_weight(64, 0, 7, signed=False)  # x = 2 gives exactly 1, written as the half 0.5
    assert floored(node, np.array([2])) == 1
    assert rewritten(node, np.array([2]), half_even) == 0


def test_an_exact_power_of_two_would_be_wrong():
    """Why the scales have a margin: 2^30 drops the lowest bit of an odd accumulator."""
    node = one_weight(1, 0, 7, signed=False)
    form = round_form(node)
    acc = 2 * 127 + form.bias
    assert (high_product(acc, 1 << 30) + (1 << 6)) >> 7 == 1
    assert half_up(acc, int(form.shift[0])) == half_away(acc, int(form.shift[0])) == 0


short = st.sampled_from([2.0**k for k in range(-12, 4)] + [1.5, 0.75, 0.1875, 8.359375, 1 + 2**-13, 1 / 3])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-4, 10) | short, min_size=3, max_size=8))
def test_scales_leave_a_margin_for_every_reader_and_stay_near(scales):
    first, second, *readers = scales
    s_in = free_scale(first, [second])
    s_out = scale_with_margin(s_in, second, readers)
    pairs = [(s_in, s_out, second), *((s_out, scale_with_margin(s_out, each), each) for each in readers)]
    for before, after, aim in pairs:
        unit = unit_of(before, after)
        assert abs(float(after) / aim - 1) < 1e-3
        assert 2**-31 <= 1 - float(before) * float(unit) / float(after) <= 2**-26
        assert before * unit / after == np.float32(1)


def test_even_multipliers_are_shifts_and_odd_ones_are_refused():
    assert np.array_equal(
        rewritten(one_weight(50, 7, 9, signed=False, mult=4), X, half_up),
        floored(one_weight(50, 7, 7, signed=False), X),
    )
    with pytest.raises(TargetError, match=r"n: .*3 / 2\^9 in channel 0"):
        round_form(one_weight(50, 7, 9, signed=False, mult=3))
    with pytest.raises(TargetError, match=r"4 / 2\^1 in channel 0"):
        round_form(one_weight(50, 7, 1, signed=False, mult=4))


def test_raised_inputs_are_taken_out_again():
    node = one_weight(100, 7, 6, signed=False)
    form = round_form(node, raised_input=RAISE)
    assert form.bias[0] == round_form(node).bias[0] - RAISE * 100


def test_accumulators_beyond_exactness_are_refused():
    fits = one_weight(100, 1 << 20, 13, signed=False)
    check_bounds(fits, round_form(fits), 0, 255, 23)
    wide = one_weight(100, 1 << 24, 16, signed=False)
    with pytest.raises(TargetError, match=r"n: .*2\^23.*channel 0 \(shift 16\)"):
        check_bounds(wide, round_form(wide), 0, 255, 23)
    huge = one_weight(1, 1 << 30, 5, signed=False)
    with pytest.raises(TargetError, match="32 bits"):
        check_bounds(huge, round_form(huge), 0, 255, 23)
