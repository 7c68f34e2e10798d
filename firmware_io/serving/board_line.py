"""The serial line of a board that runs as a program, as bytes that come and go without waiting."""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import ExitStack
from io import RawIOBase
from pathlib import Path
from typing import cast

from edgekws.errors import BoardError
from firmware_io import flash
from firmware_io.board import Board

READY = b"m-ready\r\n"
"""The end of the boot banner."""
BANNER_S = 20.0
"""An emulated board on a busy computer has its banner out within this time."""
_CHUNK = 4096


class BoardLine:
    """A Transport to the program of `board`, which runs for a `with` block. Raises BoardError when it does not start.

    `write` keeps what the board does not take yet; `flush` sends it on. energy: `elf` is a firmware in energy mode.
    events: its event channel, a byte for each time stamp; empty in other modes.
    """

    def __init__(self, board: Board, elf: Path, energy: bool = False) -> None:
        self._board = board
        self._elf = elf
        self._energy = energy
        self._running = ExitStack()
        self._stream: RawIOBase
        self._unsent = bytearray()
        self.events: tuple[RawIOBase, ...] = ()

    def __enter__(self) -> BoardLine:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def restart(self) -> None:
        """Start the program again, as after a press of the reset button; what was on its way is lost."""
        self._running.close()
        self._unsent.clear()
        tool = flash.load(self._board.flash_tool)
        if self._energy:
            lines = self._running.enter_context(tool.start_with_events(self._board, self._elf))
            self._stream = self._running.enter_context(connected(lines.line))
            self.events = (self._running.enter_context(connected(lines.events)),)
        else:
            url = self._running.enter_context(tool.start(self._board, self._elf))
            self._stream = self._running.enter_context(connected(url))

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._stream.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that the board has not taken yet."""
        return len(self._unsent)

    def edges(self) -> int:
        """How many time stamps the board made since the last call."""
        return sum(len(channel.read(_CHUNK) or b"") for channel in self.events)

    def read(self, timeout_s: float) -> bytes:
        """At least one byte; b"" after `timeout_s` of silence. Raises BoardError when the program has ended."""
        if timeout_s and not select.select([self._stream], [], [], timeout_s)[0]:
            return b""
        try:
            content = self._stream.read(_CHUNK)
        except OSError as error:
            raise self._ended() from error
        if content == b"":
            raise self._ended()
        return content or b""

    def write(self, content: bytes) -> None:
        """Send `content`, now or in a later `flush`."""
        self._unsent += content

    def flush(self) -> None:
        """Send what the board takes now. Raises BoardError when the program has ended."""
        try:
            del self._unsent[: self._stream.write(self._unsent) or 0]
        except OSError as error:
            raise self._ended() from error

    def close(self) -> None:
        """End the program."""
        self._running.close()

    def _ended(self) -> BoardError:
        return BoardError(
            f"the program of {self._board.name} should keep running",
            got="its serial line is closed",
            hint="start it again; if that does not help, try another board (edgekws boards)",
        )


def banner(line: BoardLine) -> bytes:
    """All that the board says until it is ready, b"" included. Raises BoardError when it does not become ready."""
    content, deadline = b"", time.monotonic() + BANNER_S
    while not content.endswith(READY):
        received = line.read(max(0.001, deadline - time.monotonic()))
        content += received
        if not received and time.monotonic() >= deadline:
            hint = "give an --image that speaks MLPerf Tiny's protocol, built for this board"
            got = f"{content[-80:]!r}" if content else f"silence for {BANNER_S:g} s"
            raise BoardError("the board should end its boot banner with m-ready", got=got, hint=hint)
    return content


def connected(url: str) -> RawIOBase:
    """A connection to a launcher's URL, without waiting, and without pyserial, which would empty it.

    Raises BoardError when it cannot be opened.
    """
    try:
        if url.startswith("socket://"):
            host, _, port = url.removeprefix("socket://").rpartition(":")
            with socket.create_connection((host, int(port))) as opened:
                opened.setblocking(False)
                return cast(RawIOBase, opened.makefile("rwb", buffering=0))
        return open(url, "r+b", buffering=0, opener=_terminal)
    except OSError as error:
        raise BoardError(f"the board's serial line {url} should open", got=str(error.strerror or error)) from error


def _terminal(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOCTTY | os.O_NONBLOCK)
