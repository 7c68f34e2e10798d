"""Interface board, meter and board in one thread, until the server is stopped."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import RawIOBase
from pathlib import Path

from firmware_io.board import Board
from firmware_io.serving import Door
from firmware_io.serving.board_line import BoardLine
from firmware_io.serving.energy.interface_board import EmulatedInterfaceBoard
from firmware_io.serving.energy.meter import EmulatedMeter

_TICK_S = 0.002
_CHUNK = 4096
_REAL_TIME = ("-icount", "align=on")
"""QEMU waits when its virtual clock is ahead of this computer's, which the meter's samples follow."""


class EnergySetUp:
    """The board `elf` (energy mode), which runs while the meter feeds it, behind two doors. A context manager.

    report: told what happens, in words.
    """

    def __init__(self, board: Board, elf: Path, interface: Door, meter: Door, report: Callable[[str], None]) -> None:
        self._board = replace(board, qemu_args=(*board.qemu_args, *_REAL_TIME)) if board.qemu_program else board
        self._elf = elf
        self._doors = (interface, meter)
        self._report = report
        self._interface = EmulatedInterfaceBoard()
        self._meter = EmulatedMeter(self._power)
        self._powered = ExitStack()
        self._line: BoardLine | None = None
        self._wire = _Wire()
        self._edges = 0
        self._clients = [False, False]

    def __enter__(self) -> EnergySetUp:
        return self

    def __exit__(self, *_: object) -> None:
        self._powered.close()

    def run(self, stop: Callable[[], bool]) -> None:
        """Serve until `stop` holds. Raises BoardError when the board's program has ended."""
        while not stop():
            self._meter.produce()
            self._notice()
            self._transfer()

    def _power(self, volts: float) -> None:
        """The meter's output."""
        if volts and self._line:
            return
        if self._line:
            self._report(f"power off; {self._edges} edges of the timestamp pin")
        self._powered.close()
        self._line, self._edges, self._wire = None, 0, _Wire()
        if volts:
            self._line = self._powered.enter_context(BoardLine(self._board, self._elf, energy=True))
            self._report(f"power on, {volts:.2f} V")

    def _notice(self) -> None:
        """Say which clients come and go."""
        for number, (name, door) in enumerate(zip(("interface board", "meter"), self._doors, strict=True)):
            present = door.poll()
            if present != self._clients[number]:
                self._report(f"{name}: client {'connected' if present else 'left'}")
            self._clients[number] = present

    def _transfer(self) -> None:
        ends: list[Door | BoardLine | RawIOBase] = []
        ends += [door for door, present in zip(self._doors, self._clients, strict=True) if present]
        ends += [self._line, *self._line.events] if self._line else []
        readable, _, _ = select.select(ends, [], [], _TICK_S)
        self._from_board()
        interface, meter = self._doors
        if interface in readable:
            self._interface.from_host(interface.read())
        if meter in readable:
            self._meter.receive(meter.read())
        self._flush()

    def _from_board(self) -> None:
        if not self._line:
            self._interface.to_device.clear()  # nobody hears it
            return
        for _ in range(self._line.edges()):
            self._edges += 1
            self._meter.edge()
        self._interface.from_device(self._wire.passed(self._line.read(0.0), self._interface.bytes_per_s))
        self._line.write(bytes(self._interface.to_device))
        self._interface.to_device.clear()
        self._line.flush()

    def _flush(self) -> None:
        outgoing = (self._interface.to_host, self._meter.outgoing)
        for door, content, present in zip(self._doors, outgoing, self._clients, strict=True):
            taken = door.write(bytes(content[:_CHUNK])) if present else len(content)  # without a client: to nobody
            del content[:taken]


class _Wire:
    """The serial line from the board to the interface board, as slow as its baud rate.

    Hosts count on it: the answer after the last edge takes a tenth of a second, and the meter's event line comes first.
    """

    def __init__(self) -> None:
        self._content = b""
        self._passed_at = 0.0

    def passed(self, content: bytes, bytes_per_s: float) -> bytes:
        """What has arrived by now. content: what the board sends now."""
        now = time.monotonic()
        if not self._content:
            self._passed_at = now
        self._content += content
        count = min(len(self._content), int((now - self._passed_at) * bytes_per_s))
        self._passed_at += count / bytes_per_s
        arrived, self._content = self._content[:count], self._content[count:]
        return arrived
