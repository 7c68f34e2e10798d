"""serial:PATH[?baud=N]: a serial port of this machine, 8N1, held exclusively."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs

from edgekws.errors import ConfigError
from firmware_io.transport._port import Port, open_port

DEFAULT_BAUD = 115_200


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Port]:  # noqa: ARG001
    path, _, query = rest.partition("?")
    if not path:
        raise ConfigError("serial: needs a device path", got="nothing", hint="for example serial:/dev/ttyACM0")
    return open_port(path, baud=_baud(query), exclusive=True)


def _baud(query: str) -> int:
    options = parse_qs(query, keep_blank_values=True)
    text = options.pop("baud", [str(DEFAULT_BAUD)])[-1]
    if options or not text.isdecimal() or int(text) == 0:
        raise ConfigError("the only option of serial: is ?baud=N with a positive number", got=query)
    return int(text)
