"""The firmware in energy mode: time stamps are edges on a channel of their own, and no times are printed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import serial

from edgekws.emit.c import emit
from edgekws.errors import BoardError, ConfigError
from edgekws.graph import interp, softmax
from edgekws.graph.ir import Graph
from firmware_io import board, build, flash, tools
from firmware_io.ports.opening import open_serial
from tests.conftest import random_graph
from tests.firmware_io.devices.waiting import wait_until
from tests.firmware_io.firmware.lines import Line, needs, needs_for

ENERGY = {name: board.load(name) for name in board.names() if board.load(name).energy_edge}
ABLE = sorted({entry.port: name for name, entry in reversed(ENERGY.items()) if entry.how != "measured"}.values())
"""A board for each port that runs here."""
QUIET_S = 0.15
"""So long no further edge comes."""


@dataclass
class Device:
    name: str
    line: Line
    events: serial.SerialBase
    banner: list[str]

    def edges(self, expected: int) -> int:
        """How many have come: waits for so many, then whether there are more."""
        self.events.timeout = 10
        come = len(self.events.read(expected))
        self.events.timeout = QUIET_S
        more = self.events.read(100)
        assert set(more) <= {ord("T")}
        return come + len(more)


@contextmanager
def running(name: str, graph: Graph, folder: Path) -> Iterator[Device]:
    target = board.load(name)
    needs_for(target)
    tool = flash.load(target.flash_tool)
    elf = build.build(target, emit(graph), folder / f"{name}.elf", energy=True).elf
    with (
        tool.start_with_events(target, elf) as lines,
        open_serial(lines.events, timeout=10) as events,
        open_serial(lines.line, baudrate=target.energy_baud, timeout=30) as port,
    ):
        line = Line(port)
        banner = line.until_ready() if tool.CAPABILITIES.sees_banner else line.synchronize()
        yield Device(name, line, events, banner or [])


@pytest.fixture(scope="module", params=ABLE)
def device(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    with running(request.param, random_graph(seed=0), tmp_path_factory.mktemp("energy")) as device:
        yield device


def test_the_banner_names_the_mode_without_an_edge(device: Device) -> None:
    assert device.banner == ([] if device.name == "host" else ["m-timestamp-mode-energy", "m-init-done"])
    assert device.edges(0) == 0


def test_a_time_stamp_is_an_edge_without_text(device: Device) -> None:
    for count in (1, 3):
        assert [device.line.ask("timestamp") for _ in range(count)] == [[]] * count
        assert device.edges(count) == count


def test_an_inference_has_two_edges_and_no_lap_lines(device: Device) -> None:
    device.line.load(np.zeros((49, 10)))
    for count, warmups in ((1, 0), (20, 3)):
        *order, results = device.line.ask(f"infer {count} {warmups}")
        started, done = f"m-infer-start-{count}", "m-infer-done"
        assert order == [f"m-warmup-start-{warmups}", "m-warmup-done", started, done]
        assert results.startswith("m-results-[")
        assert device.edges(2) == 2


def test_the_edges_lie_around_the_inferences(device: Device) -> None:
    """While they run one edge has come, when they are done two; none comes while it warms up."""
    device.line.load(np.zeros((49, 10)))
    once_s = seconds(lambda: device.line.ask("infer 100 0")) / 100
    device.edges(2)
    many = max(1, int(1.0 / once_s))
    while (edges := edges_around(device, many)) is None:
        many *= 2  # this computer is busy
    assert edges == (0, 1, 1)


def edges_around(device: Device, many: int) -> tuple[int, int, int] | None:
    """Edges while it warms up, from then on while it infers, and after; None when the board was ahead of the test."""
    port = device.line.port
    port.write(f"infer {many} {many}%".encode())
    assert port.read_until(b"m-warmup-start-%d\r\n" % many).endswith(b"\r\n")
    warming, in_time = device.edges(0), is_silent(port)
    assert port.read_until(b"m-infer-start-%d\r\n" % many).endswith(b"\r\n")
    inferring, in_time = device.edges(1), in_time and is_silent(port)
    assert port.read_until(b"m-infer-done\r\n").endswith(b"m-infer-done\r\n")
    after = device.edges(2 - warming - inferring)
    device.line.until_ready()
    assert warming + inferring + after == 2
    return (warming, inferring, after) if in_time else None


def is_silent(port: serial.SerialBase) -> bool:
    """Whether the board has said nothing since; what it says just after an edge has arrived by now."""
    time.sleep(QUIET_S)
    return not port.in_waiting


def seconds(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def test_refused_inferences_have_no_edge(device: Device) -> None:
    for command in ("infer 0", "infer 1 -1", "db load 3", "infer 1 0"):
        device.line.ask(command)
    assert device.edges(0) == 0


def test_answers_equal_the_interpreter(device: Device) -> None:
    graph = random_graph(seed=0)
    features = np.random.default_rng(3).integers(-128, 128, (3, 49, 10)).astype(np.int8)
    expected = interp.run(graph, features)
    for tensor, scores, permille in zip(features, expected, softmax.permille(expected, graph.score_scale), strict=True):
        device.line.load(tensor)
        text = ",".join(f"{p // 1000}.{p % 1000:03d}" for p in permille)
        assert device.line.ask("infer 1 0")[-1] == f"m-results-[{text}]"
        assert device.line.ask("raw")[0] == f"m-raw-[{','.join(map(str, scores))}]"
        assert device.edges(2) == 2


def test_commands_that_need_a_clock_are_absent(device: Device) -> None:
    assert device.line.ask("layers") == ["e-[Unknown command: layers]"]
    listed = [text.split(" : ")[0] for text in device.line.ask("help")[2:-1]]
    reference = ["help", "name", "profile", "timestamp", "db", "infer", "results"]
    assert listed == [*reference, "check", "image", "raw", "memory"]


def test_the_firmware_runs_without_a_reader_of_the_edges(tmp_path: Path, graph: Graph) -> None:
    """Started without events: more of them than a terminal holds."""
    needs("cc")
    target = board.load("host")
    elf = build.build(target, emit(graph), tmp_path / "fw", energy=True).elf
    with flash.load("host").start(target, elf) as url, open_serial(url, timeout=30) as port:
        line = Line(port)
        line.synchronize()
        for _ in range(120):
            port.write(b"timestamp%" * 50)
            assert [line.until_ready() for _ in range(50)] == [[]] * 50


@pytest.mark.parametrize("name", [name for name, entry in ENERGY.items() if entry.how != "computed"])
def test_the_image_has_no_clock(name: str, graph: Graph, tmp_path: Path) -> None:
    """Smaller than the other mode's, too: what is not called is not linked."""
    target = board.load(name)
    nm = target.compiler.removesuffix("gcc").removesuffix("cc") + "nm"
    needs(target.compiler, nm)
    images = [build.build(target, emit(graph), tmp_path / f"{energy}.elf", energy) for energy in (False, True)]
    assert images[1].flash_bytes < images[0].flash_bytes
    performance, energy = (tools.run([nm, str(image.elf)], "nm should read an image", "") for image in images)
    assert "ekw_port_ticks" in performance and "ekw_port_edge" not in performance
    assert "ekw_port_ticks" not in energy and "ekw_port_edge" in energy


