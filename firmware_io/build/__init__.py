"""Compile the firmware of a board together with a model."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgekws.emit import c
from edgekws.errors import ArtifactError, BoardError, ConfigError
from edgekws.files import replacing, sha256_file
from edgekws.files.os_errors import no_temporary_files
from firmware_io import board as boards
from firmware_io import tools
from firmware_io.board import Board
from firmware_io.build import build_id, model_id, streaming
from firmware_io.build import elf as elf_files
from firmware_io.build.build_id import STREAM_FILE

FIRMWARE = Path(__file__).parents[1] / "firmware"
CFLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror")
MODEL_FILES = ("model.h", "model.c")
_BARE_METAL_CFLAGS = (
    "-ffreestanding",
    "-fno-tree-loop-distribute-patterns",  # or memcpy would be compiled into a call of memcpy
    "-ffunction-sections",
    "-fdata-sections",
)
_BARE_METAL_LDFLAGS = ("-nostdlib", "-lgcc", "-Wl,--gc-sections", "-Wl,--fatal-warnings")
_OVERFLOW = re.compile(r"region `(FLASH|RAM)' overflowed by (\d+) bytes")


@dataclass(frozen=True)
class Firmware:
    """An ELF file (on `host`, a program), its hash and the sizes of its sections in bytes. bss includes the stack.

    build_id: what a device that runs it answers, 32 hexadecimal digits; "" for an image of others, which has none.
    flash_crc32: CRC-32 of what is loaded into flash, which a device that runs it answers too; None for a program that
    runs on this computer.
    """

    elf: Path
    sha256: str
    text_bytes: int
    data_bytes: int
    bss_bytes: int
    build_id: str = ""
    flash_crc32: int | None = None

    @property
    def flash_bytes(self) -> int:
        """Flash in bytes: text and the initial values of data."""
        return self.text_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        """RAM in bytes: data, bss and the stack."""
        return self.data_bytes + self.bss_bytes


def build(board: Board, model: Mapping[str, bytes], out: Path, energy: bool = False) -> Firmware:
    """Compile the C of edgekws.emit.c for `board`; `out` is written completely or not at all.

    energy: build for energy mode, in which time stamps are edges of a pin and the serial line is slower.

    Raises ConfigError for a board without energy mode, BoardError when a tool is missing, the C does not
    compile or a memory budget is exceeded, ArtifactError when `model` is no emitted model or `out` cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="edgekws-build-") as folder:
        elf = Path(folder) / "firmware.elf"
        write_model(model, Path(folder))
        _compile(board, Path(folder), elf, energy, build_id.plan_sha256(model))
        build_id.write(elf)
        firmware = existing(board, elf)
        with replacing(out) as partial:
            shutil.copyfile(elf, partial)
            partial.chmod(0o755)
    return replace(firmware, elf=out)


def copied(board: Board, image: Path, out: Path) -> Firmware:
    """The firmware in `image`, as the file `out`.

    Raises what `existing` raises, and ArtifactError when `out` cannot be written.
    """
    existing(board, image)
    with replacing(out) as partial:
        shutil.copyfile(image, partial)
        partial.chmod(0o755)
    return existing(board, out)


def existing(board: Board, elf: Path) -> Firmware:
    """The firmware in an ELF file that was built before.

    Raises ArtifactError for a file that cannot be read or was changed after it was built, BoardError when `size` is
    missing or cannot read it.
    """
    number = build_id.of_file(elf)
    return Firmware(elf, sha256_file(elf), *sizes(board, elf), number, _flash_crc32(board, elf))


def require_energy_mode(board: Board) -> None:
    """Raises ConfigError for a board without energy mode; it lists the boards that have one."""
    if not board.energy_edge:
        able = [name for name in boards.names() if boards.load(name).energy_edge]
        raise ConfigError(
            f"energy mode needs an output for the time stamps: energy_edge in {board.name}.toml",
            got="a board without one",
            hint=f"use {', '.join(able)}",
        )


