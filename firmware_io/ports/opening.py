"""A pyserial port as a Transport, shared by all schemes that end at a serial port, a pty or a socket."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.errors import BoardError
from firmware_io.ports.holders import open_error

if TYPE_CHECKING:
    import serial


READ_BYTES = 4096
WRITE_TIMEOUT_S = 10.0
"""Longest time in which a port must accept what is written; a command has only 80 bytes."""
_POLL_S = 0.001  # Windows cannot select() on a COM port
_DISCARDS = ("reset_input_buffer", "_reset_input_buffer")
"""Called by open() of pyserial: the first of sockets and of RFC 2217, the second of serial ports."""


class Port:
    """An open pyserial port with timeout 0: its `read` returns at once with the bytes that are there.

    url: names the port in errors. All methods raise BoardError when the connection has ended.
    """

    def __init__(self, port: serial.SerialBase, url: str) -> None:
        self._port = port
        self._url = url

    def read(self, timeout_s: float) -> bytes:
        """At least one byte, at most READ_BYTES; b"" only after `timeout_s` of silence."""
        deadline = time.monotonic() + timeout_s
        with _connection_errors(self._url):
            while not (content := bytes(self._port.read(READ_BYTES))):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return b""
                self._wait(remaining)
        return content

    def write(self, content: bytes) -> None:
        """Send all of `content`. Raises BoardError when the port accepts nothing for WRITE_TIMEOUT_S."""
        with _connection_errors(self._url):
            self._port.write(content)

    def set_baud(self, baud: int) -> None:
        """Change the baud rate after all pending output was sent. Has no effect on sockets."""
        with _connection_errors(self._url):
            self._port.flush()
            self._port.baudrate = baud

    def close(self) -> None:
        """Close the port; further calls of `close` do nothing."""
        self._port.close()

    def _wait(self, seconds: float) -> None:
        if os.name == "nt":
            time.sleep(min(seconds, _POLL_S))
        else:
            select.select([self._port], [], [], seconds)


def open_serial(url: str, **settings: bool | float | None) -> serial.SerialBase:
    """`serial.serial_for_url`, except that a port keeps what it receives while it is being opened.

    pyserial discards these bytes at the end of `open()`. An emulated board starts at the moment of the connection, so
    on a busy computer its boot banner would be lost; what waits in a pseudo-terminal would always be. On Windows a COM
    port still discards them. settings: pyserial's, such as `baudrate` and `timeout` in seconds.

    Raises serial.SerialException, or ValueError for a URL or setting that pyserial does not know.
    """
    import serial

    port = serial.serial_for_url(url, do_not_open=True, **settings)
    if url.lower().startswith("socket://"):
        port.close = partial(_close_socket, port)
    discards = [name for name in _DISCARDS if hasattr(port, name)]
    for name in discards:
        setattr(port, name, lambda: None)  # of this port only
    try:
        port.open()
    finally:
        for name in discards:
            delattr(port, name)
    return port


def _close_socket(port: Any) -> None:  # noqa: ANN401 - pyserial has no types
    """pyserial sleeps for 0.3 s after this, for servers that take one client after the other.

    An emulated board has one client in its life, and a program here opens another connection only when it starts.
    """
    if not port.is_open:
        return
    port.is_open = False
    with suppress(OSError):  # the other side has ended it already
        port._socket.shutdown(socket.SHUT_RDWR)
    port._socket.close()


@contextmanager
def open_port(url: str, baud: int = 9600, exclusive: bool | None = None) -> Iterator[Port]:
    """Open a pyserial URL or device path for a `with` block. `baud` has no effect on sockets and ptys.

    exclusive: lock the port against other programs (POSIX only). Raises BoardError with the reason and the remedy.
    """
    import serial

    try:
        raw = open_serial(url, baudrate=baud, exclusive=exclusive, timeout=0, write_timeout=WRITE_TIMEOUT_S)
    except (serial.SerialException, ValueError, OSError) as error:
        raise open_error(url, error) from error
    port = Port(raw, url)
    try:
        yield port
    finally:
        port.close()


@contextmanager
def _connection_errors(url: str) -> Iterator[None]:
    """Turns the errors of pyserial and of the operating system into BoardError."""
    import serial

    try:
        yield
    except serial.SerialTimeoutException as error:
        raise BoardError(
            f"{url} should accept what is sent",
            got=f"nothing was accepted for {WRITE_TIMEOUT_S:g} s",
            hint="check power and cable, and that flow control is off; plug the board in again",
        ) from error
    except (serial.SerialException, OSError) as error:
        unplugged = url.startswith("/") and not Path(url).exists()
        raise BoardError(
            f"{url} should stay connected",
            got=f"the connection ended ({'the port is gone: it was unplugged' if unplugged else error})",
            hint="check cable and power; if the board is emulated, the emulator has stopped and its messages are above",
        ) from error
