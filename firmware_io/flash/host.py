"""Runs the firmware as a program on this computer; its serial line is a pseudo-terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekws.errors import ConfigError
from firmware_io.board import Board
from firmware_io.build import require_energy_mode
from firmware_io.flash import Capabilities
from firmware_io.flash._process import Lines, require_file, running, wait_for_match

CAPABILITIES = Capabilities(emulated=False, persistent=False, sees_banner=False)
_PATH = re.compile(r"^(/dev/\S+)\n", re.MULTILINE)
_PATHS = re.compile(r"^(/dev/\S+)\n(/dev/\S+)\n", re.MULTILINE)


def require(board: Board) -> str:  # noqa: ARG001
    """Nothing is needed."""
    return ""  # the firmware itself is the program


def command(board: Board, elf: Path) -> list[str]:
    """The program's path. Raises ConfigError for a firmware that is not built for this computer."""
    if board.linker_script:
        raise ConfigError("this computer runs the firmware of the board host", got=f"that of {board.name}")
    return [str(elf.resolve())]


@contextmanager
def start(board: Board, elf: Path) -> Iterator[str]:
    """Run the firmware for a `with` block; yields the path of its pseudo-terminal. It also ends with this process."""
    with running(command(board, require_file(elf)), _PATH, f"the firmware of {board.name}") as path:
        yield path


@contextmanager
def start_with_events(board: Board, elf: Path) -> Iterator[Lines]:
    """Like `start`, for a firmware in energy mode. Events before their terminal is opened are lost.

    Raises ConfigError for a board without energy mode.
    """
    require_energy_mode(board)
    with wait_for_match(
        command(board, require_file(elf)), _PATHS, f"the energy-mode firmware of {board.name}"
    ) as match:
        yield Lines(match.group(1), match.group(2))
