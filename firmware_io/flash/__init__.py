"""Tools that load a firmware onto a board: one module per tool, found by its name.

Each has CAPABILITIES: what it can do, as data. A launcher (persistent = False) runs the firmware as a program for the
duration of a `with` block:
    require(board) -> str               path of the program it needs; BoardError with an install hint
    command(board, elf) -> list[str]    the command line (a dry run prints it)
    start(board, elf) -> context        runs it; yields a URL for ports.opening.open_serial
    start_with_events(board, elf)       the same for a firmware in energy mode; yields the URLs of both its lines
A flasher (persistent = True) writes an image to a board's flash memory:
    OPTIONS                             name -> description of its options (flash_options of a board's file)
    require(job) -> str                 checks that its requirements are met; BoardError with an install hint
    plan(job) -> list[str]              what it would run or send, one step a line; does not touch the board
    flash(job, progress) -> str         writes, verifies, starts; returns a one-line summary
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from edgekws import plugins
from edgekws.errors import ArtifactError, ConfigError
from edgekws.types import Progress
from firmware_io.board import Board
from firmware_io.build import elf
from firmware_io.flash._process import Lines

_ENERGY = b"m-timestamp-mode-energy"
"""The first line of the banner of that mode."""


@dataclass(frozen=True)
class Capabilities:
    """What a tool can do. emulated: needs no board. persistent: the firmware stays on the board (a flasher).

    port: works over a serial port of this computer. takes: file name endings that the tool accepts; empty when it
    recognises images by their content.
    """

    emulated: bool
    persistent: bool
    sees_banner: bool
    """The first to open the serial line receives the boot banner, however late."""
    port: bool = False
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """The input of a flasher. port: a path or pyserial URL. options: values of its OPTIONS.

    origin, size: the flash memory in bytes that the image may occupy; size 0: the tool's own default.
    """

    image: Path
    port: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    origin: int = 0
    size: int = 0


@dataclass(frozen=True)
class Contents:
    """Of an image. build_id: 32 hexadecimal digits, "" in one of others. energy: whether it is for energy mode.

    parts: its bytes, sorted by address; parts that touch are one.
    """

    build_id: str = ""
    energy: bool = False
    parts: tuple[bytes, ...] = ()

    @property
    def flash_crc32(self) -> int | None:
        """CRC-32 that a device with this image answers; None for an image that was not read."""
        return elf.crc32(self.parts) if self.parts else None


class Launcher(Protocol):
    """A module that runs a firmware as a program."""

    CAPABILITIES: Capabilities

    def require(self, board: Board) -> str:
        """Path of the program it needs, "" for none. Raises BoardError with an install hint."""

    def command(self, board: Board, elf: Path) -> list[str]:
        """The command line. Raises ConfigError for a board that the tool cannot run."""

    def start(self, board: Board, elf: Path) -> AbstractContextManager[str]:
        """Run the firmware for a `with` block; yields a URL for open_serial. Raises BoardError when it ends early."""

    def start_with_events(self, board: Board, elf: Path) -> AbstractContextManager[Lines]:
        """Like `start`, for a firmware in energy mode. Raises ConfigError for a board without energy mode."""


class Flasher(Protocol):
    """A module that writes images to flash memory."""

    CAPABILITIES: Capabilities
    OPTIONS: Mapping[str, str]

    def require(self, job: Job) -> str:
        """What the tool needs, usually the path of its program. Raises BoardError with an install hint."""

    def plan(self, job: Job) -> list[str]:
        """The steps, one a line; touches no board. Raises ConfigError, ArtifactError or BoardError for a wrong job."""

    def flash(self, job: Job, progress: Progress) -> str:
        """Write, verify and start; returns a one-line summary. Raises BoardError unless all of that succeeded."""


def names() -> list[str]:
    """The names of all flash tools, sorted."""
    return plugins.names("flash_tools")


def load(name: str) -> Launcher:
    """The tool of this name. Raises ConfigError, which lists all tools, for an unknown one."""
    return cast(Launcher, plugins.load("flash_tools", name))


def flasher(name: str) -> Flasher:
    """The flasher of this name. Raises ConfigError for an unknown tool and for a launcher."""
    tool = cast(Flasher, plugins.load("flash_tools", name))
    if not tool.CAPABILITIES.persistent:
        able = ", ".join(other for other in names() if capabilities(other).persistent)
        raise ConfigError(f"a tool that writes boards is one of {able}", got=f"{name}, which starts a program")
    return tool


def capabilities(name: str) -> Capabilities:
    """What the tool of this name can do. Raises ConfigError for an unknown one."""
    return load(name).CAPABILITIES


def contents(image: Path) -> Contents:
    """What an ELF, Intel HEX or .bin image says of itself; nothing for a format that only its tool can read."""
    from firmware_io.build import build_id
    from firmware_io.flash import _image

    try:
        segments = _image.read(image).segments
    except ArtifactError:
        return Contents()  # the tool judges the image, when it plans
    numbers = [build_id.of_content(segment.content) for segment in segments]
    energy = any(_ENERGY in segment.content for segment in segments)
    return Contents(next(filter(None, numbers), ""), energy, tuple(segment.content for segment in segments))


def job(tool: str, board: Board, image: Path, port: str, chosen: Mapping[str, str], verify: bool = True) -> Job:
    """The job for `tool`. Its options are those of the board's file, if `tool` is the board's own, then `chosen`.

    Raises ConfigError for an option that the tool does not have, and for an image type that it does not accept.
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
