"""Samples of a session folder: the arithmetic of MLPerf Tiny's runner on them gives the energy and time of a window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_io.energy import milliseconds, windows
from firmware_io.energy.windows import Span
from firmware_io.monitors import Trace

TOLERANCE = 1e-3
"""Of the runner's figures against ours."""


def trace(seconds, rate_hz, seed=0):
    """A noisy power of 2 to 40 mW."""
    rng = np.random.default_rng(seed)
    watts = (
        0.02
        + 0.018 * np.sin(np.arange(round(seconds * rate_hz)) / rate_hz)
        + rng.normal(0, 1e-4, round(seconds * rate_hz))
    )
    return Trace("virtual", rate_hz, watts / rate_hz, ())


@pytest.mark.parametrize("rate_hz", [100.0, 370.0, 999.5, 1000.0, 4096.0, 10_000.0, 123_456.0])
def test_the_runner_computes_our_figures_again(rate_hz):
    """Its arithmetic: the sum between the edges, divided by the inferences; time is the number of samples / 1000."""
    whole = trace(37, rate_hz)
    spans = [Span(round(at * rate_hz), round((at + 10.4) * rate_hz), 250) for at in (1.5003, 13.1, 25.0)]
    measured = windows.windows(whole, spans, idle_s=1.0)
    kept = milliseconds.of_windows(whole, spans)
    for window, samples in zip(measured, kept, strict=True):
        first, last = samples.edges
        uj = 1e6 * sum(samples.joules[first:last]) / 250
        assert uj == pytest.approx(window.uj_per_inference, rel=TOLERANCE)
        assert (last - first) / 1000 == pytest.approx(window.seconds, rel=TOLERANCE)
    assert [samples.edges[0] for samples in kept] == [1000, 1000, 1000]
    assert [len(samples.joules) - samples.edges[1] for samples in kept] == [1000, 1000, 1000]


def test_the_rest_beside_a_window_ends_at_its_neighbours_and_at_the_ends_of_the_trace():
    whole = trace(3, 10_000.0)
    spans = [Span(2_000, 10_000, 1), Span(13_000, 28_000, 1)]
    first, second = milliseconds.of_windows(whole, spans)
    assert (first.edges, len(first.joules)) == ((200, 1000), 1300)
    assert (second.edges, len(second.joules)) == ((300, 1800), 2000)


@given(st.floats(50, 20_000), st.integers(0, 2**32 - 1), st.floats(0, 40))
def test_milliseconds_add_up_to_the_samples_they_cover(rate_hz, seed, start):
    whole = trace(2.5, rate_hz, seed)
    count = int((len(whole.joules) - start) / rate_hz * 1000)
    joules = milliseconds.per_millisecond(whole, start, count)
    total = np.concatenate([[0.0], np.cumsum(whole.joules)])
    ends = np.interp([start, start + count * rate_hz / 1000], np.arange(len(total)), total)
    assert len(joules) == count and joules.sum() == pytest.approx(ends[1] - ends[0], rel=1e-9, abs=1e-12)