def write_model(model: Mapping[str, bytes], folder: Path) -> None:
    """Write MODEL_FILES of `model` into `folder`, and the model's name: that of the benchmark when `model` has none.

    Raises ArtifactError when a file is missing, BoardError on failure.
    """
    missing = [name for name in MODEL_FILES if name not in model]
    if missing and not listens(model):
        raise ArtifactError(f"a C model consists of {' and '.join(MODEL_FILES)}", got=f"no {missing[0]}")
    own = streaming.name_of(model) if listens(model) else model_id.BENCHMARK
    for name, content in {model_id.FILE: model_id.header(own), **model}.items():
        if name not in (model_id.FILE, *MODEL_FILES) and not listens(model):
            continue
        try:
            (folder / name).write_bytes(content)
        except OSError as error:
            raise no_temporary_files(folder, error) from error


def commands(board: Board, folder: Path, elf: Path, energy: bool = False, plan: str = "") -> list[list[str]]:
    """The compiler's command lines for the model in `folder`: the model is optimised for speed, the rest for size.

    plan: build_id.plan_sha256 of the model, which becomes part of the file. Raises ConfigError for energy mode on a
    board without it, BoardError without the compiler.
    """
    if energy:
        require_energy_mode(board)
    if (folder / STREAM_FILE).exists():
        irq = {"EKW_CAPTURE_IRQ": board.capture_irq} if board.capture_irq >= 0 else {}
        board = replace(board, baud=board.stream_baud, defines={**board.defines, **irq})
    symbols = {"EKW_FLASH_BYTES": board.flash_bytes, "EKW_RAM_BYTES": board.ram_bytes, **board.symbols}
    fast, around = _fast_and_around(board, folder)
    objects = [str(folder / f"{path.stem}.o") for path in fast]
    link = [*([f'-DEKW_PLAN_SHA256="{plan}"'] if plan else []), "-Os", f"-I{folder}", "-o", str(elf)]
    options = streaming.options(board, folder, energy)
    return [
        *(
            [*compile_line(board, [str(path)], None, energy), *options, f"-I{folder}", "-c", "-o", written]
            for path, written in zip(fast, objects, strict=True)
        ),
        [*compile_line(board, [*map(str, around), *objects], symbols, energy), *options, *link],
    ]


def listens(model: Mapping[str, bytes]) -> bool:
    """Whether the C is that of a model which listens to a stream."""
    return STREAM_FILE in model


def _fast_and_around(board: Board, folder: Path) -> tuple[list[Path], list[Path]]:
    """The C files that are compiled for speed, and the others."""
    port = sources(board.port)
    if not (folder / STREAM_FILE).exists():
        return [folder / "model.c"], [*sources(("app",)), *port]
    return [*sorted(folder.glob("*.c")), *sources(("stream",))], [
        *streaming.around(FIRMWARE, folder),
        *sources(board.capture),
        *port,
    ]


def core_of(board: Board) -> str:
    """The kernel set that the compiler selects for `board`: a key of edgekws.emit.c.cores(). Only preprocesses."""
    compiler = tools.require(board.compiler, f"building for {board.name}")
    options = ["-dM", "-E", "-include", "kernels/cores/core.h", "-x", "c", os.devnull]
    what = f"{compiler} should take the flags of {board.name}"
    text = tools.run([compiler, *board.cflags, *_definitions(board), f"-I{FIRMWARE}", *options], what, "update it")
    chosen = next(line.split()[2] for line in text.splitlines() if line.startswith("#define EKW_CORE "))
    return next(name for name, macro in c.cores().items() if macro == chosen)


