"""This computer: starts the firmware as a program whose serial line is a pseudo-terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import ConfigError
from firmware_io.board import Board
from firmware_io.build import require_energy_mode
from firmware_io.flash import Capabilities
from firmware_io.flash._process import Lines, existing, matching, running

CAPABILITIES = Capabilities(emulated=False, persistent=False, sees_banner=False)
_PATH = re.compile(r"^(/dev/\S+)\n", re.MULTILINE)
_PATHS = re.compile(r"^(/dev/\S+)\n(/dev/\S+)\n", re.MULTILINE)


def require(board: Board) -> str:  # noqa: ARG001
    return ""  # the firmware itself is the program


def command(board: Board, elf: Path) -> list[str]:
    """Raises ConfigError for a firmware that is not for this computer."""
    if board.linker_script:
        raise ConfigError("this computer runs the firmware of the board host", got=f"that of {board.name}")
    return [str(elf.resolve())]


@contextmanager
def start(board: Board, elf: Path) -> Iterator[str]:
    """Run the firmware; give the path of its pseudo-terminal. It ends with the context or with this process."""
    with running(command(board, existing(elf)), _PATH, f"the firmware of {board.name}") as path:
        yield path


@contextmanager
def start_with_events(board: Board, elf: Path) -> Iterator[Lines]:
    """As `start`, for a firmware in energy mode. Events that come before their terminal is opened are lost.

    Raises ConfigError for a board without energy mode.
    """
    require_energy_mode(board)
    with matching(command(board, existing(elf)), _PATHS, f"the energy-mode firmware of {board.name}") as found:
        yield Lines(found.group(1), found.group(2))
