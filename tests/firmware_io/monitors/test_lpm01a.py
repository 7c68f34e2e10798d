"""X-NUCLEO-LPM01A against a virtual one: known joules, edges, lost samples, faults; its decoders for any split."""

from __future__ import annotations

import itertools
import re
import socket
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import BoardError, ConfigError
from firmware_io.monitors import _url, lpm01a
from firmware_io.monitors.lpm01a.stream import AsciiDecoder, BinaryDecoder, Clock
from tests.firmware_io.devices.virtual_lpm01a import Faults, VirtualLpm01a, ascii_decimal, binary, on_pty, watch_events
from tests.firmware_io.devices.waiting import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A virtual instrument does not take its time to fall silent."""
    monkeypatch.setattr(lpm01a, "_SILENCE_S", 0.05)


def waves(seconds):
    """10 mW to 46 mW, as a board that wakes up 7 times a second."""
    return 0.028 + 0.018 * np.sin(2 * np.pi * 7 * seconds)


def true_joules(profile, samples, rate_hz, parts=10):
    seconds = (np.arange(samples * parts) + 0.5) / (rate_hz * parts)
    return profile(seconds).sum() / (rate_hz * parts)


def everything(meter, enough, timeout_s=20.0):
    """Samples until there are `enough`, then of what was on the way when it was stopped."""
    blocks, count, deadline = [], 0, time.monotonic() + timeout_s
    while count < enough and time.monotonic() < deadline:
        blocks.append(meter.samples(1.0))
        count += blocks[-1].size
    meter.stop()
    while (block := meter.samples(0.1)).size:
        blocks.append(block)
    return np.concatenate(blocks)


def measure(rate_hz, samples, edges=(), profile=waves, options="", volts=3.0, **faults):
    instrument = VirtualLpm01a(profile, edges, Faults(**faults), real_time=False)
    with on_pty(instrument) as path, lpm01a.connect(path + options) as meter:
        meter.set_voltage(volts)
        meter.start(rate_hz)
        joules = everything(meter, samples)
        return joules, meter.edges(), instrument


@pytest.mark.parametrize("rate_hz", [1e3, 5e3, 10e3, 100e3])
def test_joules_and_edges_of_a_known_profile(rate_hz):
    joules, edges, _ = measure(rate_hz, int(1.5 * rate_hz), edges=(0.25, 1.2345))
    assert joules.sum() == pytest.approx(true_joules(waves, joules.size, rate_hz), rel=1e-3)
    assert edges == pytest.approx((0.25 * rate_hz, 1.2345 * rate_hz), abs=1)


@pytest.mark.slow
def test_a_minute_at_the_highest_rate_in_real_time_loses_no_sample():
    """6 million samples; the instrument gives up when its buffer runs over."""
    instrument = VirtualLpm01a(waves, (1.0, 59.0))
    with on_pty(instrument) as path, lpm01a.connect(path) as meter:
        meter.set_voltage(3.0)
        meter.start(100e3)
        joules = everything(meter, 6_000_000, timeout_s=90)
        assert meter.edges() == (100_000, 5_900_000)
    assert 6_000_000 <= joules.size == instrument.sent
    assert joules.sum() == pytest.approx(true_joules(waves, joules.size, 100e3, parts=2), rel=1e-3)


def test_samples_are_kept_until_they_are_read():
    """A bench waits for the board for seconds; the pty holds 4 KB, a fiftieth of a second."""
    instrument = VirtualLpm01a(waves)
    with on_pty(instrument) as path, lpm01a.connect(path) as meter:
        meter.set_voltage(1.8)
        meter.start(100e3)
        wait_until(lambda: instrument.sent >= 90_000)
        meter.stop()
        joules = everything(meter, 1)
    assert joules.size == instrument.sent >= 90_000


def test_a_host_that_does_not_read_loses_samples_and_gets_an_error(monkeypatch):
    monkeypatch.setattr(lpm01a.Pump, "start", lambda self: time.sleep(1.5) or self._thread.start())
    instrument = VirtualLpm01a(waves)
    with on_pty(instrument) as path, lpm01a.connect(path) as meter:
        meter.set_voltage(3.0)
        meter.start(100e3)
        with pytest.raises(BoardError, match="buffer overflow"):
            while meter.samples(2.0).size:
                pass


def test_the_order_of_commands_is_that_of_the_mlcommons_runner():
    _, _, instrument = measure(1e3, 10, volts=1.8)
    commands = instrument.commands
    assert commands[0] == "htc"
    assert commands[-2:] == ["pwr off", "hrc"]
    order = ("pwr off", "volt 1800m", "pwr on nostatus", "eventsrc d7 fal", "freq 1k", "start", "stop")
    assert sorted(order, key=commands.index) == list(order)
    assert {"acqtime inf", "trigsrc sw", "output energy", "format ascii_dec"} <= set(commands)


def test_fast_rates_use_words_and_the_reported_voltage():
    joules, _, instrument = measure(100e3, 1000, profile=lambda seconds: np.full_like(seconds, 0.03), volts=2.5)
    assert {"output current", "format bin_hexa", "freq 100k"} <= set(instrument.commands)
    assert joules == pytest.approx(0.03 / 100e3, rel=1 / 512)  # the resolution of the format


def test_power_is_switched_on_and_off():
    powered = []
    instrument = VirtualLpm01a(waves, on_power=powered.append)
    with on_pty(instrument) as path, lpm01a.connect(path) as meter:
        meter.set_voltage(1.8)
        meter.set_voltage(0)
    assert powered == [0.0, 1.8, 0.0, 0.0]


@pytest.mark.parametrize("volts", [1.7, 3.4, -1.0, 5.0])
def test_voltages_it_cannot_supply_are_refused(volts):
    refused = pytest.raises(ConfigError, match=r"1\.8 to 3\.3 V")
    with on_pty(VirtualLpm01a(waves)) as path, lpm01a.connect(path) as meter, refused:
        meter.set_voltage(volts)


@pytest.mark.parametrize("rest", ["", "?rate_hz=1000", "PATH?rate=1", "PATH?rate_hz=0", "PATH?rate_hz=x",
                                  "PATH?stamps=maybe", "PATH?rate_hz=", "PATH?rate_hz=1&rate_hz=2"])  # fmt: skip
def test_urls_that_are_refused(rest):
    with pytest.raises(ConfigError), lpm01a.connect(rest):
        pass


def test_the_rate_of_the_url_is_the_rate():
    assert _url.rate_hz("/dev/x?rate_hz=5000", 1e3) == 5e3
    assert _url.rate_hz("/dev/x", 1e3) == 1e3
    with on_pty(VirtualLpm01a(waves)) as path, lpm01a.connect(f"{path}?rate_hz=5000") as meter:
        for rate_hz in (1e3, 3e3):
            with pytest.raises(ConfigError):
                meter.start(rate_hz)


def test_a_port_that_is_no_lpm01a(monkeypatch):
    monkeypatch.setattr(lpm01a, "_ANSWER_S", 0.5)
    instrument = VirtualLpm01a(waves)
    instrument.receive = lambda content: None
    with on_pty(instrument) as path, pytest.raises(BoardError, match="no acknowledgement"), lpm01a.connect(path):
        pass


@pytest.mark.parametrize("firmware", ["1.0.1", "1.0.5"])
def test_old_firmware_is_named(firmware):
    instrument = VirtualLpm01a(waves, faults=Faults(firmware=firmware))
    refused = pytest.raises(BoardError, match=rf"1\.0\.6 or newer.*{firmware}.*update")
    with on_pty(instrument) as path, refused, lpm01a.connect(path):
        pass


def test_old_firmware_without_a_version_is_known_by_pwr():
    instrument = VirtualLpm01a(waves, faults=Faults(firmware="-"))
    refused = pytest.raises(BoardError, match=r"1\.0\.6 or newer.*error pwr off")
    with on_pty(instrument) as path, refused, lpm01a.connect(path):
        pass


def test_an_instrument_that_was_left_measuring_is_stopped():
    instrument = VirtualLpm01a(waves, faults=Faults(still_streaming=True))
    with on_pty(instrument) as path, lpm01a.connect(path):
        assert not instrument.acquiring


def test_a_damaged_first_command_is_sent_again():
    instrument = VirtualLpm01a(waves, faults=Faults(first_htc_refused=True))
    with on_pty(instrument) as path, lpm01a.connect(path):
        assert instrument.commands.count("htc") == 2


def broken(rate_hz, samples=20_000, **faults):
    """(samples that could be read before it, the error)."""
    instrument = VirtualLpm01a(waves, faults=Faults(**faults), real_time=False)
    with on_pty(instrument) as path, lpm01a.connect(path) as meter:
        meter.set_voltage(3.0)
        meter.start(rate_hz)
        count = 0
        with pytest.raises(BoardError) as raised:
            while count < samples:
                count += meter.samples(1.0).size
        if not instrument.unplugged:
            meter.stop()
    assert not instrument.acquiring or instrument.unplugged
    return count, str(raised.value)


@pytest.mark.parametrize("rate_hz", [1e3, 100e3])
def test_samples_before_it_is_unplugged_can_be_read(rate_hz):
    count, message = broken(rate_hz, unplug_at=4321)
    assert "stay connected" in message
    assert count == pytest.approx(4321, abs=1)


@pytest.mark.parametrize("rate_hz", [1e3, 100e3])
def test_a_lost_sample_is_noticed(rate_hz):
    count, message = broken(rate_hz, drop_sample_at=2500)
    assert "every sample" in message
    assert count < 4_000


@pytest.mark.parametrize("rate_hz", [1e3, 100e3])
@pytest.mark.parametrize("at", [0, 700, 2501])
def test_a_lost_byte_is_noticed(rate_hz, at):
    broken(rate_hz, drop_byte_at=at)


@pytest.mark.parametrize("rate_hz", [1e3, 100e3])
def test_garbage_is_noticed(rate_hz):
    count, _ = broken(rate_hz, garbage_at=2500)
    assert count < 4_000


@pytest.mark.parametrize("rate_hz", [1e3, 100e3])
@pytest.mark.parametrize(("fault", "text"), [("overcurrent_at", "(?i)over-?current"), ("overflow_at", "overflow")])
def test_an_error_of_the_instrument_is_quoted(rate_hz, fault, text):
    count, message = broken(rate_hz, **{fault: 3000})
    assert count == 3000
    assert re.search(text, message)
    assert "stopped with" in message


def test_timestamps_of_another_clock_need_an_option():
    _, message = broken(100e3, jitter_ms=1)
    assert "stamps=loose" in message
    joules, _, _ = measure(100e3, 20_000, options="?stamps=loose", jitter_ms=1)
    assert joules.size >= 20_000


def test_before_a_start_there_are_no_samples():
    with on_pty(VirtualLpm01a(waves)) as path, lpm01a.connect(path) as meter:
        for ask in (meter.edges, meter.stop, lambda: meter.samples(0.0)):
            with pytest.raises(BoardError, match="should be started before"):
                ask()


def test_a_second_acquisition_starts_again_at_sample_0():
    instrument = VirtualLpm01a(waves, (0.1,), real_time=False)
    with on_pty(instrument) as path, lpm01a.connect(path) as meter:
        meter.set_voltage(3.0)
        for rate_hz in (1e3, 100e3, 1e3):
            meter.start(rate_hz)
            assert everything(meter, 2000).size >= 2000
            assert meter.edges() == (int(0.1 * rate_hz),)


def test_bytes_of_an_event_channel_are_edges():
    with socket.create_server(("127.0.0.1", 0)) as server:
        instrument = VirtualLpm01a(waves)
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with on_pty(instrument) as path, watch_events(instrument, url), lpm01a.connect(path) as meter:
            board, _ = server.accept()
            meter.set_voltage(3.0)
            meter.start(1e3)
            for edge in range(1, 3):
                before = instrument.sent
                wait_until(lambda: instrument.sent >= before + 200)  # noqa: B023 - called at once
                board.sendall(b"T")
                wait_until(lambda: instrument.events >= edge)  # noqa: B023
            board.close()
            joules = everything(meter, 1)
            edges = meter.edges()
    assert len(edges) == 2
    assert 150 <= edges[0] < edges[1] - 150 < joules.size


AMPERES = st.lists(st.floats(1e-9, 0.05) | st.just(0.0), min_size=1, max_size=60)


@given(AMPERES)
def test_resolution_of_both_formats(amperes):
    values = np.array(amperes)
    for decoder, encode, rounding in ((AsciiDecoder, ascii_decimal, 1 / 2000), (BinaryDecoder, binary, 1 / 512)):
        stream = decoder(Clock(1e6), 1.0)
        stream.feed(stamp(decoder, 0) + encode(values))
        assert np.concatenate(stream.values) == pytest.approx(values, rel=rounding, abs=16.0**-14)


def streams():
    """(decoder, content): a little of everything, in both formats."""
    amperes = np.array([640.9e-6, 0.0, 12e-3, 1e-7])
    stamps = [f"TimeStamp: 000s {ms:03d}ms, buff 03%\r\n\0".encode() for ms in (0, 4)]
    text = stamps[0] + ascii_decimal(amperes) + b"event 01 ris\r\n" + stamps[1] + ascii_decimal(amperes)
    frames = [b"\xf0\xf3\0\0\0" + bytes([ms]) + b"\x03\xff\xff" for ms in (0, 4)]
    words = b"\r\n" + frames[0] + binary(amperes) + b"\xf0\xf2event 01 ris\xff\xff" + frames[1] + binary(amperes)
    end = b"\r\nsummary beg\r\nsummary end\r\nPowerShield > Acquisition completed\r\n"
    return ((AsciiDecoder, text + b"end\r\n" + end), (BinaryDecoder, words + b"\xf0\xf4\xff\xff" + end))


@given(st.lists(st.integers(0, 300), max_size=12))
def test_streams_may_be_split_anywhere(cuts):
    for decoder, content in streams():
        stream = decoder(Clock(1000.0), 1.0)
        places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
        for begin, end in itertools.pairwise(places):
            stream.feed(content[begin:end])
        values = np.concatenate(stream.values)
        assert values[:4] == pytest.approx([640.9e-6, 0.0, 12e-3, 1e-7], rel=1 / 512)
        assert (values.size, stream.edges, stream.done) == (8, [4], True)


AMPS = 0.01 + 0.004 * np.sin(np.arange(60))


def stamp(decoder, ms):
    if decoder is AsciiDecoder:
        return f"TimeStamp: 000s {ms:03d}ms, buff 03%\r\n\0".encode()
    return b"\xf0\xf3\0\0\0%c\3\xff\xff" % ms


def long_stream(decoder):
    """60 samples at 1 kHz with a time stamp before every tenth, and one at the end."""
    encode = ascii_decimal if decoder is AsciiDecoder else binary
    return b"".join(stamp(decoder, ms) + encode(AMPS[ms : ms + 10]) for ms in range(0, 70, 10))


@settings(max_examples=300)
@given(st.sampled_from([AsciiDecoder, BinaryDecoder]), st.data())
def test_bytes_that_are_lost_are_noticed_by_the_next_stamp(decoder, data):
    """Bytes behind the second stamp are gone: an error, or what stands before the last is all there and right.

    (Before it the usual distance of stamps is unknown: nine lost bytes can spoil one sample there.)
    """
    content = long_stream(decoder)
    last_stamp = content.rindex(b"Time" if decoder is AsciiDecoder else b"\xf0\xf3")
    begin = data.draw(st.integers(content.index(stamp(decoder, 10)) + len(stamp(decoder, 10)), last_stamp - 1))
    end = data.draw(st.integers(begin + 1, min(begin + 200, last_stamp)))
    stream = decoder(Clock(1000.0), 0.5)
    try:
        stream.feed(content[:begin] + content[end:])
    except BoardError:
        return
    values = np.concatenate(stream.values)
    assert values.size == 60
    assert values == pytest.approx(AMPS, rel=1 / 512)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(content):
    for decoder in (AsciiDecoder, BinaryDecoder):
        stream = decoder(Clock(1000.0), 0.5)
        try:
            stream.feed(stamp(decoder, 0) + content)
        except BoardError as error:
            assert str(error).startswith("the LPM01A should")
        assert all(np.all(block <= 0.5) for block in stream.values)


def test_the_examples_of_the_documents():
    text, words = AsciiDecoder(Clock(1e3), 1.0), BinaryDecoder(Clock(1e3), 1.0)
    text.feed(stamp(AsciiDecoder, 0) + b"6409-07\r\n")
    words.feed(stamp(BinaryDecoder, 0) + b"\x52\xa0")
    assert text.values[0] == pytest.approx([640.9e-6])
    assert words.values[0] == pytest.approx([640.9e-6], rel=1e-3)
