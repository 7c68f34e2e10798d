"""Boards that run as programs: a flash tool starts the firmware, then its serial line is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws import plugins
from edgekws.errors import BoardError
from firmware_io.ports.opening import Port, open_port


@contextmanager
def connect_launched(tool: str, board_name: str, elf: Path | None) -> Iterator[Port]:
    """Start `elf` with firmware_io/flash/`tool`.py; it ends with the block."""
    from firmware_io.board import load

    if elf is None or not elf.is_file():
        raise BoardError(
            f"{board_name} is started with a firmware file",
            got="none" if elf is None else f"{elf}, which does not exist",
            hint=f"build it first: edgekws flash --board {board_name}",
        )
    flash = plugins.load("flash_tools", tool)
    with flash.start(load(board_name), elf) as url, open_port(url) as port:
        yield port
