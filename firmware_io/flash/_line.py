"""A serial line to a boot loader: reads of an exact size with a time-out, and a variable baud rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgekws.errors import ConfigError
from firmware_io.ports.opening import Port, open_port

BITS_PER_BYTE = 10
"""8N1: one start bit, eight data bits, one stop bit."""


class Line:
    """A port with buffered reads. patience_s: how long an answer may take beyond its transmission time."""

    def __init__(self, port: Port, baud: int, patience_s: float) -> None:
        self._port = port
        self._waiting = bytearray()
        self.baud = baud
        self.patience_s = patience_s

    def write(self, content: bytes) -> None:
        self._port.write(content)

    def read(self, count: int, extra_s: float = 0.0, sent: int = 0) -> bytes:
        """`count` bytes, or fewer after the time-out. extra_s: for the device's work; sent: bytes still being sent."""
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
        """Whether anything arrives within `wait_s`; it can still be read."""
        if not self._waiting:
            self._waiting += self._port.read(wait_s)
        return bool(self._waiting)

    def push_back(self, content: bytes) -> None:
        """Return bytes to the front of the buffer."""
        self._waiting[:0] = content

    def drain(self, quiet_s: float = 0.0) -> bytes:
        """Everything that arrives until there is silence for `quiet_s`."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        while received := self._port.read(quiet_s):
            taken += received
        return taken

    def set_baud(self, baud: int) -> None:
        """Change the baud rate after all pending output was sent. Has no effect on sockets."""
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
    """The value of an option, a decimal or 0x number. Raises ConfigError outside lowest..highest."""
    try:
        value = int(text, 0)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise ConfigError(f"option {name} should be a number from {lowest} to {highest}", got=repr(text))
    return value
