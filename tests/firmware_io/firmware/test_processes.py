"""Programs that are boards: how they start, their errors, and that none is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import emit
from edgekws.errors import BoardError
from edgekws.graph.ir import Graph
from firmware_io import board, build, flash
from firmware_io.ports.opening import open_serial
from tests.firmware_io.devices.waiting import wait_until
from tests.firmware_io.firmware.lines import READY, Line, needs, needs_for, started


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
        open_serial(process.stdout.readline().strip(), timeout=30) as port,
    ):
        line = Line(port)
        line.synchronize()
        line.load(np.zeros((49, 10)))
        port.write(b"infer 2000000000 0%")
        assert port.read_until(b"m-lap-us-").endswith(b"m-lap-us-")
        process.stdin.close()
        assert process.wait(60) == 0


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
        with open_serial(url, timeout=30) as port:
            Line(port).synchronize()
            assert processes_with(elf)
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            wait_until(lambda: not processes_with(elf))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_behind_by_a_signal_to_the_group(number: int, graph: Graph, tmp_path: Path) -> None:
    """As `timeout` and a closed terminal send it: to the parent and to the guard of its emulator."""
    target = board.load("qemu-an386")
    needs_for(target)
    elf = build.build(target, emit(graph), tmp_path / "group.elf").elf
    command = [sys.executable, "-c", PARENT, target.name, str(elf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        url = parent.stdout.readline().strip()
        with open_serial(url, timeout=30) as port:
            Line(port).synchronize()
            os.killpg(parent.pid, number)
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


def test_an_emulator_that_dies_at_once_says_why(graph: Graph, tmp_path: Path) -> None:
    needs("qemu-system-arm")
    (tmp_path / "fw.elf").write_bytes(b"not an ELF file")
    wrong = replace(board.load("qemu-an386"), qemu_machine="nonsense")
    with (
        pytest.raises(BoardError, match=r"ended with status 1; output: .*unsupported machine type"),
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
            BoardError, match=r"should keep running. Got: it ended with status \d+; output: .*Lockup"
        ) as caught,
        flash.load("qemu").start(target, tmp_path / "fw.elf") as url,
        open_serial(url, timeout=10) as port,
    ):
        Line(port).until_ready()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["host", "qemu-an386"])
def test_a_firmware_that_was_not_built_is_an_error(name: str, tmp_path: Path) -> None:
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
