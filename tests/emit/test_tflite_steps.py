"""Requantization as step functions: thresholds against the interpreter, TFLite's steps against the graph's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.emit.tflite import steps as _steps
from edgekws.graph import interp
from edgekws.graph.ir import Requant

S_IN, S_OUT = np.float32(0.0431), np.float32(0.0612)
RANGES = st.sampled_from([(0, 255), (-128, 127)])


def floored(mult, shift, lo, hi):
    return Requant(np.zeros(1, np.int32), np.array([mult], np.uint8), np.array([shift], np.uint8), lo, hi)


def fixed(mult, shift, lo, hi):
    requant = np.zeros(1, np.int32), np.array([mult], np.int32), np.array([shift], np.uint8)
    return Requant(*requant, lo, hi, "fixed-point")


floor_requants = st.builds(
    lambda mult, shift, ends: floored(mult, shift, *ends), st.integers(1, 255), st.integers(8, 15), RANGES
)
fixed_requants = st.builds(
    lambda mult, shift, ends: fixed(mult, shift, *ends), st.integers(1 << 30, (1 << 31) - 1), st.integers(0, 12), RANGES
)


def output(requant, z):
    return interp.requantize(np.asarray(z)[..., None], requant)[..., 0]


def tflite_output(chosen, requant, raised, z):
    """TFLite's rule on acc' = k z + b, with the raise subtracted."""
    mult, shift = _steps.quantized(float(S_IN) * float(chosen.scale) / float(S_OUT))
    wide = fixed(mult, shift, -(1 << 20), 1 << 20)
    return np.clip(output(wide, chosen.k * z + chosen.b) - raised, requant.lo, requant.hi)


@settings(max_examples=150, deadline=None)
@given(floor_requants | fixed_requants)
def test_thresholds_are_where_the_interpreter_steps(requant):
    limit = np.array([1 << 40])
    steps = _steps.steps_of(requant, 0, -limit, limit)
    at = steps.thresholds[0]
    assert np.all(output(requant, at) >= steps.levels)
    assert np.all(output(requant, at - 1) < steps.levels)
    assert len(steps.levels) == 255


@settings(max_examples=80, deadline=None)
@given(floor_requants, st.integers(1, 127), st.integers(-30_000, 0), st.integers(1, 60_000))
def test_the_reported_number_of_wrong_z_is_right(requant, most, low, span):
    raised = 128 if requant.lo < 0 else 0
    steps = _steps.steps_of(requant, raised, np.array([low]), np.array([low + span]))
    (candidates,) = _steps.search(steps, requant.factor, np.array([most]), only_nominal=False)
    if not candidates:
        assert requant.factor[0] >= most
        return
    chosen = _steps.choose_scale(candidates, steps, 0, S_IN, S_OUT)
    z = np.arange(low, low + span + 1)
    assert 1 <= chosen.k <= most
    assert int((tflite_output(chosen, requant, raised, z) != output(requant, z)).sum()) == chosen.wrong


@settings(max_examples=80, deadline=None)
@given(floor_requants, st.integers(7, 127))
def test_channels_reported_as_exact_when_rounded_once_are_exact(requant, most):
    """Against a single rounding in float32, halves to even, as in XNNPACK."""
    raised = 128 if requant.lo < 0 else 0
    steps = _steps.steps_of(requant, raised, np.array([-40_000]), np.array([40_000]))
    (candidates,) = _steps.search(steps, requant.factor, np.array([most]), only_nominal=False)
    chosen = _steps.choose_scale(candidates, steps, 0, S_IN, S_OUT)
    z = np.arange(-40_000, 40_001)
    scale = S_IN * chosen.scale / S_OUT
    got = np.rint((chosen.k * z + chosen.b).astype(np.float32) * scale).astype(np.int64) - raised
    if chosen.single_rounding and not chosen.wrong:
        assert np.array_equal(np.clip(got, requant.lo, requant.hi), output(requant, z))


def random_channels(seed, count, most):
    """The chosen scales of `count` random channels with multipliers of 64 to 255."""
    rng = np.random.default_rng(seed)
    mult, shift = rng.integers(64, 256, count).astype(np.uint8), np.full(count, 14, np.uint8)
    requant = Requant(np.zeros(count, np.int32), mult, shift, 0, 255)
    limit = np.full(count, 1 << 16)
    steps = _steps.steps_of(requant, 0, -limit, limit)
    candidates = _steps.search(steps, requant.factor, np.full(count, most), only_nominal=False)
    return [_steps.choose_scale(each, steps, c, S_IN, S_OUT) for c, each in enumerate(candidates)]


@pytest.mark.parametrize(("most", "share"), [(18, 0.95), (127, 1.0)])
def test_narrow_weights_nearly_always_meet_their_steps(most, share):
    chosen = random_channels(0, 64, most)
    assert np.mean([each.wrong == 0 for each in chosen]) >= share
    assert max(each.wrong for each in chosen) < 10  # of 131073
    if most == 127:
        assert np.mean([each.single_rounding for each in chosen]) > 0.3


def test_without_room_the_steps_are_rarely_met():
    """Without multiples of the weights the comparison above fails, so k matters."""
    assert np.mean([each.wrong > 0 for each in random_channels(1, 32, 1)]) > 0.7


@pytest.mark.parametrize("signed", [False, True])
def test_multipliers_of_float32_scales_come_back_exactly(signed):
    rng = np.random.default_rng(2)
    scales = rng.uniform(0.001, 0.002, 64).astype(np.float32)
    pairs = [_steps.quantized(float(S_IN) * float(scale) / float(S_OUT)) for scale in scales]
    mult, shift = (np.array(column) for column in zip(*pairs, strict=True))
    ends = (-128, 127) if signed else (0, 255)
    requant = Requant(np.zeros(64, np.int32), mult.astype(np.int32), shift.astype(np.uint8), *ends, "fixed-point")
    limit = np.full(64, 1 << 22)
    steps = _steps.steps_of(requant, 0, -limit, limit)
    candidates = _steps.search(steps, requant.factor, np.ones(64, np.int64), only_nominal=True)
    assert all((each[0].k, each[0].b) == (1, 0) for each in candidates)
    chosen = [_steps.choose_scale(each, steps, c, S_IN, S_OUT) for c, each in enumerate(candidates)]
    assert [each.wrong for each in chosen] == [0] * 64
    assert _steps.most_expressible(candidates, S_IN, np.array([S_OUT, np.float32(0.0613)])) == S_OUT


def test_unreachable_steps_do_not_count():
    requant, wrong = floored(85, 9, -128, 127), []
    for low, high in ((-2914, 3461), (-300, 300)):
        steps = _steps.steps_of(requant, 128, np.array([low]), np.array([high]))
        (candidates,) = _steps.search(steps, requant.factor, np.array([18]), only_nominal=False)
        wrong.append(_steps.choose_scale(candidates, steps, 0, S_IN, S_OUT).wrong)
    assert wrong[0] > 0  # 85 divides 255: the same residues occur three times, which leaves no interval for p
    assert wrong[1] == 0


def test_a_factor_that_rounds_up_to_one():
    candidate = _steps.Candidate(1, 0, 0, 1.0, 1 + 2.0**-30, 1.0, False)
    steps = _steps.steps_of(floored(1, 0, 0, 255), 0, np.array([-400]), np.array([400]))
    chosen = _steps.choose_scale([candidate], steps, 0, np.float32(1), np.float32(1))
    assert (chosen.scale, chosen.wrong) == (1, 0)


def test_quantized_is_tflites_own():
    assert _steps.quantized(0.5) == (1 << 30, 0)
    assert _steps.quantized(1 - 2.0**-40) == (1 << 30, -1)  # rounds up to 2^31 and is halved
    assert _steps.quantized(0.3) == (round(0.6 * 2**31), 1)
