"""host:[BOARD]: the firmware compiled for this machine, talking on a pty that it opens."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from firmware_io.ports.opening import Port
from firmware_io.transport._launched import connect_launched

DEFAULT_BOARD = "host"


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Port]:
    return connect_launched("host", rest or DEFAULT_BOARD, elf)


def board_of(rest: str) -> str:
    return rest or DEFAULT_BOARD
