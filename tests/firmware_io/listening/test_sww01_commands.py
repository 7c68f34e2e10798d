"""The commands of MLPerf Tiny's streaming wake word: literals of its reference firmware, on this computer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks._front_end import speech_like
from edgekws.detect.settings import Settings
from edgekws.emit.c import listening
from edgekws.errors import ConfigError
from edgekws.features import fixed
from edgekws.graph.ir import Graph
from edgekws.mlperf import sww01
from firmware_io import board as boards
from firmware_io import build, flash
from firmware_io.listening import frames
from firmware_io.listening.board import Listener, wake
from firmware_io.ports.opening import open_serial
from firmware_io.protocol.session import Session, Timeouts
from firmware_io.transport import open_transport
from tests.firmware_io.firmware.lines import Line, needs_for, running
from tests.firmware_io.listening.test_sww01_mode import model

HOP = 512
PROFILE = ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[sww01]"]
CONVERSATION: list[tuple[str, list[str]]] = [
    ("profile", PROFILE),
    ("", []),
    ("bye", ["e-[Unknown command: bye]"]),
    ("x" * 1028, [f"e-[Unknown command: {'x' * 1028}]"]),
    ("proc_hi", []),
    ("proc_lo", []),
    ("db load 1025", ["Supplied buffer size 1025 exceeds maximum of 1024"]),
    ("db load 4", ["m-[Expecting 4 bytes]"]),
    ("db 0102", []),
    ("db setptr 3", ["e-[Command 'db setptr' requires 0 to 2]"]),
    ("db setptr 1", []),
    ("db 0a0b0c", ["m-load-done"]),
    ("db print", ["m-buffer-01-0a-0b-0c"]),
    ("extract_uart_stream", ["e-[Command 'extract_uart_stream' requires a 'db load' of 1024]"]),
    ("stop", ["e-[Command 'stop' requires a 'start' before]"]),
]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Some of its scores are above the threshold."""
    made = model(tmp_path_factory.mktemp("sww01"))
    (node,) = made.nodes
    offset = np.array([20_000, 0, 0], np.int32)
    requant = replace(node.requant, shift=np.full(3, 6, np.uint8), offset=offset)
    return replace(made, nodes=(replace(node, requant=requant),))


def built(graph: Graph, folder: Path, energy: bool = False) -> Path:
    needs_for(boards.load("host"))
    files = listening.files(graph, Settings(("marvin",), (900,), 1, 0))
    return build.build(boards.load("host"), files, folder / "host.elf", energy).elf


@pytest.fixture(scope="module")
def elf(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(graph, tmp_path_factory.mktemp("sww01"))


@pytest.fixture
def line(elf: Path) -> Iterator[Line]:
    with running(boards.load("host"), elf) as (line, _):
        yield line


def ask(line: Line, command: str) -> list[str]:
    """The answer to a command without its echo, which has to be there."""
    echo, *answer = line.ask(command)
    assert echo == f"Received command: {command}"
    return answer


def activations(lines: list[str]) -> list[int]:
    """Of the answer to `stop`."""
    stopped, text = lines
    assert stopped == "Streaming stopped."
    return [int(value) for value in text.removeprefix("target activations: [").removesuffix("]").split(", ")]


def test_commands_that_need_no_sound(line: Line) -> None:
    for command, answer in CONVERSATION:
        assert ask(line, command) == answer, command


def filled_rows(graph: Graph, samples: np.ndarray) -> np.ndarray:
    """Silence of a hop before the samples: a row for each hop."""
    return fixed.FrontEnd(graph.front_end).push(np.concatenate([np.zeros(HOP, np.int16), samples]))


def test_features_and_scores_of_frames_that_were_loaded(graph: Graph, line: Line) -> None:
    samples = speech_like(4 * HOP)
    rows = filled_rows(graph, samples)
    scores = graph.stream().push(np.concatenate([np.zeros((29, 40), np.int8), rows]))
    for number, frame in enumerate(samples.reshape(-1, HOP)):
        digits = frame.astype("<i2").tobytes().hex()
        assert ask(line, f"db load {2 * HOP}") == ["m-[Expecting 1024 bytes]"]
        assert [ask(line, f"db {digits[at : at + 1024]}") for at in (0, 1024)] == [[], ["m-load-done"]]
        features = ", ".join(str(value) for value in rows[number])
        found = ", ".join(str(value) for value in scores[number])
        assert ask(line, "extract_uart_stream") == [f"m-features-[{features}]", f"m-activations-[{found}]"]


def stream(line: Line, samples: np.ndarray) -> None:
    """Frames, each with its answer, while the firmware is streaming."""
    for number, frame in enumerate(samples.reshape(-1, HOP)):
        line.port.write(frames.audio(number, frame))
        while not (answer := line.port.read_until(b"\r\n")).startswith(b"m-ack-"):
            assert answer.startswith(b"m-event-")


def test_start_and_stop(graph: Graph, line: Line) -> None:
    samples = speech_like(40 * HOP)
    scores = graph.stream().push(fixed.FrontEnd(graph.front_end).push(samples))
    for _ in range(2):
        assert ask(line, "start") == []
        stream(line, samples)
        heard, echo, *answer = line.ask("stop")
        assert heard.startswith("m-heard-[20480,10,") and echo == "Received command: stop"
        assert activations(answer) == scores[:, 0].tolist()


def test_the_session_of_a_host(graph: Graph, elf: Path) -> None:
    samples = speech_like(40 * HOP)
    with open_transport("host:", elf) as transport:
        wake(transport)
        session = Session(transport, Timeouts(line_s=20.0))
        assert session.start().model == "sww01" and session.has_check
        listener = Listener(session)
        scores = graph.stream().push(fixed.FrontEnd(graph.front_end).push(samples))
        for benchmark in (False, True):
            list(listener.events([samples], benchmark=benchmark))
            assert listener.heard is not None and listener.heard.steps == 10
            assert listener.activations == (tuple(scores[:, 0].tolist()) if benchmark else ())
        assert session.build_id


@pytest.mark.slow
def test_pins_are_bytes_in_energy_mode(graph: Graph, tmp_path: Path) -> None:
    board, samples = boards.load("host"), speech_like(40 * HOP)
    scores = graph.stream().push(fixed.FrontEnd(graph.front_end).push(samples))
    pulses = set((np.flatnonzero(scores[:, 0] > sww01.THRESHOLD) + 30).tolist())
    assert pulses
    expected = "".join("P" + "W" * (frame in {0, *pulses}) + "p" for frame in range(40))
    with flash.load("host").start_with_events(board, built(graph, tmp_path, energy=True)) as lines:
        events = os.open(lines.events, os.O_RDONLY | os.O_NOCTTY)
        with open_serial(lines.line, baudrate=board.energy_baud, timeout=60) as port:
            line = Line(port)
            line.until_ready()
            ask(line, "start")
            stream(line, samples)
            line.ask("stop")
        seen = os.read(events, 1000).decode()
        os.close(events)
    assert seen == f"TPp{expected}T"


def test_physical_boards_have_no_such_pins(graph: Graph, tmp_path: Path) -> None:
    files = listening.files(graph, Settings(("marvin",), (900,), 1, 0))
    with pytest.raises(ConfigError, match="emulated boards only"):
        build.build(boards.load("nucleo-l4r5zi"), files, tmp_path / "a.elf", energy=True)
