"""Energy from traces whose joules are known: windows, power at rest, points for a plot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ConfigError
from firmware_io.energy import windows
from firmware_io.energy.windows import Span
from firmware_io.monitors import Trace


def trace(watts, rate_hz=1000.0, edges=(), **more):
    return Trace("virtual", rate_hz, np.asarray(watts, np.float64) / rate_hz, tuple(edges), **more)


def steps(*parts, rate_hz=1000.0):
    """Watts of (seconds, watts) one after the other."""
    return np.concatenate([np.full(round(seconds * rate_hz), watts) for seconds, watts in parts])


def test_energy_lies_between_the_edges_and_the_idle_power_beside_them_is_subtracted():
    """Rest at 2 mW, before the windows a load of the next clip at 9 mW, windows at 12 and 13 mW."""
    watts = steps((1.5, 0.002), (2, 0.012), (1.2, 0.002), (0.8, 0.009), (2, 0.013), (1.1, 0.004))
    measured = windows.windows(trace(watts), [Span(1500, 3500, 10), Span(5500, 7500, 20)], idle_s=1.0)
    assert [window.joules for window in measured] == pytest.approx([0.024, 0.026])
    assert [window.seconds for window in measured] == [2.0, 2.0]
    assert [window.idle_watts for window in measured] == pytest.approx([0.002, 0.003])
    assert [window.uj_per_inference for window in measured] == pytest.approx([2400, 1300])
    assert [window.uj_per_inference_above_idle for window in measured] == pytest.approx([2000, 1000])


def test_idle_power_of_a_short_gap_is_not_guessed():
    watts = steps((0.9, 0.002), (2, 0.012), (0.9, 0.002))
    (window,) = windows.windows(trace(watts), [Span(900, 2900, 10)], idle_s=1.0)
    assert window.idle_watts is None and window.uj_per_inference_above_idle is None
    assert window.uj_per_inference == pytest.approx(2400)


def test_idle_time_on_one_side_is_enough():
    watts = steps((0.9, 0.002), (2, 0.012), (1.1, 0.003))
    (window,) = windows.windows(trace(watts), [Span(900, 2900, 10)], idle_s=1.0)
    assert window.idle_watts == pytest.approx(0.003)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_windows_and_gaps_together_are_the_whole_trace(count, seed):
    rng = np.random.default_rng(seed)
    watts = rng.uniform(0, 0.1, 5000)
    edges = np.sort(rng.choice(5000, count, replace=False)).tolist()
    whole = trace(watts, edges=edges)
    measured = windows.windows(whole, windows.spans(edges, 3), idle_s=0.1)
    lone = edges[count % 2 :]
    gaps = zip([0, *lone[1::2]], [*lone[0::2], 5000], strict=True)
    rest = sum(windows.total_joules(whole.joules, first, last) for first, last in gaps)
    assert rest + sum(window.joules for window in measured) == pytest.approx(whole.joules.sum(), rel=1e-12)


@given(st.integers(1, 3), st.floats(1e-12, 1e-3), st.sampled_from([np.float32, np.float64]))
def test_sums_are_exact_whatever_the_trace_is_stored_in(seconds, joules, dtype):
    stored = np.full(seconds * 1_500_000, joules, dtype)
    expected = float(stored[0]) * len(stored)
    assert windows.total_joules(stored, 0, len(stored)) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 400), st.integers(100, 400), st.integers(0, 400))
def test_the_quietest_stretch_is_found_to_a_hundredth(before, quiet, after):
    watts = np.concatenate([np.full(before, 5.0), np.full(quiet, 1.0), np.full(after, 4.0)])
    quietest = windows.quietest_watts(trace(watts, rate_hz=100.0), 0, len(watts), seconds=1.0)
    assert quietest == pytest.approx(1.0)
    assert windows.quietest_watts(trace(watts, rate_hz=100.0), 0, 99, seconds=1.0) is None


@pytest.mark.parametrize(("rate_hz", "seconds"), [(1000.0, 0.25), (50.0, 4.0), (10_000.0, 0.5), (1.0, 3.0)])
def test_idle_time_is_as_long_as_requested_at_any_rate(rate_hz, seconds):
    """Rest of that length between loads is found whole; a gap a sample shorter has none."""
    watts = steps((2 * seconds, 5.0), (seconds, 1.0), (2 * seconds, 4.0), rate_hz=rate_hz)
    assert windows.quietest_watts(trace(watts, rate_hz), 0, len(watts), seconds) == pytest.approx(1.0)
    assert windows.quietest_watts(trace(watts, rate_hz), 0, round(seconds * rate_hz) - 1, seconds) is None
    longer = windows.quietest_watts(trace(watts, rate_hz), 0, len(watts), 2 * seconds)
    assert longer == pytest.approx(2.5, rel=0.02)


def test_sums_of_blocks_do_not_depend_on_how_many_are_read_at_once(monkeypatch):
    whole = trace(np.random.default_rng(7).uniform(0, 1, 5000))
    once = windows.quietest_watts(whole, 1234, 4321, 0.3), windows.points(whole, 90)
    monkeypatch.setattr("firmware_io.energy.windows._CHUNK", 64)
    assert (windows.quietest_watts(whole, 1234, 4321, 0.3), windows.points(whole, 90)) == once
    assert windows.total_joules(whole.joules, 1234, 4321) == pytest.approx(whole.joules[1234:4321].sum())


def test_an_odd_first_edge_is_the_lone_timestamp():
    assert windows.spans((5, 10, 20, 30, 40), 7) == (Span(10, 20, 7), Span(30, 40, 7))
    assert windows.spans((10, 20), 7) == (Span(10, 20, 7),)


@pytest.mark.parametrize(("edges", "message"), [((), "0 edges"), ((4,), "1 edges"), ((4, 9, 9, 12), "in order")])
def test_edges_that_make_no_windows_are_refused(edges, message):
    with pytest.raises(ConfigError, match=message):
        windows.spans(edges, 7)


@given(st.integers(1, 20_000), st.integers(10, 4000))
def test_points_keep_the_mean_power_and_the_edges(samples, most):
    watts = np.random.default_rng(samples).uniform(0, 1, samples)
    points = windows.points(trace(watts, edges=(0, samples - 1)), most)
    block = round(points.seconds_per_point * 1000)
    used = len(points.watts) * block
    assert 0 < len(points.watts) <= most and samples - used < block
    assert np.mean(points.watts) == pytest.approx(watts[:used].mean())
    assert points.edges_s == (0.0, pytest.approx((samples - 1) / 1000))


def test_the_peak_is_that_of_one_sample():
    watts = steps((1, 0.002))
    watts[77] = 0.5
    assert windows.peak_watts(trace(watts)) == pytest.approx(0.5)
    assert windows.peak_watts(trace([])) == 0
