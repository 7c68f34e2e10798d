"""Every meter implements the interface of firmware_io/monitors; live ones measure what a virtual instrument feeds."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from edgekws.errors import BoardError, ConfigError
from firmware_io import monitors
from tests.firmware_io.devices.virtual_meters import VIRTUAL

SECONDS = 1.2
EDGES_S = (0.3, 0.9)
KINDS = {"live": "connect", "file": "load", "model": "estimate"}


def profile(seconds):
    """Watts of a board that sleeps, and works for a tenth of a second, twice a second."""
    return np.where(seconds % 0.5 < 0.1, 0.031, 0.002)


def module_of(name):
    return monitors.load(f"{name}:")[0]


@pytest.mark.parametrize("name", monitors.names())
def test_capabilities_are_complete(name):
    module = module_of(name)
    capabilities = module.CAPABILITIES
    assert capabilities.title
    assert callable(getattr(module, KINDS[capabilities.kind]))
    assert list(capabilities.rates_hz) == sorted(set(capabilities.rates_hz))
    assert (capabilities.kind == "live") == bool(capabilities.rates_hz)
    assert not capabilities.rates_hz or capabilities.default_rate_hz in capabilities.rates_hz
    assert capabilities.supplies_v is None or 0 < capabilities.supplies_v[0] < capabilities.supplies_v[1]


def test_every_live_meter_has_a_virtual_instrument():
    """At least one: meters with several models have several."""
    live = {name for name in monitors.names() if module_of(name).CAPABILITIES.kind == "live"}
    schemes = set()
    for factory in VIRTUAL.values():
        with factory(profile, ()) as (url, *_):
            schemes.add(url.partition(":")[0])
    assert live == schemes


@pytest.fixture(params=sorted(VIRTUAL))
def factory(request):
    return VIRTUAL[request.param]


@contextmanager
def powered(factory, edges=()):
    """(meter, its capabilities) with the board switched on."""
    with factory(profile, edges) as (url, *_):
        module, rest = monitors.load(url)
        supplies = module.CAPABILITIES.supplies_v
        with module.connect(rest) as meter:
            if supplies is not None:
                meter.set_voltage(min(max(3.0, supplies[0]), supplies[1]))
            yield meter, module.CAPABILITIES


def started(meter, capabilities, highest):
    """Start with the default rate, or the highest that this model of the meter has; give the rate."""
    if not highest:
        meter.start(capabilities.default_rate_hz)
        return capabilities.default_rate_hz
    for rate_hz in reversed(capabilities.rates_hz):
        with suppress(ConfigError):
            meter.start(rate_hz)
            return rate_hz
    raise AssertionError("no rate at all")


def measured(factory, highest=False):
    """(joules, edges, rate, capabilities) of a little more than SECONDS."""
    with powered(factory, EDGES_S) as (meter, capabilities):
        rate_hz = started(meter, capabilities, highest)
        blocks, edges, deadline = [], [], time.monotonic() + 30
        while sum(block.size for block in blocks) < SECONDS * rate_hz and time.monotonic() < deadline:
            blocks.append(meter.samples(1.0))
            edges += meter.edges()
        meter.stop()
        while (block := meter.samples(0.2)).size:
            blocks.append(block)
        edges += meter.edges()
    return np.concatenate(blocks), edges, rate_hz, capabilities


@pytest.mark.parametrize("highest", [False, True])
def test_joules_and_edges_of_a_known_profile(factory, highest):
    joules, edges, rate_hz, capabilities = measured(factory, highest)
    n = int(SECONDS * rate_hz)
    assert joules.dtype == np.float64
    assert joules.size >= n
    true = profile((np.arange(n) + 0.5) / rate_hz).sum() / rate_hz
    assert joules[:n].sum() == pytest.approx(true, rel=1e-3)
    if capabilities.edges:
        assert edges == pytest.approx([second * rate_hz for second in EDGES_S], abs=1)


def test_what_it_cannot_do_is_refused(factory):
    with powered(factory) as (meter, capabilities):
        with pytest.raises(ConfigError):
            meter.start(capabilities.rates_hz[-1] * 3 + 1)
        if capabilities.supplies_v is not None:
            with pytest.raises(ConfigError):
                meter.set_voltage(capabilities.supplies_v[1] + 1)


def test_samples_run_out_after_stop(factory):
    """After stop, samples run out and say so at once or within the time-out; edges do not come twice."""
    with powered(factory, (0.05,)) as (meter, capabilities):
        started(meter, capabilities, highest=False)
        assert meter.samples(5.0).size
        time.sleep(0.2)
        meter.stop()
        edges, deadline = meter.edges(), time.monotonic() + 10
        while meter.samples(0.1).size or (len(edges) < capabilities.edges and time.monotonic() < deadline):
            edges += meter.edges()
        edges += meter.edges()
        assert len(edges) == capabilities.edges
        assert meter.edges() == ()
        start = time.monotonic()
        assert meter.samples(0.2).size == 0
        assert time.monotonic() - start < 10


def test_the_same_board_twice_gives_the_same_joules(factory):
    sums = []
    for _ in range(2):
        joules, _, rate_hz, _ = measured(factory)
        sums.append(joules[: int(SECONDS * rate_hz)].sum())
    assert sums[0] == pytest.approx(sums[1], rel=1e-3)


def test_unknown_meters_are_listed():
    with pytest.raises(ConfigError, match="lpm01a"):
        monitors.load("wattmeter:/dev/x")


def test_a_meter_that_is_not_there():
    module, rest = monitors.load("lpm01a:/dev/edgekws-no-such-port")
    with pytest.raises(BoardError, match="should be a port"), module.connect(rest):
        pass
