"""serial:WHICH[?baud=N]: a serial port of this machine, 8N1, held exclusively.

WHICH is a path, a USB id `VID:PID` (hexadecimal), `sn=SERIAL` of the USB probe, or `board=NAME`
where one port alone has that board's USB id (`firmware_io.protocol.probe.resolved` tells several apart).
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs

from edgekws.errors import ConfigError
from firmware_io import ports
from firmware_io.ports.holders import holders, in_use_error
from firmware_io.ports.opening import Port, open_port

DEFAULT_BAUD = 115_200


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Port]:  # noqa: ARG001
    """Open the port for a `with` block. Raises ConfigError for a malformed URL, BoardError when it cannot be opened."""
    which, _, query = rest.partition("?")
    if not which:
        raise ConfigError("serial: needs a device path", got="nothing", hint="for example serial:/dev/ttyACM0")
    baud, path = _baud(query), path_of(which)
    _refuse_a_shared_port(path)
    return open_port(path, baud=baud, exclusive=True)


def _refuse_a_shared_port(path: str) -> None:
    """A program that has not locked the port would still take half of the answers.

    Whoever emulates a board holds both ends of its pseudo-terminal; that is no sharing.
    """
    if os.path.realpath(path).startswith("/dev/pts/") or not Path(path).is_char_device():
        return
    if processes := holders(Path(path)):
        raise in_use_error(path, processes)


def path_of(which: str) -> str:
    """The path of the port that is meant. Raises BoardError when there is none, or several (it lists them)."""
    if ports.is_path(which):
        return which
    listed = ports.listed()
    return ports.one(which, ports.matching(which, listed), listed).device


def _baud(query: str) -> int:
    options = parse_qs(query, keep_blank_values=True)
    text = options.pop("baud", [str(DEFAULT_BAUD)])[-1]
    if options or not text.isdecimal() or int(text) == 0:
        raise ConfigError("the only option of serial: is ?baud=N with a positive number", got=query)
    return int(text)
