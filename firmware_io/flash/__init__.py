"""Tools that bring a firmware onto a board: one module each, found by its file's name.

All have CAPABILITIES, what they can do as data. A launcher (persistent = False) starts a program that
lives as long as we want:
    require(board) -> str               path of its program; BoardError with an install hint
    command(board, elf) -> list[str]    what it would run (a dry run prints it)
    start(board, elf) -> context        runs it; gives what ports.opening.open_serial opens
A flasher (persistent = True) writes an image into a board's memory, where it stays:
    OPTIONS                             name -> meaning of its settings (flash_options of a board's file)
    require(job) -> str                 what it needs is there; BoardError with an install hint
    plan(job) -> list[str]              what it would run or send, a line each; touches no board
    flash(job, progress) -> str         writes, verifies, starts; says in one line what was done
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from edgekws import plugins
from edgekws.errors import ConfigError
from edgekws.types import Progress
from firmware_io.board import Board


@dataclass(frozen=True)
class Capabilities:
    """emulated: no board is needed. persistent: the firmware survives the tool (a flasher).

    port: it talks over a serial port of this computer. takes: endings by which it tells images apart;
    none: it looks into them.
    """

    emulated: bool
    persistent: bool
    sees_banner: bool
    """Whoever opens the serial line first sees the boot banner, however late."""
    port: bool = False
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What a flasher is to do. port: a path or pyserial URL. options: its settings by name.

    origin, size: the memory that the image may touch; 0 bytes: what the tool knows itself.
    """

    image: Path
    port: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    origin: int = 0
    size: int = 0


class Launcher(Protocol):
    CAPABILITIES: Capabilities

    def require(self, board: Board) -> str: ...
    def command(self, board: Board, elf: Path) -> list[str]: ...
    def start(self, board: Board, elf: Path) -> AbstractContextManager[str]: ...


class Flasher(Protocol):
    CAPABILITIES: Capabilities
    OPTIONS: Mapping[str, str]

    def require(self, job: Job) -> str: ...
    def plan(self, job: Job) -> list[str]: ...
    def flash(self, job: Job, progress: Progress) -> str: ...


def names() -> list[str]:
    return plugins.names("flash_tools")


def load(name: str) -> Launcher:
    """A launcher. Raises ConfigError that lists the tools there are."""
    return cast(Launcher, plugins.load("flash_tools", name))


def flasher(name: str) -> Flasher:
    """Raises ConfigError when `name` is no tool, or one that writes no board."""
    found = cast(Flasher, plugins.load("flash_tools", name))
    if not found.CAPABILITIES.persistent:
        able = ", ".join(other for other in names() if capabilities(other).persistent)
        raise ConfigError(f"a tool that writes boards is one of {able}", got=f"{name}, which starts a program")
    return found


def capabilities(name: str) -> Capabilities:
    return load(name).CAPABILITIES


def job(tool: str, board: Board, image: Path, port: str, chosen: Mapping[str, str], verify: bool = True) -> Job:
    """The job of `tool`: what the board's file says when it is the board's own tool, then `chosen`.

    Raises ConfigError for an option that the tool does not have, or an image that it would misread.
    """
    known, takes = flasher(tool).OPTIONS, capabilities(tool).takes
    if takes and image.suffix.lower().removeprefix(".") not in takes:
        raise ConfigError(f"{tool} takes images that end in {', '.join(takes)}", got=image.name)
    own = board.flash_tool == tool
    options = {**(board.flash_options if own else {}), **chosen}
    unknown = sorted(set(options) - set(known))
    if unknown:
        listed = "; ".join(f"{name}: {meaning}" for name, meaning in known.items())
        raise ConfigError(f"{tool} has the options {listed}", got=", ".join(unknown))
    if not board.linker_script or capabilities(board.flash_tool).emulated:
        return Job(image, port, options, verify)
    return Job(image, port, options, verify, board.symbols["EKW_FLASH_ORIGIN"], board.flash_bytes)
