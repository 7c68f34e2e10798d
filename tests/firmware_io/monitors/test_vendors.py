"""What the drivers over vendors' packages share, and one way of use for all of them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import BoardError, ConfigError
from firmware_io import monitors
from firmware_io.monitors._vendor import Decimator, Inbox, decimation_factor
from firmware_io.monitors.joulescope import CAPABILITIES
from tests.firmware_io.devices.profiles import bursts, joules
from tests.firmware_io.devices.virtual_vendors import VIRTUAL

EDGES = (0.2, 1.1)


@pytest.mark.parametrize("name", VIRTUAL)
def test_every_virtual_instrument_measures_the_known_energy(name):
    profile = bursts(EDGES)
    with VIRTUAL[name](profile, EDGES) as (url, _):
        module, rest = monitors.load(url)
        rate_hz = module.CAPABILITIES.default_rate_hz
        with module.connect(rest) as meter:
            if module.CAPABILITIES.supplies_v:
                meter.set_voltage(3.0)
            meter.start(rate_hz)
            blocks, edges = [], []
            while sum(block.size for block in blocks) < 1.2 * rate_hz or len(edges) < 2:
                blocks.append(meter.samples(5.0))
                assert blocks[-1].dtype == np.float64 and blocks[-1].size
                edges += meter.edges()
            meter.stop()
    assert np.abs(np.array(edges) - np.array(EDGES) * rate_hz).max() <= 1
    measured = np.concatenate(blocks)[edges[0] : edges[1]].sum()
    assert measured == pytest.approx(joules(profile, edges[0] / rate_hz, edges[1] / rate_hz), rel=1e-3)


@pytest.mark.parametrize("name", VIRTUAL)
def test_one_thread_reads_while_another_stops(name):
    profile = bursts(EDGES)
    with VIRTUAL[name](profile, (0.05,), speed=1.0) as (url, _):
        module, rest = monitors.load(url)
        with module.connect(rest) as meter:
            if module.CAPABILITIES.supplies_v:
                meter.set_voltage(3.0)
            blocks, edges, done = [], [], threading.Event()

            def read():
                while not done.is_set() or blocks[-1].size:
                    blocks.append(meter.samples(0.05))

            meter.start(module.CAPABILITIES.default_rate_hz)
            reader = threading.Thread(target=read)
            reader.start()
            deadline = time.monotonic() + 10
            while sum(block.size for block in blocks) < 0.2 * module.CAPABILITIES.default_rate_hz or not edges:
                edges += meter.edges()
                assert time.monotonic() < deadline
            meter.stop()
            done.set()
            reader.join()
    assert np.abs(np.array(edges) - 0.05 * module.CAPABILITIES.default_rate_hz).max() <= 1


@given(st.integers(1, 9), st.lists(st.integers(0, 23), max_size=12))
def test_a_coarser_rate_keeps_every_joule(factor, sizes):
    values = np.random.default_rng(0).integers(0, 1000, sum(sizes)).astype(np.float64)
    decimator = Decimator(factor)
    blocks = [decimator.add(block) for block in np.split(values, np.cumsum(sizes)[:-1] if sizes else [])]
    whole = values.size // factor * factor
    expected = values[:whole].reshape(-1, factor).sum(axis=1)
    np.testing.assert_array_equal(np.concatenate([np.empty(0), *blocks]), expected)


def test_rates_are_those_that_divide_the_instruments():
    assert decimation_factor("joulescope", CAPABILITIES, 2_000_000, 100_000) == 20
    for rate_hz in (2_000_000, 30_000, 0, -1000, float("nan")):
        with pytest.raises(ConfigError, match="samples at 1000, 10000, 100000, 1000000 Hz here"):
            decimation_factor("joulescope", CAPABILITIES, 1_000_000, rate_hz)


def test_an_error_comes_after_the_samples_before_it():
    inbox = Inbox()
    inbox.put("a")
    inbox.fail(BoardError("first"))
    inbox.fail(BoardError("its consequence"))
    assert inbox.take(0.0) == "a"
    for _ in range(2):
        with pytest.raises(BoardError, match="first"):
            inbox.take(5.0)


def test_a_waiting_reader_is_woken():
    inbox = Inbox()
    timer = threading.Timer(0.05, inbox.put, ["late"])
    timer.start()
    assert inbox.take(5.0) == "late"
    assert inbox.take(0.01) is None
    timer.join()
