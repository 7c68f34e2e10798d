"""A firmware that listens, on this computer: the same scores and events as here, whatever the line does."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import listening
from edgekws.errors import BoardError, ProtocolError
from firmware_io import board as boards
from firmware_io import build
from firmware_io.listening import frames, sending
from firmware_io.listening.board import Listener, wake
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import Transport, open_transport
from tests.firmware_io.firmware.lines import EMULATED, needs_for
from tests.firmware_io.listening import stub

IDS = (listening.front_end_id(stub.SPEC), listening.graph_id(stub.graph()))


class Noisy:
    """A transport that changes frames on their way to the board. damage: bytes -> bytes."""

    def __init__(self, inner: Transport, damage: Callable[[bytes], bytes]) -> None:
        self.inner, self.damage = inner, damage

    def read(self, timeout_s: float) -> bytes:
        return self.inner.read(timeout_s)

    def write(self, content: bytes) -> None:
        self.inner.write(self.damage(content) if content.endswith(b"\0") and len(content) > 100 else content)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_for(boards.load("host"))
    return build.build(boards.load("host"), stub.model(), tmp_path_factory.mktemp("listen") / "host.elf").elf


@pytest.fixture
def transport(elf: Path) -> Iterator[Transport]:
    with open_transport("host:", elf) as opened:
        yield opened


def listener(transport: Transport) -> Listener:
    wake(transport)
    session = Session(transport, Timeouts(line_s=20.0))
    session.start()
    made = Listener(session)
    made.require(*IDS)
    return made


def require_equal(made: Listener, samples: np.ndarray, real_time: bool = False) -> None:
    expected = stub.expected(samples)
    events = list(made.events(np.array_split(samples, 5), real_time))
    assert made.heard is not None
    assert events == expected.events and made.heard.events == len(events) > 0
    assert made.heard.scores_crc32 == zlib.crc32(expected.scores.tobytes())
    assert (made.heard.samples, made.heard.steps) == (len(samples), len(expected.scores))


def test_scores_and_events_equal_those_of_this_computer(transport: Transport) -> None:
    made = listener(transport)
    for seed in range(2):  # the second stream begins anew
        samples = stub.sound(3.33, seed)
        require_equal(made, samples)
        assert made.heard is not None and (made.heard.damaged, made.heard.missing, made.sent.repeated) == (0, 0, 0)
    assert [stage.name for stage in made.cost()] == ["front end", "network", "detector"]


@pytest.mark.parametrize("name", [EMULATED[0], *(pytest.param(name, marks=pytest.mark.slow) for name in EMULATED[1:])])
def test_an_emulated_board_hears_the_same(name: str, tmp_path: Path) -> None:
    target = boards.load(name)
    needs_for(target)
    firmware = build.build(target, stub.model(), tmp_path / "a.elf")
    with open_transport(target.transport, firmware.elf) as opened:
        require_equal(listener(opened), stub.sound(0.5, 1))


def test_short_streams(transport: Transport) -> None:
    made = listener(transport)
    for count in (0, 1, 479, 480, 801):
        assert list(made.events([stub.sound(1)[:count]])) == stub.expected(stub.sound(1)[:count]).events
        assert made.heard is not None and made.heard.samples == count


@pytest.mark.parametrize("kind", ["a changed byte", "a lost byte", "a lost frame", "a doubled frame", "a lost end"])
def test_damage_is_counted_and_repaired(kind: str, transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_S", 0.5)
    monkeypatch.setattr(sending, "QUIET_S", 0.05)
    rng, count = random.Random(1), 0

    def damage(content: bytes) -> bytes:
        nonlocal count
        count += 1
        if count % 40 != 7:
            return content
        at = rng.randrange(1, len(content) - 1)
        return {
            "a changed byte": content[:at] + bytes([content[at] ^ 0x40 or 1]) + content[at + 1 :],
            "a lost byte": content[:at] + content[at + 1 :],
            "a lost frame": b"",
            "a doubled frame": content * 2,
            "a lost end": content[:-1],
        }[kind]

    made = listener(Noisy(transport, damage))
    require_equal(made, stub.sound(3, 2))
    assert made.heard is not None
    noticed = made.heard.damaged + made.heard.missing + made.sent.repeated
    assert (noticed > 0) == (kind != "a doubled frame")


def test_a_line_that_damages_everything_is_given_up(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "QUIET_S", 0.02)
    made = listener(Noisy(transport, lambda content: b"\7" + content[1:]))
    with pytest.raises(ProtocolError, match="8 attempts"):
        list(made.events([stub.sound(1)]))


def test_a_host_that_stops_leaves_a_board_that_understands_the_next_one(transport: Transport) -> None:
    first = listener(transport)
    stream = first.events([stub.sound(2, 3)])
    next(stream)
    stream.close()
    transport.write(frames.audio(999, stub.sound(0.02))[:50])  # and in the middle of a frame
    require_equal(listener(transport), stub.sound(2, 3))


def test_another_front_end_or_network_on_the_board_is_refused(transport: Transport) -> None:
    made = listener(transport)
    with pytest.raises(BoardError, match=f"front end .*deadbeef.*{IDS[0]}"):
        made.require("deadbeef", IDS[1])
    with pytest.raises(BoardError, match=f"network .*deadbeef.*{IDS[1]}"):
        made.require(IDS[0], "deadbeef")
    made.about = made.about.__class__(**{**vars(made.about), "front_end": "deadbeef"})
    with pytest.raises(ProtocolError, match=f"The front end is {IDS[0]}"):
        list(made.events([stub.sound(1)]))


def test_thresholds_and_smoothing_change_on_the_running_board(transport: Transport) -> None:
    made = listener(transport)
    changed = made.change({"no": 1001, "hey lamp": 300}, smoothing_steps=2, refractory_steps=0)
    assert changed == made.detector()
    assert changed.thresholds_permille == (600, 1001, 300)
    settings = stub.SETTINGS.__class__(stub.SETTINGS.keywords, changed.thresholds_permille, 2, 0)
    samples = stub.sound(3, 4)
    expected = stub.expected(samples, settings).events
    assert list(made.events([samples])) == expected != stub.expected(samples).events
    with pytest.raises(ProtocolError, match=r"A threshold must be 1 to 1001"):
        made.change({"no": 1002})
    with pytest.raises(ProtocolError, match=r"The smoothing must be 1 to 32"):
        made.change(smoothing_steps=33)
    with pytest.raises(BoardError, match="maybe"):
        made.change({"maybe": 1})


def test_the_histogram_counts_until_it_is_reset(transport: Transport) -> None:
    made, samples = listener(transport), stub.sound(2, 5)
    counted = stub.expected(samples).histogram
    for times in (1, 2):
        list(made.events([samples]))
        assert np.array_equal(made.histogram(), times * counted)
    assert not made.histogram(reset=True).any() and not made.histogram().any()


def test_a_stream_in_real_time_is_not_sent_early(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(sending.time, "sleep", sleep)
    wake(transport)
    session = Session(transport)
    session.start()
    made = Listener(session, lambda: now)
    require_equal(made, stub.sound(2, 6), real_time=True)
    assert now == pytest.approx(2) and made.sent.late_s == 0


def test_a_board_without_a_microphone_says_so(transport: Transport) -> None:
    listener(transport)
    transport.write(b"microphone%")
    assert b"e-[This board has no microphone]" in transport.read(20)
    require_equal(listener(transport), stub.sound(0.5))


def imitated_sound(count: int) -> np.ndarray:
    """What port/capture_mps2 puts in place of a microphone, int16 [count]."""
    state, values = 1, np.empty(count, np.int64)
    for number in range(count):
        state = (state * 1_664_525 + 1_013_904_223) & 0xFFFF_FFFF
        values[number] = (((state >> 16) ^ 0x8000) - 0x8000) >> (number // stub.SPEC.hop_samples // 16 % 8)
    return values.astype(np.int16)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EMULATED if boards.load(name).capture_irq >= 0])
def test_sound_of_the_board_itself(name: str, tmp_path: Path) -> None:
    """From the interrupt of each half of the buffer to the events, while commands are answered."""
    target = boards.load(name)
    needs_for(target)
    firmware = build.build(target, stub.model(), tmp_path / "a.elf")
    with open_transport(target.transport, firmware.elf) as opened:
        listener(opened)
        opened.write(b"microphone%")
        received = b""
        while received.count(b"m-event-") < 3:
            received += opened.read(60)
        opened.write(b"settings%microphone off%")
        while b"m-heard-" not in received or not received.endswith(b"m-ready\r\n"):
            received += opened.read(60)
    text = received.decode()
    assert "m-detector-[4,6]" in text
    runs = re.findall(r"m-heard-\[(\d+),(\d+),(\d+),([0-9a-f]{8}),0,0\]", text)
    if "m-lost-" not in text:  # on a busy computer the emulator may be late
        ((samples, steps, events, crc),) = runs
        expected = stub.expected(imitated_sound(int(samples)))
        assert (int(steps), int(events)) == (len(expected.scores), len(expected.events))
        assert int(crc, 16) == zlib.crc32(expected.scores.tobytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", boards.names())
def test_the_firmware_that_listens_compiles_for_every_board(name: str, tmp_path: Path) -> None:
    target = boards.load(name)
    needs_for(target)
    build.build(target, stub.model(), tmp_path / "a.elf")


def test_a_firmware_that_classifies_clips_does_not_listen(tmp_path: Path) -> None:
    needs_for(boards.load("host"))
    names = ("model.h", "model.c")
    clips = {name: content for name, content in stub.model().items() if name in names}
    elf = build.build(boards.load("host"), clips, tmp_path / "clips.elf").elf
    with open_transport("host:", elf) as opened, pytest.raises(BoardError, match="listens to a stream"):
        listener(opened)
