"""PPK2: the driver against a kit on a pty, through the real package where it is installed and through ours."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import BoardError, ConfigError
from firmware_io.monitors.ppk2 import Ppk2
from tests.firmware_io.devices import fake_ppk2
from tests.firmware_io.devices.fake_ppk2 import META, RATE_HZ, RUNNING, START, STOP, virtual_ppk2
from tests.firmware_io.devices.profiles import bursts, constant, joules
from tests.firmware_io.devices.virtual_meters import connect, record
from tests.firmware_io.devices.waiting import wait_until

EDGES = (0.2503217, 1.0004444)


@pytest.fixture(params=["ours", "real"] if find_spec("ppk2_api") else ["ours"])
def api(request):
    with fake_ppk2.package(real=request.param == "real"):
        yield


def between(trace, edges, rate_hz=RATE_HZ):
    return float(trace[edges[0] : edges[1]].sum()), (edges[1] - edges[0]) / rate_hz


@pytest.mark.parametrize("rate_hz", [100_000, 10_000, 1_000])
def test_joules_between_the_edges(api, rate_hz):
    profile = bursts(EDGES)
    with virtual_ppk2(profile, EDGES) as (url, kit), connect(url) as meter:
        meter.set_voltage(3.0)
        trace, edges = record(meter, 1.3, rate_hz)
    assert kit.millivolts == 3000
    assert edges == [int(edge * rate_hz) for edge in EDGES]
    measured, _ = between(trace, edges, rate_hz)
    assert measured == pytest.approx(joules(profile, edges[0] / rate_hz, edges[1] / rate_hz), rel=1e-3)


@pytest.mark.slow
def test_a_minute_at_the_full_rate_loses_nothing(api):
    edges_s = (1.5, 11.5, 13.0, 58.70001)
    profile = bursts(edges_s)
    start = time.perf_counter()
    with virtual_ppk2(profile, edges_s, speed=4.0) as (url, _), connect(url) as meter:
        meter.set_voltage(1.8)
        trace, edges = record(meter, 60.0, RATE_HZ)
    print(f"{trace.size / (time.perf_counter() - start):.0f} samples/s")
    assert trace.size >= 60 * RATE_HZ
    assert np.abs(np.array(edges) - np.array(edges_s) * RATE_HZ).max() <= 1
    for pair in (edges[:2], edges[2:]):
        measured, _ = between(trace, pair)
        assert measured == pytest.approx(joules(profile, pair[0] / RATE_HZ, pair[1] / RATE_HZ), rel=1e-3)


@pytest.mark.parametrize("watts", [60e-6, 0.9e-3, 9e-3, 0.1, 2.4])
def test_every_range_has_its_calibration(api, watts):
    with virtual_ppk2(constant(watts)) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        trace, edges = record(meter, 0.1, RATE_HZ)
    assert trace.sum() == pytest.approx(watts * trace.size / RATE_HZ, rel=1e-3)
    assert edges == []


def test_ampere_mode_takes_the_voltage_of_the_other_supply(api):
    with virtual_ppk2(constant(0.02), supply_v=2.5) as (url, kit), connect(f"{url}?mode=ampere&volts=2.5") as meter:
        meter.set_voltage(2.5)
        trace, _ = record(meter, 0.1, RATE_HZ)
        with pytest.raises(ConfigError, match="another supply"):
            meter.set_voltage(3.0)
        assert kit.mode == 1 and kit.powered
    assert trace.sum() == pytest.approx(0.02 * trace.size / RATE_HZ, rel=1e-3)


def test_a_second_start_begins_at_sample_0(api):
    with virtual_ppk2(bursts(EDGES), EDGES) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        first = record(meter, 0.3, RATE_HZ)
        second = record(meter, 0.3, RATE_HZ)
    assert first[1] == second[1] == [int(EDGES[0] * RATE_HZ)]
    size = int(0.3 * RATE_HZ)
    np.testing.assert_allclose(first[0][100:size], second[0][100:size], rtol=1e-6)


def test_samples_before_the_stop_are_kept_and_none_follow(api):
    with virtual_ppk2(constant(0.01), speed=1.0) as (url, kit), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(RATE_HZ)
        wait_until(lambda: kit.words > 0.15 * RATE_HZ)
        meter.stop()
        sizes = []
        while (block := meter.samples(0.0)).size:
            sizes.append(block.size)
        assert sum(sizes) == kit.words > 0.15 * RATE_HZ
        assert meter.samples(0.01).size == 0


def test_pin_3(api):
    with virtual_ppk2(bursts(EDGES), EDGES, pin=3) as (url, _), connect(f"{url}?pin=3") as meter:
        meter.set_voltage(3.0)
        assert record(meter, 0.3, RATE_HZ)[1] == [int(EDGES[0] * RATE_HZ)]


def test_unplugged_in_the_middle(api):
    with virtual_ppk2(constant(0.01), (0.1,), unplug_s=0.24) as (url, kit), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(RATE_HZ)
        kept = 0
        with pytest.raises(BoardError, match="stay connected"):
            while True:
                kept += meter.samples(5.0).size
        assert kept == kit.words == 0.24 * RATE_HZ
        assert meter.edges() == (10_000,)
        meter.stop()


@pytest.mark.parametrize("faults", [{"lose_s": 0.1, "lose": 3}, {"drop_byte_s": 0.1}])
def test_a_lost_word_or_byte_is_noticed(api, faults):
    with virtual_ppk2(constant(0.01), **faults) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(RATE_HZ)
        kept = 0
        with pytest.raises(BoardError, match="gap after 10000 samples"):
            while True:
                kept += meter.samples(5.0).size
        assert kept == 10_000
        with pytest.raises(BoardError):
            meter.samples(0.0)


def test_a_kit_that_was_left_streaming(api):
    with virtual_ppk2(constant(0.01), streaming=True, supply_v=3.0) as (url, kit), connect(url) as meter:
        meter.set_voltage(3.0)
        trace, _ = record(meter, 0.05, RATE_HZ)
        assert kit.commands[0] == STOP
    assert trace.sum() == pytest.approx(0.01 * trace.size / RATE_HZ, rel=1e-3)


def test_no_kit_at_the_port(api):
    with virtual_ppk2(constant(0.01), silent=True) as (url, kit):
        with pytest.raises(BoardError, match="calibration of a PPK2"), connect(url):
            pass
        assert set(kit.commands) <= {STOP, META}


def test_a_port_that_is_not_there(api):
    with pytest.raises(BoardError, match="can be opened"), connect("ppk2:/dev/no-such-port"):
        pass


def test_the_port_may_be_left_out_when_there_is_one(monkeypatch):
    with fake_ppk2.package(real=False), virtual_ppk2(constant(0.01)) as (url, kit):
        monkeypatch.setattr(fake_ppk2.FakeApi, "devices", (url.removeprefix("ppk2:"),))
        with connect("ppk2:"):
            pass
        assert kit.commands[:2] == [STOP, META]
        monkeypatch.setattr(fake_ppk2.FakeApi, "devices", ("/dev/ttyACM1", "/dev/ttyACM2"))
        with pytest.raises(BoardError, match="ttyACM1, /dev/ttyACM2"), connect("ppk2:"):
            pass


def test_the_real_package_finds_no_kit_here():
    if pytest.importorskip("ppk2_api.ppk2_api").PPK2_API.list_devices():
        pytest.skip("there is one")
    with pytest.raises(BoardError, match="none"), connect("ppk2:"):
        pass


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ("pin=8", "pin"),
        ("mode=sink", "mode"),
        ("mode=ampere", "belong together"),
        ("volts=3", "belong together"),
        ("mode=ampere&volts=9", r"0\.8 to 5 V"),
        ("colour=red", "options"),
    ],
)
def test_options(options, match):
    with fake_ppk2.package(real=False), pytest.raises(ConfigError, match=match), connect(f"ppk2:/dev/null?{options}"):
        pass


def test_voltages_and_rates_that_it_does_not_have(api):
    with virtual_ppk2(constant(0.01)) as (url, kit), connect(url) as meter:
        with pytest.raises(ConfigError, match="before it measures"):
            meter.start(RATE_HZ)
        for volts in (0.5, 5.1):
            with pytest.raises(ConfigError, match=r"0\.8 to 5 V"):
                meter.set_voltage(volts)
        meter.set_voltage(3.3)
        with pytest.raises(ConfigError, match="1000, 10000, 100000 Hz"):
            meter.start(50_000)
        meter.set_voltage(0)
        wait_until(lambda: kit.commands[-2:] == [RUNNING, RUNNING] and not kit.powered)
        assert kit.millivolts == 3300 and START not in kit.commands


def test_the_package_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ppk2_api.ppk2_api", None)
    monkeypatch.setitem(sys.modules, "ppk2_api", None)
    with pytest.raises(ConfigError, match=r'pip install "edgekws\[ppk2\]"'), connect("ppk2:/dev/ttyACM1"):
        pass


class Chunks:
    """A kit whose words come in the given pieces; it knows microamperes only."""

    def __init__(self, pieces):
        self.started, self.pieces, self.ser = False, pieces, SimpleNamespace(in_waiting=0, port="chunks")

    def get_data(self):
        return self.pieces.pop(0) if self.pieces and self.started else b""

    def start_measuring(self):
        self.started = True

    def get_samples(self, content):
        words = np.frombuffer(content, "<u4")
        return list(words % 16384), list(words >> 24)

    def __getattr__(self, name):
        return lambda *arguments: None


@settings(max_examples=15)
@given(st.data(), st.integers(0, 63))
def test_the_result_does_not_depend_on_how_the_bytes_are_split(data, counter):
    size = data.draw(st.integers(1, 300))
    numbers = np.arange(size)
    levels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    words = (numbers % 16384 | (numbers + counter) % 64 << 18 | levels << 24).astype("<u4")
    cuts = sorted(data.draw(st.lists(st.integers(0, 4 * size), max_size=20)))
    content = words.tobytes()
    kit = Chunks([content[a:b] for a, b in zip([0, *cuts], [*cuts, 4 * size], strict=True)])
    meter = Ppk2(kit, pin=0, supply_v=None)
    meter.set_voltage(1.0)
    meter.start(RATE_HZ)
    blocks = []
    while sum(block.size for block in blocks) < size:
        blocks.append(meter.samples(5.0))
        assert blocks[-1].size
    meter.stop()
    np.testing.assert_allclose(np.concatenate(blocks), numbers * 1e-6 / RATE_HZ)
    assert list(meter.edges()) == list(np.flatnonzero(np.diff(levels, prepend=1) < 0))


def test_a_command_to_an_unplugged_kit(api):
    with virtual_ppk2(constant(0.01), unplug_s=0.0) as (url, _), connect(url) as meter:
        meter.set_voltage(3.0)
        meter.start(RATE_HZ)
        with pytest.raises(BoardError, match="stay connected"):
            meter.samples(5.0)
        for command in (lambda: meter.set_voltage(2.0), lambda: meter.set_voltage(0), lambda: meter.start(RATE_HZ)):
            with pytest.raises(BoardError, match="stay connected"):
                command()
