"""Otii: the driver against a virtual application over TCP, through the real package where it is installed and ours."""

from __future__ import annotations

import gc
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from edgekws.errors import BoardError, ConfigError
from tests.firmware_io.devices import fake_otii
from tests.firmware_io.devices.fake_otii import virtual_otii
from tests.firmware_io.devices.profiles import bursts, constant, joules
from tests.firmware_io.devices.virtual_meters import connect, record

EDGES = (0.2503217, 1.0004444)
NATIVE_HZ = {"Arc": 4_000, "Ace": 50_000}


@pytest.fixture(params=["ours", "real"] if find_spec("otii_tcp_client") else ["ours"])
def api(request):
    with fake_otii.package(real=request.param == "real"):
        yield


@pytest.fixture(params=["Arc", "Ace"])
def model(request):
    return request.param


@pytest.mark.parametrize("asked_hz", [None, 1_000])
def test_joules_between_the_edges(api, model, asked_hz):
    rate_hz, profile = asked_hz or NATIVE_HZ[model], bursts(EDGES)
    with virtual_otii(profile, EDGES, model) as (url, app), connect(url) as meter:
        meter.set_voltage(3.0)
        assert app.reserved
        trace, edges = record(meter, 1.3, rate_hz)
    assert (app.volts, app.powered, app.port_v, app.port_on) == (3.0, True, 3.0, True)
    assert not app.reserved and not app.recording
    assert edges == [int(edge * rate_hz) for edge in EDGES]
    measured = trace[edges[0] : edges[1]].sum()
    assert measured == pytest.approx(joules(profile, edges[0] / rate_hz, edges[1] / rate_hz), rel=1e-3)


@pytest.mark.slow
def test_a_minute_at_the_full_rate_loses_nothing(api, model):
    edges_s, rate_hz = (1.5, 11.5, 13.0, 58.70001), NATIVE_HZ[model]
    profile, start = bursts(edges_s), time.perf_counter()
    with virtual_otii(profile, edges_s, model, speed=6.0) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        trace, edges = record(meter, 60.0, rate_hz)
    print(f"{trace.size / (time.perf_counter() - start):.0f} samples/s")
    assert trace.size >= 60 * rate_hz
    assert np.abs(np.array(edges) - np.array(edges_s) * rate_hz).max() <= 1
    for first, last in (edges[:2], edges[2:]):
        expected = joules(profile, first / rate_hz, last / rate_hz)
        assert trace[first:last].sum() == pytest.approx(expected, rel=1e-3)


def test_in_real_time(api, model):
    with virtual_otii(constant(0.01), (0.2,), model, speed=1.0) as (url, _), connect(url) as meter:
        meter.set_voltage(1.8)
        trace, edges = record(meter, 0.4, NATIVE_HZ[model])
    assert trace.sum() == pytest.approx(0.01 * trace.size / NATIVE_HZ[model], rel=1e-3)
    assert edges == [int(0.2 * NATIVE_HZ[model])]


def test_silence_takes_its_timeout(api):
    with virtual_otii(constant(0.01), speed=0.001) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(4_000)
        start = time.monotonic()
        assert meter.samples(0.1).size == 0
        assert time.monotonic() - start < 10
        meter.stop()
        assert meter.samples(5.0).size == 0


def test_a_second_start_begins_at_sample_0(api):
    with virtual_otii(bursts(EDGES), EDGES) as (url, app), connect(url) as meter:
        meter.set_voltage(3.0)
        first, second = (record(meter, 0.4, 1_000) for _ in range(2))
        assert app.recordings == 2
    assert first[1][0] == second[1][0] == 250
    np.testing.assert_array_equal(first[0][:400], second[0][:400])


def test_pin_2(api):
    with virtual_otii(bursts(EDGES), EDGES, pin=2) as (url, _), connect(f"{url}?pin=2") as meter:
        meter.set_voltage(3.0)
        assert record(meter, 0.4, 1_000)[1][0] == 250