def compile_line(
    board: Board, files: Iterable[str], symbols: Mapping[str, int] | None = None, energy: bool = False
) -> list[str]:
    """The compiler's command line for C files, without the output file.

    symbols: values for the linker script; None for compiling without linking. Raises BoardError without the compiler.
    """
    return [
        tools.require(board.compiler, f"building for {board.name}"),
        *CFLAGS,
        *board.cflags,
        *(_BARE_METAL_CFLAGS if board.linker_script else ()),
        *_definitions(board, energy),
        f"-I{FIRMWARE}",
        *files,
        *(_linking(board, symbols) if board.linker_script and symbols is not None else ()),
    ]


def sizes(board: Board, elf: Path) -> tuple[int, int, int]:
    """(text, data, bss) of an ELF file in bytes. Raises BoardError when `size` is missing or cannot read it."""
    size = board.compiler.removesuffix("gcc").removesuffix("cc") + "size"
    text = tools.run([tools.require(size, "measuring the firmware"), str(elf)], f"{size} should read {elf}", "rebuild")
    first, second, third, *_ = text.splitlines()[1].split()
    return int(first), int(second), int(third)


def _flash_crc32(board: Board, elf: Path) -> int | None:
    if not board.linker_script:
        return None
    return elf_files.crc32(part for _, part in elf_files.loaded(elf, elf.read_bytes()))


def _compile(board: Board, folder: Path, elf: Path, energy: bool, plan: str) -> None:
    for line in commands(board, folder, elf, energy, plan):
        done = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False, cwd=folder)
        if done.returncode != 0:
            complaint = done.stderr.replace(f"{folder}/", "").replace(f"{FIRMWARE}/", "")
            raise _budget_error(board, complaint) or _compile_error(board, complaint)


def _budget_error(board: Board, complaint: str) -> BoardError | None:
    over = {region: int(excess) for region, excess in _OVERFLOW.findall(complaint)}
    if not over:
        return None
    budgets = {"FLASH": board.flash_bytes, "RAM": board.ram_bytes}
    needs = [
        f"{budgets[region] + excess} bytes of {region} where there are {budgets[region]} ({excess} too many)"
        for region, excess in over.items()
    ]
    hint = f"use a smaller network, or {boards.larger(board)}"
    return BoardError(f"the firmware should fit the memories of {board.name}", got="; ".join(needs), hint=hint)


def _compile_error(board: Board, complaint: str) -> BoardError:
    errors = [line.strip() for line in complaint.splitlines() if "error" in line or "undefined" in line]
    got = " / ".join(errors[:3]) or complaint.strip()[:500]
    hint = f"export the model again; compiler: {board.compiler}"
    return BoardError(f"the firmware for {board.name} should compile and link", got=got, hint=hint)


def compiler_version(board: Board) -> str:
    """The first line of the compiler's --version. Raises BoardError without the compiler."""
    compiler = tools.require(board.compiler, f"building for {board.name}")
    text = tools.run([compiler, "--version"], f"{compiler} should say its version", "update it")
    return text.splitlines()[0]


def sources(folders: Iterable[str]) -> list[Path]:
    """The C files of these folders of firmware/, sorted by name within each."""
    return [path for folder in folders for path in sorted((FIRMWARE / folder).glob("*.c"))]


def _definitions(board: Board, energy: bool = False) -> list[str]:
    numbers = {
        "EKW_CLOCK_HZ": board.clock_hz,
        "EKW_TIMER_HZ": board.timer_hz,
        "EKW_BAUD": board.energy_baud if energy else board.baud,
        "EKW_ENERGY_MODE": int(energy),
        **board.defines,
    }
    return [f'-DEKW_BOARD_NAME="{board.name}"', *(f"-D{key}={value}u" for key, value in numbers.items())]


def _linking(board: Board, symbols: Mapping[str, int]) -> list[str]:
    return [
        *(f"-Wl,--defsym={key}={value}" for key, value in symbols.items()),
        "-T",
        str(FIRMWARE / board.linker_script),
        *_BARE_METAL_LDFLAGS,
    ]
