"""host:[BOARD]: the firmware compiled for this computer; its serial line is a pseudo-terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from firmware_io.ports.opening import Port
from firmware_io.transport._launched import connect_launched

DEFAULT_BOARD = "host"


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Port]:
    """Run `elf` for a `with` block. Raises BoardError when it is missing or does not start."""
    return connect_launched("host", rest or DEFAULT_BOARD, elf)


def board_of(rest: str) -> str:
    """The board that the URL starts."""
    return rest or DEFAULT_BOARD
