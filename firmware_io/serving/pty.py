"""A pseudo-terminal as a door. The terminal stays when a client leaves, as the port of a USB cable does.

A client's baud rate has no effect: the bytes pass as fast as both sides take them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import BoardError

_CHUNK = 4096


class Terminal:
    """The server's end of a pseudo-terminal. A client is there while anyone has the other end open.

    The operating system tells only whether it is open now, so a client that comes back between two calls of `poll`
    counts as the same one.
    """

    def __init__(self, ours: int, path: str, link: Path | None) -> None:
        self._ours = ours
        self._path = path
        self._link = link
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        self._client = False

    @property
    def address(self) -> str:
        """The path that clients open: the link, if there is one."""
        return str(self._link or self._path)

    @property
    def url(self) -> str:
        """For --port."""
        return f"serial:{self.address}"

    def fileno(self) -> int:
        """Of the server's end."""
        return self._ours

    def poll(self) -> bool:
        """Whether anyone has the other end open, or has sent something before closing it."""
        events = dict(self._poll.poll(0)).get(self._ours, 0)
        present = bool(events & select.POLLIN) or not events & select.POLLHUP
        if self._client and not present:
            self._reset()
        self._client = present
        return present

    def greet(self, content: bytes) -> None:
        """Put a banner into the terminal, where the first reader finds it."""
        self.write(content)

    def read(self) -> bytes:
        """b"" when the client sent nothing, or has left."""
        try:
            return os.read(self._ours, _CHUNK)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EAGAIN):  # EIO: nobody has the other end open
                return b""
            raise

    def write(self, content: bytes) -> int:
        """0 when the terminal is full."""
        try:
            return os.write(self._ours, content)
        except BlockingIOError:
            return 0

    def refused(self) -> int:
        """None: the operating system lets several programs open one terminal."""
        return 0

    def _reset(self) -> None:
        """Nothing that a client left is there for the next one: unread bytes, echo, a line discipline."""
        with contextlib.suppress(OSError):  # a new client has it for itself already, and set it up
            other = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                tty.setraw(other, termios.TCSANOW)
                termios.tcflush(other, termios.TCIFLUSH)
            finally:
                os.close(other)


@contextmanager
def opened(link: Path | None = None) -> Iterator[Terminal]:
    """A new terminal for a `with` block; `link` points to it. Raises BoardError when there is none, or no link."""
    try:
        ours, other = os.openpty()
    except OSError as error:
        raise BoardError("this computer should have a free pseudo-terminal", got=str(error.strerror)) from error
    try:
        tty.setraw(other, termios.TCSANOW)
        os.set_blocking(ours, False)
        path = os.ttyname(other)
        os.close(other)
        with _linked(link, path):
            yield Terminal(ours, path, link)
    finally:
        os.close(ours)


@contextmanager
def _linked(link: Path | None, path: str) -> Iterator[None]:
    """An earlier link is replaced, also one that a killed server left; any other file is not."""
    if link is None:
        yield
        return
    if link.exists() and not link.is_symlink():
        raise BoardError(f"--link {link} should be free", got="a file that is no link", hint="give another name")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".{link.name}.{os.getpid()}")
        temporary.symlink_to(path)
        temporary.replace(link)
    except OSError as error:
        raise BoardError(f"--link {link} should be writable", got=str(error.strerror)) from error
    try:
        yield
    finally:
        if link.is_symlink() and str(link.readlink()) == path:  # not that of a later server
            link.unlink()
