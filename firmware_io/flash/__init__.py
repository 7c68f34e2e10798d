"""Tools that bring a firmware onto a board and start it: one module each, found by its file's name.

A module has
    CAPABILITIES                        what it can do, as data
    require(board) -> str               path of its program; BoardError with an install hint
    command(board, elf) -> list[str]    what it would run (a dry run prints it)
    start(board, elf) -> context        runs it; gives what serial.serial_for_url opens
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from edgekws.errors import ConfigError
from firmware_io.board import Board


@dataclass(frozen=True)
class Capabilities:
    """emulated: no board is needed. persistent: the firmware survives the end of `start`."""

    emulated: bool
    persistent: bool
    sees_banner: bool
    """Whoever opens the serial line first sees the boot banner, however late."""


class FlashTool(Protocol):
    CAPABILITIES: Capabilities

    def require(self, board: Board) -> str: ...
    def command(self, board: Board, elf: Path) -> list[str]: ...
    def start(self, board: Board, elf: Path) -> AbstractContextManager[str]: ...


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> FlashTool:
    """Raises ConfigError that lists the tools there are."""
    if name not in names():
        raise ConfigError(f"the flash tool should be one of {', '.join(names())}", got=repr(name))
    return cast(FlashTool, importlib.import_module(f"{__name__}.{name}"))
