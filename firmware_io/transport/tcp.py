"""tcp:HOST:PORT: a serial port on the network, raw bytes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from edgekws.errors import ConfigError
from firmware_io.ports.opening import Port, open_port


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Port]:  # noqa: ARG001
    """Connect for a `with` block. Raises ConfigError for a malformed URL, BoardError when the connection is refused."""
    host, separator, port = rest.rpartition(":")
    if not separator or not host or not port.isdecimal():
        raise ConfigError("tcp: needs host and port", got=rest or "nothing", hint="for example tcp:127.0.0.1:4000")
    return open_port(f"socket://{host}:{port}")
