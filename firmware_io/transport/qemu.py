"""qemu:BOARD: a board emulated by QEMU, started for the time of the connection."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from firmware_io.board import load
from firmware_io.flash.qemu import version
from firmware_io.ports.opening import Port
from firmware_io.transport._launched import connect_launched


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Port]:
    """Run `elf` in the emulator for a `with` block. Raises BoardError when it is missing or does not start."""
    return connect_launched("qemu", rest, elf)


def board_of(rest: str) -> str:
    """The board that the URL starts."""
    return rest


def emulator_of(rest: str) -> str:
    """The first line of `qemu-system-... --version`. Raises BoardError without the emulator."""
    return version(load(rest))
