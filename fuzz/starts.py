"""Starts of emulated boards: every boot banner arrives whole, and the first `name%` is answered right.

Each start is one process of the emulator, opened as the product opens it, in performance mode and, where the board has
one, in energy mode, in turn. Several at a time, so that emulator and host are in each other's way.
"""

from __future__ import annotations

import multiprocessing
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgekws.emit.c import emit
from edgekws.errors import EdgeKwsError
from firmware_io import board as boards
from firmware_io.board import Board
from firmware_io.build import build
from firmware_io.flash import qemu
from firmware_io.ports.opening import Port, open_port
from fuzz import faults

PATIENCE_S = 60.0
_READY = b"m-ready\r\n"
_BANNERS = {
    False: re.compile(rb"m-timestamp-mode-performance\r\nm-lap-us-\d+\r\nm-init-done\r\nm-ready\r\n"),
    True: re.compile(rb"m-timestamp-mode-energy\r\nm-init-done\r\nm-ready\r\n"),
}
_REPORT_S = 30.0


@dataclass(frozen=True)
class Kind:
    """What is started: a board with the firmware in `elf`. energy: the mode of that firmware."""

    board: str
    energy: bool
    elf: Path

    def __str__(self) -> str:
        return f"{self.board}{', energy mode' if self.energy else ''}"


def run(runs: int, processes: int, report: Callable[[str], None]) -> bool:
    """Start boards `runs` times, `processes` at a time; True when no banner and no answer was lost."""
    counts: Counter[str] = Counter()
    losses: list[str] = []
    with tempfile.TemporaryDirectory(prefix="edgekws-starts-") as folder:
        kinds = _kinds(Path(folder))
        if not kinds:
            report("no emulator is installed: nothing was started")
            return False
        reported_s = time.monotonic()
        for kind, loss in _starts(kinds, runs, processes):
            counts[str(kind)] += 1
            if loss:
                losses.append(f"LOST at start {counts.total()}, {kind}: {loss}")
                report(losses[-1])
            if time.monotonic() - reported_s > _REPORT_S:
                reported_s = time.monotonic()
                report(f"{counts.total()} starts, {len(losses)} lost")
    for name, count in sorted(counts.items()):
        report(f"{name}: {count} starts")
    report(f"{counts.total()} starts, {processes} at a time: {len(losses)} lost")
    return not losses


def _kinds(folder: Path) -> list[Kind]:
    """The firmware of every board that this computer can build and emulate."""
    model, kinds = emit(faults.wide_graph()), []
    for board in map(boards.load, boards.names()):
        if board.flash_tool != "qemu" or not all(map(shutil.which, (board.compiler, board.qemu_program))):
            continue
        for energy in (False, True) if board.energy_edge else (False,):
            elf = build(board, model, folder / f"{board.name}-{energy}.elf", energy).elf
            kinds.append(Kind(board.name, energy, elf))
    return kinds


def _starts(kinds: list[Kind], runs: int, processes: int) -> Iterator[tuple[Kind, str]]:
    work = [kinds[number % len(kinds)] for number in range(runs)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from zip(work, pool.map(start, work, chunksize=5), strict=True)


def start(kind: Kind) -> str:
    """One start. Returns what was lost, "" for nothing."""
    board = boards.load(kind.board)
    try:
        with ExitStack() as stack:
            return _loss(stack.enter_context(open_port(_url(kind, board, stack))), kind)
    except EdgeKwsError as error:
        return str(error)


def _url(kind: Kind, board: Board, stack: ExitStack) -> str:
    """Of the serial line. In energy mode the events are read by nobody, but the board waits for their client."""
    if not kind.energy:
        return stack.enter_context(qemu.start(board, kind.elf))
    lines = stack.enter_context(qemu.start_with_events(board, kind.elf))
    stack.enter_context(open_port(lines.events))
    return lines.line


def _loss(port: Port, kind: Kind) -> str:
    banner = _answer(port)
    if not _BANNERS[kind.energy].fullmatch(banner):
        port.write(b"name%")
        return f"the banner was {banner!r}, and then `name%` was answered with {_answer(port)!r}"
    port.write(b"name%")
    answer, expected = _answer(port), b"m-name-dut-[edgekws-%s]\r\n%s" % (kind.board.encode(), _READY)
    return "" if answer == expected else f"`name%` was answered with {answer!r}"


def _answer(port: Port) -> bytes:
    """Up to m-ready, or what arrived within PATIENCE_S."""
    content, deadline = b"", time.monotonic() + PATIENCE_S
    while not content.endswith(_READY) and (part := port.read(max(0.0, deadline - time.monotonic()))):
        content += part
    return content
