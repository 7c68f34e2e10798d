"""process:[BOARD]: a firmware that the flash tool `process` starts on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import BoardError
from edgekws_outside.flash_tools import process
from firmware_io import board
from firmware_io.ports.opening import Port, open_port

BOARD = "outside-host"


@contextmanager
def connect(rest: str, elf: Path | None = None) -> Iterator[Port]:
    """Raises BoardError without a firmware."""
    if elf is None or not elf.is_file():
        raise BoardError("process: starts a firmware", got="none", hint=f"edgekws flash --board {rest or BOARD}")
    with process.start(board.load(rest or BOARD), elf) as url, open_port(url) as port:
        yield port


def board_of(rest: str) -> str:
    return rest or BOARD
