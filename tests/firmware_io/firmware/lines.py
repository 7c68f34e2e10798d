"""Boards that need no hardware, and a serial line to each: what the tests of the firmware share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial

from edgekws.emit.c import emit
from edgekws.graph.ir import Graph
from firmware_io import board, build, flash, tools
from firmware_io.ports.opening import open_serial

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
        open_serial(url, baudrate=target.baud, timeout=120) as port,
    ):
        line = Line(port)
        banner = line.until_ready() if tool.CAPABILITIES.sees_banner else line.synchronize()
        yield line, banner or []


def crashing(graph: Graph, body: str) -> dict[str, bytes]:
    model = emit(graph)
    head = model["model.c"].decode().split("void ekw_model_run(")[0]
    return {**model, "model.c": f"{head}\n{body}\n".encode()}
