"""No tool of ours: a person loads the ELF file, with the command that the board's TOML file suggests."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import BoardError, ConfigError
from firmware_io.board import Board
from firmware_io.flash import Capabilities

CAPABILITIES = Capabilities(emulated=False, persistent=True, sees_banner=False, loads=False)


def require(board: Board) -> str:  # noqa: ARG001
    return ""  # whatever the person has


def command(board: Board, elf: Path) -> list[str]:
    """Raises ConfigError for a board without a suggestion."""
    if not board.flash_command:
        raise ConfigError(f"{board.name}.toml should have a flash_command", got="a board without one")
    return [word.replace("{elf}", str(elf)) for word in board.flash_command]


@contextmanager
def start(board: Board, elf: Path) -> Iterator[str]:
    """Raises BoardError with the command."""
    raise BoardError(
        f"{board.name} is loaded by hand",
        got="nobody asked to do so",
        hint=f"run `{shlex.join(command(board, elf))}` or what you use instead",
    )
    yield ""
