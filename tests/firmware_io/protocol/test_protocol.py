"""The parser on any bytes, the session against a device with faults."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import BoardError, ProtocolError
from edgekws.graph import interp
from edgekws.graph.softmax import permille
from firmware_io.protocol import parser as msg
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import open_transport
from fuzz import faults
from tests.firmware_io.devices.fake_device import (
    BANNER,
    CLASSIFY_COMMANDS,
    START_COMMANDS,
    Direct,
    FakeDevice,
    Faults,
    on_pty,
)

STREAM = (
    BANNER + "m-name-dut-[a b]\r\nm-profile-[x]\r\nm-model-[kws01]\r\nm-[Expecting 490 bytes]\r\nm-load-done\r\n"
    "m-buffer-00-fF\r\nm-warmup-start-0\r\nm-warmup-done\r\nm-infer-start-70\r\nm-lap-us-4294967296000\r\n"
    "m-infer-done\r\nm-results-[0.000,0.999,1.000]\r\nm-raw-[-128,0,127,-9,10,-100]\r\nm-input-crc32-[0000beEF]\r\n"
    "m-check-[0000beef,ffffffff]\r\nm-check-[0000beef,ffffffff,5eed0001]\r\nm-check-[0000beef,ffffffff,00000000]\r\n"
    "m-build-[0123456789abcdef0123456789abcdef]\r\n"
    "e-[Unknown command: x]\r\nSupplied buffer size 491 exceeds maximum of 490\nm-ready\r\n"
).encode()
MESSAGES = [
    msg.TimestampMode("performance"),
    msg.LapUs(63),
    msg.InitDone(),
    msg.Ready(),
    msg.Name("a b"),
    msg.Profile("x"),
    msg.Model("kws01"),
    msg.Expecting(490),
    msg.LoadDone(),
    msg.Buffer(b"\x00\xff"),
    msg.WarmupStart(0),
    msg.WarmupDone(),
    msg.InferStart(70),
    msg.LapUs(4294967296000),
    msg.InferDone(),
    msg.Results((0, 999, 1000)),
    msg.Raw((-128, 0, 127, -9, 10, -100)),
    msg.InputCrc(0xBEEF),
    msg.Check(0xBEEF, 0xFFFFFFFF),
    msg.Check(0xBEEF, 0xFFFFFFFF, "5eed0001"),
    msg.Check(0xBEEF, 0xFFFFFFFF),
    msg.Build("0123456789abcdef" * 2),
    msg.DeviceError("Unknown command: x"),
    msg.DeviceError("Supplied buffer size 491 exceeds maximum of 490"),
    msg.Ready(),
]


def parse(chunks):
    """(messages, error text or None) of the chunks."""
    parser, messages = msg.Parser(), []
    for chunk in chunks:
        parser.feed(chunk)
        try:
            while (message := parser.take()) is not None:
                messages.append(message)
        except ProtocolError as error:
            return messages, str(error)
    return messages, None


def cut(content, places):
    edges = [0, *sorted({place % (len(content) + 1) for place in places}), len(content)]
    return [content[a:b] for a, b in itertools.pairwise(edges)]


def test_every_line_of_the_protocol():
    assert parse([STREAM]) == (MESSAGES, None)


@given(st.lists(st.integers(0, 10_000)))
def test_chunks_make_no_difference(places):
    assert parse(cut(STREAM, places)) == (MESSAGES, None)


lines = st.sampled_from([line + b"\n" for line in STREAM.split(b"\n")])


@given(st.lists(lines | st.binary(max_size=40)).map(b"".join), st.lists(st.integers(0, 10_000)))
def test_garbage_is_a_protocol_error_however_it_is_split(content, places):
    assert parse(cut(content, places)) == parse([content])


@given(st.binary(max_size=300))
def test_any_bytes_give_messages_or_a_protocol_error(content):
    messages, error = parse([content, b"\n"])
    assert error is not None or len(messages) == content.count(b"\n") + 1


@pytest.mark.parametrize("size", [msg.MAX_LINE_BYTES + 1, 5000])
def test_endless_lines_are_refused_before_they_end(size):
    messages, error = parse([b"m-ready\r\n" + b"m" * size])
    assert messages == [msg.Ready()] and "at most 1024 bytes" in error
    assert parse([b"m-ready\r\n", b"m" * size, b"\r\n"]) == (messages, error)


@pytest.mark.parametrize(
    "line",
    [
        *("", " m-ready", "m-ready ", "M-READY", "m-name-dut-[]", "m-lap-us--1", "m-lap-us-99999999999999999999"),
        *("m-results-[]", "m-results-[0.5]", "m-results-[1.001]", "m-results-[0.100,]", "m-results-[2.000]"),
        *(
            "m-raw-[128]",
            "m-raw-[-129]",
            "m-raw-[-0]",
            "m-raw-[01]",
            "m-input-crc32-[123]",
            "m-check-[0000beEF,00000000]",
            "m-check-[00000000]",
            "m-check-[00000000,00000000,0000000]",
            "m-check-[00000000,00000000,5eed0001,0]",
            "m-check-[00000000,00000000,5EED0001]",
            "m-build-[0123456789abcdef]",
            "help : this list",
            "m-buffer-0",
            "m-\x00ready",
        ),
    ],
)
def test_almost_correct_lines_are_refused(line):
    messages, error = parse([line.encode() + b"\r\n"])
    assert messages == [] and "Got: " in error and repr(line)[1:-1] in error


@given(st.integers(-200, 200))
def test_raw_takes_exactly_the_int8_numbers(value):
    messages, error = parse([f"m-raw-[{value}]\r\n".encode()])
    assert (messages == [msg.Raw((value,))]) == (-128 <= value <= 127) == (error is None)


def test_a_parser_stays_in_error():
    parser = msg.Parser()
    parser.feed(b"nonsense\r\nm-ready\r\n")
    for _ in range(2):
        with pytest.raises(ProtocolError, match="nonsense"):
            parser.take()


def direct(graph, raw=True, timeouts=None, check=False, energy=False, layers_us=None, **faults):
    device = FakeDevice(graph, Faults(**faults), raw=raw, check=check, energy=energy, layers_us=layers_us)
    return Session(Direct(device), timeouts), device


@pytest.fixture
def clip(random_features):
    return random_features(1)[0]


def test_a_whole_conversation(graph, clip):
    session, device = direct(graph)
    identity = session.start()
    assert (identity.name, identity.model) == ("fake", "kws01")
    answer = session.classify(clip)
    scores = interp.run(graph, clip[None])
    assert answer.scores == tuple(scores[0].tolist()) and answer.loads == 1
    assert answer.permille == tuple(permille(scores, graph.score_scale)[0].tolist()) == session.results()
    window = session.infer(10, 1)
    assert window.device_us == 10 * device.us + 5
    assert session.timestamp_us() > window.end_us


def test_a_banner_comes_before_the_first_answer(graph):
    session, _ = direct(graph, banner=True)
    assert session.start().name == "fake"


def test_half_a_command_of_an_earlier_session(graph):
    session, device = direct(graph)
    device.receive(b"db 00")
    assert session.start().name == "fake"


def test_a_device_without_raw_is_asked_once(graph, clip):
    session, device = direct(graph, raw=False)
    session.start()
    assert session.classify(clip).scores is None and session.has_raw is False
    before = device.commands
    session.classify(clip)
    assert device.commands - before == CLASSIFY_COMMANDS - 1


START = len(b"name%check 1%profile%timestamp%")


@pytest.mark.parametrize("place", range(0, 300, 7))
def test_one_lost_byte_costs_one_more_load(graph, clip, place):
    """Digits, spaces, ends of commands: wherever it is lost, the answer is right in the end."""
    session, _ = direct(graph, lose=START + place)
    session.start()
    answer = session.classify(clip)
    assert answer.scores == tuple(interp.run(graph, clip[None])[0].tolist())
    assert answer.loads == 2


@pytest.mark.parametrize("lose", range(0, START))
def test_one_lost_byte_at_the_start(graph, lose):
    session, _ = direct(graph, lose=lose)
    assert session.start().name == "fake"
    assert (session.has_check, session.mode) == (False, "performance")


def test_a_repeated_error_of_the_device_is_no_damage(graph, clip):
    session, _ = direct(graph, wrong_crc=True)
    session.start()
    with pytest.raises(ProtocolError, match=r"Got: CRC-32 \w{8} instead of \w{8}"):
        session.classify(clip)
    with pytest.raises(ProtocolError, match=r"`layers 0`.*Got: e-\[Inference iterations"):
        direct(graph, layers_us=[1])[0].layers(0)


FAULTS = ["silent", "garbage", "half_line", "reset"]
LOAD, LAST, INFER, RAW = START_COMMANDS, START_COMMANDS + 13, START_COMMANDS + 14, START_COMMANDS + 15


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", [0, 1, 2, 3, LOAD, LOAD + 3, LAST, INFER, RAW])
def test_a_device_that_fails_permanently(graph, clip, fault, command):
    session, _ = direct(graph, **{fault: True}, command=command, always=True)
    with pytest.raises((BoardError, ProtocolError), match=r"Got: .+\. What to do: .+") as caught:
        session.start()
        session.classify(clip)
    asked = {0: "name", 1: "name", 2: "profile", 3: "timestamp", LOAD: "db load 490", INFER: "infer 1 0", RAW: "raw"}
    assert f"`{asked.get(command, 'db ')}" in str(caught.value)
    if fault in ("silent", "half_line"):
        assert isinstance(caught.value, BoardError)


@pytest.mark.parametrize("fault", ["silent", "garbage", "half_line"])
@pytest.mark.parametrize("command", [LOAD, LOAD + 3, LAST, INFER, RAW])
def test_a_device_that_fails_once(graph, clip, fault, command):
    session, _ = direct(graph, **{fault: True}, command=command)
    session.start()
    answer = session.classify(clip)
    assert answer.loads == 2
    assert answer.scores == tuple(interp.run(graph, clip[None])[0].tolist())


def test_a_restart_is_never_hidden(graph, clip):
    session, _ = direct(graph, reset=True, command=5)
    session.start()
    with pytest.raises(BoardError, match="start-up banner"):
        session.classify(clip)


def test_a_session_can_be_started_again_after_a_reset(graph):
    session, device = direct(graph, check=True)
    session.start()
    device.boot()
    session.start()
    device.faults.garbage, device.faults.command = True, device.commands
    assert session.timestamp_us() < 200


def test_a_reset_whose_banner_was_lost_shows_in_the_clock(graph, clip):
    session, device = direct(graph, check=True)
    session.start()
    session.classify(clip)
    device.boot()
    with pytest.raises(BoardError, match=r"\d+ us after \d+ us: it was reset"):
        session.results()


@pytest.mark.parametrize("command", range(8, 22))
def test_a_reset_whose_banner_was_lost_shows_in_the_checksums(graph, clip, command):
    """Energy mode has no clock."""
    session, device = direct(graph, check=True, energy=True, reset=True, command=command)
    session.start()
    boot = device.boot
    device.boot = lambda: boot()[:0]
    with pytest.raises(BoardError, match="checksums as after a reset"):
        session.classify(clip)


def test_a_late_banner_on_a_pty(graph):
    timeouts = Timeouts(quiet_s=0.05)
    device = FakeDevice(graph)
    with on_pty(device, banner_after_s=0.2) as path, open_transport(f"serial:{path}") as opened:
        assert Session(opened, timeouts).start().name == "fake"


def test_a_slow_device_is_waited_for(graph, clip):
    timeouts = Timeouts(line_s=2.0, infer_s=60.0, quiet_s=0.02)
    device = FakeDevice(graph, Faults(slow_s=2.5))
    with on_pty(device) as path, open_transport(f"serial:{path}") as opened:
        session = Session(opened, timeouts)
        session.start()
        assert session.classify(clip).loads == 1


def test_a_dead_device_is_noticed_in_time(graph):
    device = FakeDevice(graph, Faults(silent=True, always=True))
    start = time.monotonic()
    silence = pytest.raises(BoardError, match=r"`name`.*silence for 0.2 s.*ports PORT --probe")
    with on_pty(device) as path, open_transport(f"serial:{path}") as opened, silence:
        Session(opened, Timeouts(line_s=0.4, quiet_s=0.02)).start()
    assert time.monotonic() - start < 20  # and not for ever


def test_scores_of_another_model_size(graph, graph_factory):
    session, _ = direct(graph_factory(classes=5))
    session.start()
    answer = session.classify(np.zeros((49, 10), np.int8))
    assert len(answer.permille) == 5


def test_a_device_with_check_verifies_every_exchange(graph, clip):
    session, device = direct(graph, check=True)
    session.start()
    assert session.has_check and session.mode == "performance"
    before = device.commands
    assert session.classify(clip).loads == 1
    assert device.commands - before == CLASSIFY_COMMANDS + 1
    session.load(clip.tobytes())
    assert session.infer(2, 1).device_us == 2 * device.us + 5
    assert (session.transfers.checked, session.transfers.repeated) == (True, 0)


def test_a_device_in_energy_mode(graph, clip):
    session, device = direct(graph, check=True, energy=True)
    session.start()
    assert session.mode == "energy" and device.edges == 1
    answer = session.classify(clip)
    device.edges = 0
    run = session.infer_energy(3, 1)
    assert (run.iterations, run.permille, run.attempts, device.edges) == (3, answer.permille, 1, 2)
    assert session.mark() == 1 and device.edges == 3
    for refused in (lambda: session.infer(1, 0), session.timestamp_us):
        with pytest.raises(ProtocolError, match="performance mode"):
            refused()


def test_a_device_in_performance_mode_makes_no_edges(graph):
    session, _ = direct(graph)
    session.start()
    for refused in (lambda: session.infer_energy(1, 0), session.mark):
        with pytest.raises(ProtocolError, match="energy mode"):
            refused()


class Flipped(Direct):
    """One byte of one direction arrives with its lowest bit flipped: a digit becomes another digit."""

    def __init__(self, device, to=None, back=None):
        super().__init__(device, chunk=4096)
        self.to, self.back, self.sent, self.came = to, back, 0, 0

    def write(self, content):
        content, self.sent = flipped(content, self.to, self.sent), self.sent + len(content)
        before = len(self.waiting)
        super().write(content)
        fresh = self.waiting[before:]
        self.waiting = self.waiting[:before] + flipped(fresh, self.back, self.came)
        self.came += len(fresh)


def flipped(content, at, passed):
    inside = at is not None and passed <= at < passed + len(content)
    return (
        content[: at - passed] + bytes([content[at - passed] ^ 1]) + content[at - passed + 1 :] if inside else content
    )


def test_no_flipped_bit_is_accepted(clip):
    """Every byte of a session, in both directions, one by one."""
    graph = faults.wide_graph()
    expected = tuple(interp.run(graph, clip[None])[0].tolist())
    device = FakeDevice(graph, check=True)
    whole = Flipped(device)
    assert classified(whole, clip) == (expected, 0)
    for at in range(whole.came):
        assert classified(Flipped(device, back=at), clip)[0] == expected, at
    for at in range(0, whole.sent, 3):
        assert classified(Flipped(device, to=at), clip)[0] == expected, at
    assert classified(Flipped(device, back=whole.came - 40), clip)[1] == 1  # in the last `check`


def classified(transport, clip):
    session = Session(transport)
    session.start()
    return session.classify(clip).scores, session.transfers.repeated