def test_unplugged_in_the_middle(api, model):
    with virtual_otii(constant(0.01), (0.1,), model, unplug_s=0.9) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(1_000)
        total = 0.0
        with pytest.raises(BoardError, match="stay connected"):
            while True:
                total += meter.samples(5.0).sum()
        assert total == pytest.approx(0.01 * 0.9, rel=1e-3)
        assert meter.edges() == (100,)
        meter.stop()


def test_the_application_ends_in_the_middle(api):
    with virtual_otii(constant(0.01), (0.1,), hang_up_s=0.9) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(1_000)
        kept = 0
        with pytest.raises(BoardError, match="what was recorded"):
            while True:
                kept += meter.samples(5.0).size
        assert kept >= 400
        assert meter.edges() == (100,)
        with pytest.raises(BoardError, match="gone"):
            meter.samples(0.0)
        meter.stop()


def test_an_application_that_stops_answering_is_not_waited_for(api, monkeypatch):
    with virtual_otii(constant(0.01), silent_s=0.9) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(1_000)
        meter._answer_s = 0.3
        start = time.monotonic()
        with pytest.raises(BoardError, match="timed out"):
            while True:
                meter.samples(5.0)
        assert time.monotonic() - start < 20


def test_missing_samples_are_noticed(api):
    with virtual_otii(constant(0.01), lose_s=0.8) as (url, app):
        with connect(url) as meter:
            meter.set_voltage(3.0)
            meter.start(4_000)
            with pytest.raises(BoardError, match=r"7 are missing after 0\.8"):
                while True:
                    meter.samples(5.0)
        assert not app.recording and not app.reserved


def refused(url, match):
    """The real package leaves the socket of a connection that it gave up to the garbage collector."""
    with pytest.raises(BoardError, match=match), connect(url):
        pass
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_free_license(api):
    with virtual_otii(constant(0.01), licenses=0) as (url, _):
        refused(url, "Automation license")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_user_is_logged_in(api, monkeypatch):
    for name in ("OTII_USERNAME", "OTII_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with virtual_otii(constant(0.01), logged_in=False) as (url, _):
        refused(url, "Not logged in")


def test_no_application(api):
    with virtual_otii(constant(0.01)) as (url, _):
        pass
    with pytest.raises(BoardError, match="server switched on"), connect(url):
        pass


def test_instruments(api):
    with virtual_otii(constant(0.01), devices=0) as (url, app):
        with pytest.raises(BoardError, match="none is connected"), connect(url):
            pass
        assert not app.reserved
    with virtual_otii(constant(0.01), devices=2) as (url, app):
        with pytest.raises(BoardError, match=r"Bench .*Other 1"), connect(url):
            pass
        with connect(f"{url}?device=Bench"):
            pass
        assert not app.reserved


def test_a_project_is_made_when_none_is_open(api):
    with virtual_otii(constant(0.01), project=False) as (url, app), connect(url) as meter:
        meter.start(1_000)
        assert app.faults.project


def test_voltages_and_rates_that_it_does_not_have(api, model):
    with virtual_otii(constant(0.01), (), model) as (url, app), connect(url) as meter:
        for volts in (0.4, 5.5):
            with pytest.raises(ConfigError, match=r"0\.5 to 5 V"):
                meter.set_voltage(volts)
        with pytest.raises(ConfigError, match="samples at 1000, "):
            meter.start({"Arc": 50_000, "Ace": 4_000}[model])
        meter.set_voltage(3.3)
        meter.set_voltage(0)
        assert app.volts == 3.3 and not app.powered


@pytest.mark.parametrize(("rest", "match"), [("?pin=3", "pin"), ("host:http", "HOST:PORT"), ("?colour=red", "options")])
def test_options(rest, match):
    with fake_otii.package(real=False), pytest.raises(ConfigError, match=match), connect(f"otii:{rest}"):
        pass


def test_the_package_is_an_extra(monkeypatch):
    for name in ("otii_tcp_client", "otii_tcp_client.otii_client", "otii_tcp_client.otii"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r'pip install "edgekws\[otii\]"'), connect("otii:"):
        pass
