"""Joulescope: the driver against a package with a virtual JS110 and JS220, and against the real one without any."""

from __future__ import annotations

import inspect
import sys
import time

import numpy as np
import pytest

from edgekws.errors import BoardError, ConfigError
from tests.firmware_io.devices.fake_joulescope import COUNT_HZ, Driver, virtual_joulescope
from tests.firmware_io.devices.profiles import bursts, constant, joules
from tests.firmware_io.devices.virtual_meters import connect, record

EDGES = (0.2503217, 0.7004444)
RATE_HZ = {"js110": 2_000_000, "js220": 1_000_000}


@pytest.fixture(params=["js110", "js220"])
def model(request):
    return request.param


@pytest.mark.parametrize("asked_hz", [None, 100_000, 1_000])
def test_joules_between_the_edges(model, asked_hz):
    rate_hz, profile = asked_hz or RATE_HZ[model], bursts(EDGES)
    with virtual_joulescope(profile, EDGES, model) as (url, _), connect(url) as meter:
        trace, edges = record(meter, 0.9, rate_hz)
    assert edges == [int(edge * rate_hz) for edge in EDGES]
    measured = trace[edges[0] : edges[1]].sum()
    assert measured == pytest.approx(joules(profile, edges[0] / rate_hz, edges[1] / rate_hz), rel=1e-3)


@pytest.mark.slow
def test_a_minute_at_the_full_rate_loses_nothing(model):
    edges_s, rate_hz = (1.5, 11.5, 13.0, 58.70001), RATE_HZ[model]
    profile = bursts(edges_s)
    pieces, edges, count, start = [], [], 0, time.perf_counter()
    with virtual_joulescope(profile, edges_s, model, speed=3.0) as (url, _), connect(url) as meter:
        meter.start(rate_hz)
        while count < 60 * rate_hz:
            block = meter.samples(5.0)
            assert block.size
            pieces.append(block.astype(np.float32))
            count += block.size
            edges += meter.edges()
    print(f"{count / (time.perf_counter() - start):.0f} samples/s")
    trace = np.concatenate(pieces)
    assert np.abs(np.array(edges) - np.array(edges_s) * rate_hz).max() <= 1
    for first, last in (edges[:2], edges[2:]):
        measured = trace[first:last].sum(dtype=np.float64)
        assert measured == pytest.approx(joules(profile, first / rate_hz, last / rate_hz), rel=1e-3)


def test_it_keeps_up_with_real_time(model):
    with virtual_joulescope(constant(0.01), (), model, speed=1.0) as (url, _), connect(url) as meter:
        trace, _ = record(meter, 0.5, RATE_HZ[model])
    assert trace.sum() == pytest.approx(0.01 * trace.size / RATE_HZ[model], rel=1e-6)


def test_the_pin_is_known_for_all_power_that_came_before_the_stop(model):
    """An edge just before the stop: the pin comes in longer blocks than the power."""
    rate_hz, edge_s = RATE_HZ[model], 0.2561
    with virtual_joulescope(constant(0.01), (edge_s,), model, speed=1.0) as (url, _), connect(url) as meter:
        trace, edges = record(meter, 0.2565, rate_hz)
    assert trace.size > 0.2565 * rate_hz
    assert edges == [int(edge_s * rate_hz)]


def test_a_second_start_begins_at_sample_0(model):
    with virtual_joulescope(bursts(EDGES), EDGES, model) as (url, _), connect(url) as meter:
        first, second = (record(meter, 0.3, 10_000) for _ in range(2))
    assert first[1][0] == second[1][0] == int(EDGES[0] * 10_000)
    np.testing.assert_array_equal(first[0][:3000], second[0][:3000])


def test_pin_1(model):
    with virtual_joulescope(constant(0.01), (0.1,), model, pin=1) as (url, _), connect(f"{url}?pin=1") as meter:
        assert record(meter, 0.2, 100_000)[1] == [10_000]


def test_a_pin_that_is_low_from_the_beginning_has_no_edge(model):
    with virtual_joulescope(constant(0.01), (), model, stuck_low=True) as (url, _), connect(url) as meter:
        assert record(meter, 0.2, 100_000)[1] == []


def test_unplugged_in_the_middle(model):
    with virtual_joulescope(constant(0.01), (0.1,), model, unplug_s=0.24) as (url, _), connect(url) as meter:
        meter.start(100_000)
        total = 0.0
        with pytest.raises(BoardError, match="it was removed"):
            while True:
                total += meter.samples(5.0).sum()
        assert total == pytest.approx(0.01 * 0.24, rel=1e-3)
        assert meter.edges() == (10_000,)
        meter.stop()
        with pytest.raises(BoardError):
            meter.start(100_000)


