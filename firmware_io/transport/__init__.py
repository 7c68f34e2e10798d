"""Byte streams to a device: one file per URL scheme, found by the file's name.

serial:/dev/ttyACM0[?baud=115200]   a port of this machine (COM3 on Windows)
serial:0483:374b                    the same by USB id, serial:sn=... by serial number, serial:board=... by board
tcp:HOST:PORT                       a serial port on the network
qemu:BOARD                          the board emulated by QEMU, started with a firmware ELF
host:                               the firmware compiled for this machine, started on a pty
io:URL[?baud=N&dialect=eembc|mlc]   a device behind an IO manager of MLPerf's energy set-up
spy:FILE:URL                        any of these, recorded
replay:FILE                         traffic that was recorded, played back
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from edgekws import plugins
from edgekws.errors import ConfigError
from firmware_io import ports

_HINT = "for a serial port write its path, for example /dev/ttyACM0"


class Transport(Protocol):
    """A stream of bytes in both directions."""

    def read(self, timeout_s: float) -> bytes:
        """Give what arrived, at least one byte; b"" only when `timeout_s` passed in silence.

        Raises BoardError when the other side is gone.
        """

    def write(self, content: bytes) -> None:
        """Send all of `content`. Raises BoardError when the other side is gone."""

    def close(self) -> None: ...


def device_url(text: str) -> str:
    """The URL of what a user typed for a port: a URL, or WHICH of `serial:WHICH` alone; "" for nothing."""
    scheme, separator, rest = text.partition(":")
    is_url = separator and (scheme in schemes() or (scheme.isalpha() and not rest.startswith("//")))
    return text if not text or (is_url and not ports.is_usb_id(text)) else f"serial:{text}"


def serial_part(text: str) -> str:
    """WHICH[?baud=N] of the serial port that a user typed; "" for nothing.

    Raises ConfigError for the URL of another transport: only a serial port can be written to or probed.
    """
    scheme, _, rest = device_url(text).partition(":")
    if scheme not in ("", "serial"):
        plugins.find("transports", scheme, _HINT)  # a misspelled one is answered with the nearest
        raise ConfigError("--port should be a serial port", got=text, hint=_HINT)
    return rest


def schemes() -> list[str]:
    """The URL schemes there are, sorted."""
    return plugins.names("transports")


def open_transport(url: str, elf: Path | None = None) -> AbstractContextManager[Transport]:
    """Open `url` for the duration of a `with` block.

    elf: the firmware that the schemes `qemu` and `host` start; others ignore it.
    Raises ConfigError for an unknown scheme and BoardError when the device cannot be reached.
    """
    module, rest = _load(url)
    opened: AbstractContextManager[Transport] = module.connect(rest, elf)
    return opened


def board_of(url: str) -> str:
    """The board that `url` starts on this computer; "" for a device that is there anyway, and for a recording.

    Raises ConfigError for an unknown scheme.
    """
    module, rest = _load(url)
    started: str = module.board_of(rest) if hasattr(module, "board_of") else ""
    return started


def recording_of(url: str) -> Path | None:
    """The recorded traffic that `url` plays; None for a device. Raises ConfigError for an unknown scheme."""
    module, rest = _load(url)
    played: Path | None = module.recording_of(rest) if hasattr(module, "recording_of") else None
    return played


def emulator_of(url: str) -> str:
    """The version of the emulator that `url` starts, in one line; "" without one.

    Raises ConfigError for an unknown scheme, BoardError without the emulator.
    """
    module, rest = _load(url)
    version: str = module.emulator_of(rest) if hasattr(module, "emulator_of") else ""
    return version


def _load(url: str) -> tuple[Any, str]:
    """(module of the scheme, the rest of the URL)."""
    scheme, separator, rest = url.partition(":")
    if not separator:
        raise ConfigError(
            f"--port should be a URL with one of the schemes {', '.join(schemes())}",
            got=url or "nothing",
            hint=_HINT,
        )
    return plugins.load("transports", scheme, _HINT), rest
