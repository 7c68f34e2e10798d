"""Carries bytes between a board and the client at the door, in one thread, with bounded buffers.

    client -> door -> BoardLine (takes what the emulated UART has room for) -> board
    board -> Relay (64 KB) -> door -> client

A side whose buffer is full is not read, so that the pressure reaches the other side. What a board says while nobody
is there is dropped, as an unopened serial port does; only a boot banner waits for the next client.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware_io.serving import Door
from firmware_io.serving.board_line import BoardLine, banner
from firmware_io.transport import Transport

LIMIT_BYTES = 1 << 16
_TICK_S = 0.01
"""How long a client that comes may wait for its first byte: a terminal does not announce it."""


@dataclass(frozen=True)
class Visit:
    """What one client did. received, sent: bytes from and to it. seconds: None while it is there."""

    number: int
    received: int = 0
    sent: int = 0
    seconds: float | None = None


class Report(Protocol):
    """Told of every client: when it comes, when it has left, and when it was turned away (None)."""

    def __call__(self, visit: Visit | None) -> None: ...


class Relay:
    """Serves `line` at `door`.

    transport: `line` itself, or a Spy around it that records. reset: start the board again whenever a client has left,
    so that each one finds a board that has just started, with its banner.
    """

    def __init__(
        self, line: BoardLine, door: Door, report: Report, transport: Transport | None = None, reset: bool = False
    ) -> None:
        self._line = line
        self._door = door
        self._report = report
        self._transport: Transport = transport or line
        self._reset = reset
        self._to_client = bytearray()
        self._clients = 0
        self._client: _Client | None = None

    def greet(self) -> str:
        """Wait for the boot banner and keep it for the first client; returns it. Raises BoardError without one.

        Only then may the address be told: a client whose first command met the banner would be one answer behind.
        """
        content = banner(self._line)
        self._door.greet(content)
        return content.decode("latin-1")

    def run(self, stop: Callable[[], bool]) -> None:
        """Serve until `stop` holds. Raises BoardError when the board's program has ended."""
        while not stop():
            self._admit()
            self._transfer()
        if self._client:
            self._left(self._client)

    def _admit(self) -> None:
        present = self._door.poll()
        if self._client and not present:
            self._left(self._client)
        if not self._client and present:
            self._clients += 1
            self._client = _Client(self._clients, time.monotonic())
            self._report(Visit(self._clients))
        for _ in range(self._door.refused()):
            self._report(None)

    def _left(self, client: _Client) -> None:
        self._client = None
        self._to_client.clear()
        self._report(Visit(client.number, client.received, client.sent, time.monotonic() - client.since))
        if self._reset:
            self._line.restart()
            self.greet()

    def _transfer(self) -> None:
        """Wait for the next bytes, at most one tick, and carry them as far as there is room."""
        readers: list[BoardLine | Door] = [self._line] if len(self._to_client) < LIMIT_BYTES else []
        writers: list[BoardLine | Door] = [self._line] if self._line.unsent else []
        if self._client and self._line.unsent < LIMIT_BYTES:
            readers.append(self._door)
        if self._client and self._to_client:
            writers.append(self._door)
        readable, _, _ = select.select(readers, writers, [], _TICK_S)
        if self._client and self._door in readable:
            self._from_client(self._client)
        if self._line in readable:
            self._from_board()
        if self._line.unsent:
            self._line.flush()
        self._flush_client()

    def _from_client(self, client: _Client) -> None:
        content = self._door.read()
        if content:
            client.received += len(content)
            self._transport.write(content)

    def _from_board(self) -> None:
        content = self._transport.read(0.0)
        if not self._client:
            self._admit()  # before the bytes are dropped: a client may have come since
        if self._client:
            self._to_client += content

    def _flush_client(self) -> None:
        if self._client and self._to_client:
            taken = self._door.write(bytes(self._to_client))
            self._client.sent += taken
            del self._to_client[:taken]


@dataclass
class _Client:
    """The client that is there. received, sent: bytes from and to it."""

    number: int
    since: float
    received: int = 0
    sent: int = 0
