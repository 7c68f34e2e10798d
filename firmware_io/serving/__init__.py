"""A board that runs as a program, served to host programs of others as if it were plugged in.

board_line.py   the program (an emulator, or the firmware for this computer) and its serial line
pty.py, tcp.py  where clients come: a door each, found by `door`
relay.py        carries the bytes, one client at a time

The clients are programs that edgekws does not know: MLPerf Tiny's runner, EEMBC's, a terminal. So nothing is added to
what the board sends, nothing is lost or echoed, and a slow reader stops the board and not the server.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from edgekws.errors import ConfigError

_TCP_HINT = "for example --tcp 127.0.0.1:4000, or port 0 for a free one"


class Door(Protocol):
    """Where clients come, one at a time. Nothing here waits."""

    @property
    def address(self) -> str:
        """What a client opens: the path of a terminal, or HOST:PORT."""

    @property
    def url(self) -> str:
        """The same for `--port` of edgekws."""

    def poll(self) -> bool:
        """Whether a client is there; clients come and go in this call, and leave in `read` and `write` too."""

    def fileno(self) -> int:
        """The descriptor to wait for, while a client is there."""

    def greet(self, content: bytes) -> None:
        """Keep a boot banner for the next client."""

    def read(self) -> bytes:
        """What the client sent; b"" when that is nothing, or when it has left."""

    def write(self, content: bytes) -> int:
        """How many bytes the client's side accepted."""

    def refused(self) -> int:
        """How many clients were turned away since the last call, because another one was there."""


def door(tcp: str = "", link: Path | None = None) -> AbstractContextManager[Door]:
    """A pseudo-terminal, or with `tcp` ("HOST:PORT") a port of the network, open for a `with` block.

    link: a symbolic link to the terminal, whose name changes from start to start. Raises ConfigError for a malformed
    address or both, BoardError when the address cannot be had.
    """
    if not tcp:
        from firmware_io.serving import pty

        return pty.opened(link)
    from firmware_io.serving import tcp as network

    if link is not None:
        raise ConfigError("--link names a pseudo-terminal", got="--tcp too", hint="leave out one")
    host, separator, port = tcp.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 0xFFFF:
        raise ConfigError("--tcp should be HOST:PORT", got=tcp, hint=_TCP_HINT)
    return network.opened(host, int(port))
