"""The firmware itself, on every board: raw bytes over its serial line."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import serial

from edgekws.emit.c import emit
from edgekws.errors import BoardError
from edgekws.graph import interp, softmax
from edgekws.graph.ir import Graph
from firmware_io import board, build, flash, tools
from tests.conftest import random_graph

READY = b"m-ready\r\n"
EMULATED = [name for name in board.names() if board.load(name).flash_tool == "qemu"]
HERE = ["host", *EMULATED]
"""Boards that need no hardware."""


class Line:
    """A serial line on which every command is answered by text that ends with m-ready."""

    def __init__(self, port: serial.SerialBase) -> None:
        self.port = port

    def until_ready(self) -> list[str]:
        answer = self.port.read_until(READY)
        assert answer.endswith(READY), f"no m-ready after {answer!r}"
        return answer[: -len(READY)].decode("ascii").split("\r\n")[:-1]

    def synchronize(self) -> None:
        """Skip a boot banner that may or may not come."""
        self.port.write(b"name%")
        assert self.port.read_until(b"]\r\n" + READY).endswith(READY)

    def ask(self, command: str) -> list[str]:
        self.port.write(command.encode("latin-1") + b"%")
        return self.until_ready()

    def load(self, tensor: np.ndarray) -> None:
        assert self.ask(f"db load {tensor.size}") == [f"m-[Expecting {tensor.size} bytes]"]
        digits = tensor.astype(np.int8).tobytes().hex()
        chunks = [digits[start : start + 62] for start in range(0, len(digits), 62)]
        assert [self.ask(f"db {chunk}") for chunk in chunks] == [[]] * (len(chunks) - 1) + [["m-load-done"]]


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: {tools.install_hint(program)}")


def needs_for(target: board.Board) -> None:
    needs(*filter(None, (target.compiler, target.qemu_program)))


@contextmanager
def started(name: str, model: dict[str, bytes], folder: Path) -> Iterator[tuple[Line, list[str]]]:
    """The line of a running board, and its boot banner where the line is sure to show it."""
    with started_board(board.load(name), model, folder) as line_and_banner:
        yield line_and_banner


@contextmanager
def started_board(target: board.Board, model: dict[str, bytes], folder: Path) -> Iterator[tuple[Line, list[str]]]:
    needs_for(target)
    firmware = build.build(target, model, folder / f"{target.name}.elf")
    with running(target, firmware.elf) as line_and_banner:
        yield line_and_banner


@contextmanager
def running(target: board.Board, elf: Path) -> Iterator[tuple[Line, list[str]]]:
    tool = flash.load(target.flash_tool)
    with (
        tool.start(target, elf) as url,
        serial.serial_for_url(url, baudrate=target.baud, timeout=30) as port,
    ):
        line = Line(port)
        banner = line.until_ready() if tool.CAPABILITIES.sees_banner else line.synchronize()
        yield line, banner or []


@pytest.fixture(scope="module")
def model_graph(request: pytest.FixtureRequest) -> Graph:
    return random_graph(seed=0)


@pytest.fixture(scope="module", params=HERE)
def line(
    request: pytest.FixtureRequest, model_graph: Graph, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    with started(request.param, emit(model_graph), tmp_path_factory.mktemp("boards")) as (line, _):
        line.name = request.param
        yield line


def test_name_and_profile(line: Line) -> None:
    assert line.ask("name") == [f"m-name-dut-[edgekws-{line.name}]"]
    assert line.ask("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]


def test_help_lists_every_command(line: Line) -> None:
    version, empty, *rest = line.ask("help")
    assert version == "ULPMark for tinyML Firmware V0.0.1" and empty == ""
    listed = [text.split(" : ")[0] for text in rest]
    assert listed == ["help", "name", "profile", "timestamp", "db", "infer", "results", "raw", "layers", "memory"]


def test_time_never_goes_back(line: Line) -> None:
    laps = [int(re.fullmatch(r"m-lap-us-(\d+)", line.ask("timestamp")[0])[1]) for _ in range(5)]
    assert laps == sorted(laps) and laps[-1] > laps[0]


def test_scores_and_probabilities_equal_the_interpreter(line: Line, model_graph: Graph) -> None:
    features = np.random.default_rng(9).integers(-128, 128, (6, 49, 10)).astype(np.int8)
    features[0], features[1] = -128, 127
    expected = interp.run(model_graph, features)
    thousandths = softmax.permille(expected, model_graph.score_scale)
    assert 1000 in thousandths  # the reference prints exactly 1.0 wrong
    for tensor, scores, probabilities in zip(features, expected, thousandths, strict=True):
        line.load(tensor)
        answer = line.ask("infer 1 0")
        text = ",".join(f"{p // 1000}.{p % 1000:03d}" for p in probabilities)
        assert answer[-1] == f"m-results-[{text}]" == line.ask("results")[0]
        raw, crc = line.ask("raw")
        assert raw == f"m-raw-[{','.join(map(str, scores))}]"
        assert crc == f"m-input-crc32-[{zlib.crc32(tensor.tobytes()):08x}]"


def test_infer_reports_in_order_and_time_grows_with_the_count(line: Line) -> None:
    line.load(np.zeros((49, 10)))
    spans = []
    for count in (3, 30):
        answer = line.ask(f"infer {count} 2")
        laps = [int(text.removeprefix("m-lap-us-")) for text in answer if text.startswith("m-lap-us-")]
        order = [re.sub(r"lap-us-\d+|results-.*", "x", text) for text in answer]
        assert order == [
            "m-warmup-start-2",
            "m-warmup-done",
            f"m-infer-start-{count}",
            "m-x",
            "m-x",
            "m-infer-done",
            "m-x",
        ]
        spans.append(laps[1] - laps[0])
    if line.name in EMULATED:  # counted instructions: ten times the work is ten times the time
        assert spans[1] == pytest.approx(10 * spans[0], rel=2e-3)
    assert "m-warmup-start-10" in line.ask("infer") and "m-infer-start-1" in line.ask("infer")


def test_faults_of_the_host_are_answered(line: Line) -> None:
    for command, answer in [
        ("", []),
        ("   ", []),
        ("\r\nname", [f"m-name-dut-[edgekws-{line.name}]"]),
        ("nonsense 1 2", ["e-[Unknown command: nonsense]"]),
        ("nam", ["e-[Unknown command: nam]"]),
        ("\x07\xffx", ["e-[Unknown command: ??x]"]),
        ("name\0", ["e-[Unknown command: name?]"]),
        ("db", ["e-[Command 'db' requires a subcommand]"]),
        ("db load", ["e-[Command 'db load' requires the # of bytes]"]),
        ("db load 0", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load -5", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load x", ["e-[Command 'db load' must be >0 bytes]"]),
        ("infer 0 1", ["e-[Inference iterations must be >0]"]),
        ("infer x", ["e-[Inference iterations must be >0]"]),
        ("infer 1 -1", ["e-[Inference warmup must be >=0]"]),
        ("infer 1 x", ["e-[Inference warmup must be >=0]"]),
        ("a" * 257, ["e-[Command too long]"]),
        ("db " + "00" * 400, ["e-[Command too long]"]),
    ]:
        assert line.ask(command) == answer, command


def test_an_oversize_load_keeps_nothing(line: Line) -> None:
    line.load(np.ones((49, 10)))
    assert line.ask("db load 491") == ["Supplied buffer size 491 exceeds maximum of 490"]
    assert line.ask("db 00") == ["e-[Command 'db' needs a 'db load' before]"]
    assert line.ask("db print") == []
    assert line.ask("infer 1 0") == ["Input db has 0 elemented, expected 490"]
    assert line.ask("db load 99999999999999999999") == ["Supplied buffer size 2147483647 exceeds maximum of 490"]


def test_a_bad_chunk_changes_nothing(line: Line) -> None:
    assert line.ask("db load 10") == ["m-[Expecting 10 bytes]"]
    assert line.ask("db 0aFF7f") == []
    assert line.ask("db 123") == ["e-[Insufficent number of hex digits]"]
    assert line.ask("db 12zz34") == ["e-[Invalid hex digit 'zz']"]
    assert line.ask("db 12\x8034\0") == ["e-[Invalid hex digit '?3']"]
    assert line.ask("db print") == ["m-buffer-0a-ff-7f-00-00-00-00-00", "m-buffer-00-00"]
    assert line.ask("infer 1 0") == ["Input db has 3 elemented, expected 490"]
    assert line.ask("raw")[1] == f"m-input-crc32-[{zlib.crc32(bytes([0x0A, 0xFF, 0x7F])):08x}]"
    assert line.ask("db 0102030405060708") == ["m-load-done"]  # one byte too many is ignored
    assert line.ask("db 09") == []
    assert line.ask("db print") == ["m-buffer-0a-ff-7f-01-02-03-04-05", "m-buffer-06-07"]


def test_scores_of_another_input_are_not_given(line: Line) -> None:
    line.load(np.zeros((49, 10)))
    line.ask("infer 1 0")
    line.ask("db load 490")
    refusal = "e-[No inference has been run on this input]"
    assert line.ask("results") == [refusal]
    assert line.ask("raw") == [refusal, "m-input-crc32-[00000000]"]


@pytest.mark.parametrize("name", EMULATED)
def test_boot_banner(name: str, graph: Graph, tmp_path: Path) -> None:
    with started(name, emit(graph), tmp_path) as (_, banner):
        mode, lap, done = banner
        assert (mode, done) == ("m-timestamp-mode-performance", "m-init-done")
        assert int(lap.removeprefix("m-lap-us-")) < 10_000


def crashing(graph: Graph, body: str) -> dict[str, bytes]:
    model = emit(graph)
    head = model["model.c"].decode().split("void ekw_model_run(")[0]
    return {**model, "model.c": f"{head}\n{body}\n".encode()}


UNDEFINED = """
#ifdef __riscv
#define UNDEFINED __asm volatile("unimp")
#else
#define UNDEFINED __asm volatile("udf #0")
#endif
void ekw_model_run(const int8_t *input, int8_t *scores) {
    UNDEFINED;
    *scores = *input;
}"""
ENDLESS = """
static int32_t deeper(volatile int8_t *values, int32_t depth) {
    volatile int8_t copy[64];
    copy[depth & 63] = values[0];
    return depth < 0 ? 0 : deeper(copy, depth + 1) + copy[depth & 31];
}
void ekw_model_run(const int8_t *input, int8_t *scores) {
    (void)input;
    *scores = (int8_t)deeper(scores, 0);
}"""


REASONS = {  # what the core knows of a fault
    "riscv": r"mcause=0000000\d mtval=[0-9a-f]{8}\]",
    "-v6m": r"\]",
    "": r"cfsr=[0-9a-f]{8} hfsr=4[0-9a-f]{7} bfar=[0-9a-f]{8}\]",
}


@pytest.mark.parametrize("name", EMULATED)
@pytest.mark.parametrize(("body", "what"), [(UNDEFINED, r"pc=[0-9a-f]{8}"), (ENDLESS, "stack overflow")])
def test_a_fault_is_reported(name: str, body: str, what: str, graph: Graph, tmp_path: Path) -> None:
    reason = next(text for part, text in REASONS.items() if part in name)
    with started(name, crashing(graph, body), tmp_path) as (line, _):
        line.load(np.zeros((49, 10)))
        line.port.write(b"infer 1 0%")
        answer = line.port.read_until(b"]\r\n").decode("ascii")
        assert re.search(rf"e-\[(HardFault|Trap) {what} ?{reason}", answer), answer


@pytest.mark.slow
@pytest.mark.parametrize("name", EMULATED)
def test_time_is_wider_than_32_bits(name: str, graph: Graph, tmp_path: Path) -> None:
    """More than 2^32 timer ticks of inferences."""
    with started(name, emit(graph), tmp_path) as (line, _):
        line.load(np.zeros((49, 10)))

        def span_us(count: int) -> int:
            laps = [int(text[9:]) for text in line.ask(f"infer {count} 0") if text.startswith("m-lap-us-")]
            return laps[1] - laps[0]

        once = span_us(100) / 100
        count = int(1.1 * 2**32 / board.load(name).timer_hz * 1e6 / once)
        line.port.timeout = 300
        assert span_us(count) == pytest.approx(count * once, rel=1e-4)


def test_host_banner(graph: Graph, tmp_path: Path) -> None:
    """Read without pyserial, which empties the buffer when it opens a device."""
    needs("cc")
    target = board.load("host")
    firmware = build.build(target, emit(graph), tmp_path / "fw")
    with flash.load("host").start(target, firmware.elf) as path:
        device = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            text = b""
            while not text.endswith(READY):
                text += os.read(device, 100)
        finally:
            os.close(device)
    assert re.fullmatch(rb"m-timestamp-mode-performance\r\nm-lap-us-\d+\r\nm-init-done\r\nm-ready\r\n", text)


def test_host_ends_with_its_stdin_even_while_it_computes(graph: Graph, tmp_path: Path) -> None:
    needs("cc")
    firmware = build.build(board.load("host"), emit(graph), tmp_path / "fw")
    with (
        subprocess.Popen([firmware.elf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        serial.Serial(process.stdout.readline().strip(), timeout=30) as port,
    ):
        line = Line(port)
        line.synchronize()
        line.load(np.zeros((49, 10)))
        port.write(b"infer 2000000000 0%")
        assert port.read_until(b"m-lap-us-").endswith(b"m-lap-us-")
        process.stdin.close()
        assert process.wait(10) == 0


PARENT = """
import sys, time
from pathlib import Path
from firmware_io import board, flash
target = board.load(sys.argv[1])
with flash.load(target.flash_tool).start(target, Path(sys.argv[2])) as url:
    print(url, flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("name", ["host", "qemu-an386"])
def test_nothing_is_left_behind_by_a_killed_parent(name: str, graph: Graph, tmp_path: Path) -> None:
    target = board.load(name)
    needs_for(target)
    elf = build.build(target, emit(graph), tmp_path / f"{name}.elf").elf
    with subprocess.Popen([sys.executable, "-c", PARENT, name, str(elf)], stdout=subprocess.PIPE, text=True) as parent:
        url = parent.stdout.readline().strip()
        with serial.serial_for_url(url, timeout=30) as port:
            Line(port).synchronize()
            assert processes_with(elf)
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            wait_until(lambda: not processes_with(elf))


@pytest.mark.parametrize("name", ["host", "qemu-an386"])
def test_nothing_is_left_behind_by_an_exception(name: str, graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), started(name, emit(graph), tmp_path):
        assert processes_with(tmp_path / f"{name}.elf")
        raise ZeroDivisionError
    wait_until(lambda: not processes_with(tmp_path / f"{name}.elf"))


def processes_with(argument: Path) -> list[str]:
    listing = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [text for text in listing.splitlines() if str(argument) in text and "-c" not in text.split()]


def wait_until(condition: Callable[[], bool], patience_s: float = 10.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "still running"
        time.sleep(0.05)


def test_an_emulator_that_dies_at_once_says_why(graph: Graph, tmp_path: Path) -> None:
    needs("qemu-system-arm")
    (tmp_path / "fw.elf").write_bytes(b"not an ELF file")
    wrong = replace(board.load("qemu-an386"), qemu_machine="nonsense")
    with (
        pytest.raises(BoardError, match=r"ended with status 1; it said: .*unsupported machine type"),
        flash.load("qemu").start(wrong, tmp_path / "fw.elf"),
    ):
        pass


def test_an_emulator_that_dies_in_use_says_why(tmp_path: Path) -> None:
    """QEMU takes any file for a program; this one sends the core into lockup."""
    needs("qemu-system-arm")
    target = board.load("qemu-an386")
    (tmp_path / "fw.elf").write_bytes(b"not a program at all, only a few words")
    with (
        pytest.raises(
            BoardError, match=r"should keep running. Got: it ended with status \d+; it said: .*Lockup"
        ) as caught,
        flash.load("qemu").start(target, tmp_path / "fw.elf") as url,
        serial.serial_for_url(url, timeout=10) as port,
    ):
        Line(port).until_ready()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["host", "qemu-an386"])
def test_a_firmware_that_was_not_built_is_said_so(name: str, tmp_path: Path) -> None:
    target = board.load(name)
    with (
        pytest.raises(BoardError, match="gone should be a firmware"),
        flash.load(target.flash_tool).start(target, tmp_path / "gone"),
    ):
        pass


def test_a_program_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "fw").write_text("no program")
    with (
        pytest.raises(BoardError, match=r"should start.*Permission denied"),
        flash.load("host").start(board.load("host"), tmp_path / "fw"),
    ):
        pass