def test_a_board_without_a_channel_for_edges_is_refused(graph: Graph, tmp_path: Path) -> None:
    target = board.load("qemu-riscv32")
    with pytest.raises(ConfigError, match=r"energy_edge in qemu-riscv32\.toml.*host, .*qemu-an386"):
        build.build(target, emit(graph), tmp_path / "fw.elf", energy=True)
    assert not (tmp_path / "fw.elf").exists()
    (tmp_path / "fw.elf").write_bytes(b"")
    with (
        pytest.raises(ConfigError, match="energy_edge"),
        flash.load("qemu").start_with_events(target, tmp_path / "fw.elf"),
    ):
        pass


def test_a_firmware_in_performance_mode_has_no_events(graph: Graph, tmp_path: Path) -> None:
    needs("cc")
    target = board.load("host")
    elf = build.build(target, emit(graph), tmp_path / "fw").elf
    tool = flash.load("host")
    with (
        pytest.raises(BoardError, match="energy-mode firmware of host should start and print"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("firmware_io.flash._process.START_TIMEOUT_S", 0.5)
        with tool.start_with_events(target, elf):
            pass


def test_an_emulator_that_dies_at_once_says_why(tmp_path: Path) -> None:
    needs("qemu-system-arm")
    (tmp_path / "fw.elf").write_bytes(b"not an ELF file")
    wrong = replace(board.load("qemu-an386"), qemu_machine="nonsense")
    with (
        pytest.raises(BoardError, match=r"ended with status 1; output: .*unsupported machine type"),
        flash.load("qemu").start_with_events(wrong, tmp_path / "fw.elf"),
    ):
        pass


@pytest.mark.parametrize("name", ["host", "qemu-an386"])
def test_no_process_is_left_behind(name: str, graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(name, graph, tmp_path):
        assert processes_with(tmp_path / f"{name}.elf")
        raise ZeroDivisionError
    wait_until(lambda: not processes_with(tmp_path / f"{name}.elf"), "still running")


def processes_with(argument: Path) -> list[str]:
    listing = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [text for text in listing.splitlines() if str(argument) in text]