@pytest.mark.parametrize(
    ("fault", "match"),
    [("lose_s", r"jump of 16000 sample numbers \(power\)"), ("pin_lose_s", r"jump of 96000 .*\(pin\)")],
)
def test_a_lost_block_is_noticed(model, fault, match):
    with virtual_joulescope(constant(0.01), (), model, **{fault: 0.2}) as (url, _), connect(url) as meter:
        meter.start(100_000)
        with pytest.raises(BoardError, match=match):
            while True:
                meter.samples(5.0)
        with pytest.raises(BoardError, match=match):
            meter.samples(0.0)


def test_a_lost_packet_that_the_js110_fills_with_no_number():
    with virtual_joulescope(constant(0.01), (), "js110", nan_s=0.2) as (url, _), connect(url) as meter:
        meter.start(2_000_000)
        kept = 0
        with pytest.raises(BoardError, match=r"20 samples of power are NaN after 0\.2"):
            while True:
                kept += meter.samples(5.0).size
        assert kept == 0.2 * COUNT_HZ


@pytest.mark.parametrize("skip_s", [0.0, 0.2])
def test_lost_packets_that_the_driver_only_logs(skip_s):
    """At the very beginning it is how the driver finds its place."""
    with virtual_joulescope(constant(0.01), (), "js110", skip_s=skip_s) as (url, _), connect(url) as meter:
        if not skip_s:
            record(meter, 0.3, 100_000)
            return
        meter.start(100_000)
        kept = 0
        with pytest.raises(BoardError, match="received 917"):
            while True:
                kept += meter.samples(5.0).size
        assert kept >= 19_999  # 12 readings at the beginning are no samples
        meter.stop()
    with virtual_joulescope(constant(0.01)) as (url, _), connect(url) as meter:
        record(meter, 0.1, 100_000)


def test_it_cannot_supply_the_board_but_can_disconnect_it(model):
    with virtual_joulescope(constant(0.01), (), model) as (url, instrument), connect(url) as meter:
        with pytest.raises(ConfigError, match="no output of its own"):
            meter.set_voltage(3.0)
        record(meter, 0.01, 100_000)
        assert instrument.powers
        meter.set_voltage(0)
        assert not instrument.powers


def test_levels_of_the_input():
    with virtual_joulescope(constant(0.01), (), "js110") as (url, instrument):
        with connect(f"{url}?io_v=3.0"):
            assert instrument.values["s/extio/voltage"] == 3000
        with pytest.raises(ConfigError, match="io_v"), connect(f"{url}?io_v=external"):
            pass
    with virtual_joulescope(constant(0.01)) as (url, instrument):
        for level, value in (("3.3", "3v3"), ("external", "external")):
            with connect(f"{url}?io_v={level}"):
                assert instrument.values["c/gpio/vref"] == value
        with pytest.raises(ConfigError, match="pin of"), connect(f"{url}?pin=4"):
            pass


def test_rates_that_it_does_not_have(model):
    with virtual_joulescope(constant(0.01), (), model) as (url, _), connect(url) as meter:
        for rate_hz in (300_000, 4_000_000, *({2_000_000} - {RATE_HZ[model]})):
            with pytest.raises(ConfigError, match="samples at"):
                meter.start(rate_hz)


def test_an_instrument_in_use_or_of_another_number(model):
    with virtual_joulescope(constant(0.01), (), model) as (url, instrument):
        with pytest.raises(BoardError, match=f"{model}/002557"), connect("joulescope:1234"):
            pass
        with connect(f"joulescope:{instrument.path}"), pytest.raises(BoardError, match="IN_USE"), connect(url):
            pass
        with connect("joulescope:"):
            pass


def test_a_setting_that_it_refuses():
    virtual = virtual_joulescope(constant(0.01), refuse="s/p/ctrl")
    with virtual as (url, _), connect(url) as meter, pytest.raises(BoardError, match="UNAVAILABLE"):
        meter.start(100_000)


def test_the_package_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", None)
    with pytest.raises(ConfigError, match=r'pip install "edgekws\[joulescope\]"'), connect("joulescope:"):
        pass


def test_the_real_package_finds_no_instrument_here():
    package = pytest.importorskip("pyjoulescope_driver")
    with package.Driver() as driver:
        if driver.device_paths():
            pytest.skip("there is one")
    with pytest.raises(BoardError, match="none is connected"), connect("joulescope:"):
        pass


def test_our_fake_driver_has_the_signatures_of_the_real_one():
    real = pytest.importorskip("pyjoulescope_driver").Driver
    for name in ("device_paths", "open", "close", "publish", "subscribe", "unsubscribe"):
        theirs = list(inspect.signature(getattr(real, name)).parameters)
        ours = list(inspect.signature(getattr(Driver, name)).parameters)
        assert len(theirs) >= len(ours), name
        assert name == "device_paths" or theirs[1] == {"open": "device_prefix", "close": "device_prefix"}.get(
            name, "topic"
        )
