"""A streamed model on an emulated board: its scores, and the instructions of each step and node."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.emit import c
from edgekws.emit.c import stream, text
from edgekws.graph.ir import Graph
from edgekws.graph.stream.plan import plan
from firmware_io import build, tools
from firmware_io.board import Board
from firmware_io.flash.qemu import command

_LARGE = {"EKW_FLASH_BYTES": 1 << 20, "EKW_RAM_BYTES": 1 << 18, "EKW_STACK_BYTES": 4096}
_NODE = re.compile(r"^    /\* .* \*/$", re.MULTILINE)
_MARKS = """
#include "port/port.h"
static uint64_t marks[{count}];
static uint64_t marked;
static void mark(int32_t number) {{
    const uint64_t now = ekw_port_ticks();
    marks[number] += now - marked;
    marked = now;
}}
"""
_LINE = 120.0
"""Seconds until a board must have run all rows."""


@dataclass(frozen=True)
class Ran:
    """scores: int8 [steps, labels]; instructions: of each step, and of each node in all steps."""

    scores: np.ndarray
    instructions: np.ndarray
    of_nodes: dict[str, float]
    flash_bytes: int
    ram_bytes: int


def run(board: Board, graph: Graph, rows: np.ndarray, min_ram: bool = False, marks: bool = False) -> Ran:
    """rows: int8 [n, coefficients]. marks: measure each node; it costs some instructions."""
    names = [node.name for node in graph.nodes]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, graph, rows, min_ram, len(names) if marks else 0)
        elf = _built(board, folder)
        printed = lines(command(board, elf))
        sizes = build.sizes(board, elf)
    steps = [line.split() for line in printed if " " in line]
    scores = np.array([np.frombuffer(bytes.fromhex(first), np.int8) for first, _ in steps])
    per_tick = 1e9 / board.timer_hz / (1 << board.icount_shift)
    counted = np.array([int(ticks, 16) for _, ticks in steps]) * per_tick
    count = plan(graph).step_rows
    each = [int(line[1:], 16) * per_tick / (len(rows) / count) for line in printed if line.startswith("=")]
    named = dict(zip(["moves", *names], each, strict=False))
    return Ran(scores, counted, named, sizes[0] + sizes[1] - rows.size, sizes[1] + sizes[2])


def _write(folder: Path, graph: Graph, rows: np.ndarray, min_ram: bool, marks: int) -> None:
    files = {**c.emit(graph, min_ram), **stream.emit(graph, min_ram)}
    source = files.pop("model_stream.c").decode()
    if marks:
        source = _with_marks(source)
    head = _MARKS.format(count=marks + 2)
    unused = "" if marks else "static void (*const unused)(int32_t) = mark;\n"
    files["model_stream_marked.h"] = (
        source.replace('#include "model_stream.h"\n', '#include "model_stream.h"\n' + head + unused, 1).encode()
    )  # fmt: skip
    files["rows.h"] = (
        f"#define ROWS {len(rows)}\n#define MARKS {marks + 1 if marks else 0}\n"
        f"#include <stdint.h>\nstatic const int8_t rows[{rows.size}] = {text.integers(rows.ravel().tolist())};\n"
    ).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _with_marks(source: str) -> str:
    head, step = source.split("static void run_step", 1)
    numbers = iter(range(1000))
    body, rest = step.split("\n}\n", 1)
    body = _NODE.sub(lambda _: f"    mark({next(numbers)});", body.replace("{\n", "{\n    mark(MARKS);\n", 1))
    return f"{head}static void run_step{body}\n    mark({next(numbers)});\n}}\n{rest}"


def _built(board: Board, folder: Path) -> Path:
    elf, runner = folder / "runner.elf", Path(__file__).with_name("stream_runner.c")
    files = [str(runner), *map(str, build.sources(board.port))]
    origin = {"EKW_RAM_ORIGIN": 0x8020_0000} if board.cpu.startswith("rv") else {}
    line = build.compile_line(board, files, {**board.symbols, **_LARGE, **origin})
    options = ["-Wno-unused-variable", "-Wno-unused-const-variable"]
    tools.run([*line, f"-I{folder}", *options, "-o", str(elf)], "the runner should compile", "see the message")
    return elf


def lines(words: list[str]) -> list[str]:
    """What the board prints until its line of one dot."""
    words = [("stdio" if word.startswith("tcp:") else word) for word in words]
    words = [word.replace("sleep=on", "sleep=off") for word in words]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line.strip())
            if printed[-1] == ".":
                break
        process.kill()
    return printed
