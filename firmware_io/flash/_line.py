"""A serial line to a boot loader: exact reads within a time, and a rate that can change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgekws.errors import ConfigError
from firmware_io.ports.opening import Port, open_port

BITS_PER_BYTE = 10
"""8N1: a start bit, eight of data, a stop bit."""


class Line:
    """`patience_s`: how long an answer may take beyond its time on the wire."""

    def __init__(self, port: Port, baud: int, patience_s: float) -> None:
        self._port = port
        self._waiting = bytearray()
        self.baud = baud
        self.patience_s = patience_s

    def write(self, content: bytes) -> None:
        self._port.write(content)

    def read(self, count: int, extra_s: float = 0.0, sent: int = 0) -> bytes:
        """`count` bytes, or fewer when they do not come. extra_s: for work of the device; sent: bytes under way."""
        while len(self._waiting) < count:
            on_the_wire = (count - len(self._waiting) + sent) * BITS_PER_BYTE / self.baud
            received = self._port.read(on_the_wire + self.patience_s + extra_s)
            if not received:
                break
            self._waiting += received
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken

    def peek(self, wait_s: float) -> bool:
        """Whether anything comes within `wait_s`; it stays to be read."""
        if not self._waiting:
            self._waiting += self._port.read(wait_s)
        return bool(self._waiting)

    def push_back(self, content: bytes) -> None:
        """To be read again."""
        self._waiting[:0] = content

    def drain(self, quiet_s: float = 0.0) -> bytes:
        """What came until nothing came for `quiet_s`."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        while received := self._port.read(quiet_s):
            taken += received
        return taken

    def set_baud(self, baud: int) -> None:
        """What is on its way out leaves at the old rate. Means nothing to sockets."""
        self._port.set_baud(baud)
        self.baud = baud


@contextmanager
def opened(url: str, baud: int, patience_ms: str) -> Iterator[Line]:
    """`url`: a path or pyserial URL. Raises ConfigError without one, BoardError when it cannot be opened."""
    if not url:
        raise ConfigError("this tool needs the serial port of the board", got="none", hint="--port /dev/ttyACM0")
    with open_port(url, baud, exclusive=None if "://" in url else True) as port:
        yield Line(port, baud, number("patience_ms", patience_ms, 1, 60_000) / 1000)


def number(name: str, text: str, lowest: int, highest: int) -> int:
    """An option's decimal or 0x number. Raises ConfigError."""
    try:
        value = int(text, 0)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise ConfigError(f"option {name} should be a number from {lowest} to {highest}", got=repr(text))
    return value
