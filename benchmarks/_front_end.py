"""The front end's C on an emulated core: its rows, and the instructions of each stage.

The samples are laid out in a piece of the board's memory; the image of front_end_runner.c makes the rows and writes the
memory back.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.emit.c import front_end
from edgekws.errors import BoardError
from edgekws.features.spec import FeatureSpec
from firmware_io import build, tools
from firmware_io.board import Board

STAGES = ("exponent", "window, FFT stage 1", "FFT stages", "spectrum and bands", "log2", "DCT, steps")
_RUNNER = Path(__file__).with_name("front_end_runner.c")
_WORK = struct.Struct("<IiiIiI6IIIIII")
_MEMORY = {"mps2": 0x2018_0000, "mps3": 0x2100_0000, "virt": 0x8060_0000}
"""By the beginning of the machine's name: memory beyond what the linker script uses."""
_LARGE = {"mps2": (1 << 19, 1 << 19), "mps3": (1 << 19, 1 << 19), "virt": (1 << 17, 1 << 17)}
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Counted:
    """rows: int8 [rows, coefficients]. instructions: of all calls a row; stages: of each stage a row."""

    rows: np.ndarray
    instructions: float
    stages: tuple[float, ...]


def built(board: Board, spec: FeatureSpec, folder: Path, options: Sequence[str] = ()) -> Path:
    """The image for `board`. Raises BoardError when a tool is missing or the C does not compile."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "front_end.inc").write_text(front_end.definitions(spec))
    machine = board.qemu_machine[:4]
    flash, ram = _LARGE[machine]
    symbols = {"EKW_FLASH_BYTES": flash, "EKW_RAM_BYTES": ram, **board.symbols, "EKW_STACK_BYTES": 8192}
    line = build.compile_line(board, [str(_RUNNER), *map(str, build.sources(board.port))], symbols)
    elf = folder / "front_end.elf"
    more = [f"-I{folder}", f"-DEKW_WORK_ADDRESS=0x{_MEMORY[machine]:x}u", *options]
    tools.run([*line, *more, "-o", str(elf)], "the front end should compile", "see the message")
    return elf


def run(board: Board, elf: Path, spec: FeatureSpec, samples: np.ndarray, block: int = 320) -> Counted:
    """samples: int16 [n], pushed in blocks of `block`. Raises BoardError when the stages do not give the rows."""
    base, samples = _MEMORY[board.qemu_machine[:4]], np.ascontiguousarray(samples, "<i2")
    name = str(elf.with_name("memory.bin")).encode()
    rows = max(0, 1 + (len(samples) - spec.window_samples) // spec.hop_samples)
    at = np.cumsum([_WORK.size, 2 * len(samples) + -2 * len(samples) % 8, len(name) + 1, rows * spec.coefficients])
    memory = bytearray(int(at[-1]))
    _WORK.pack_into(
        memory, 0, base + int(at[0]), len(samples), block, base + int(at[2]), 0, 0, *[0] * 6, 0,
        base + int(at[1]), len(name), base, len(memory),
    )  # fmt: skip
    memory[at[0] : at[0] + 2 * len(samples)] = samples.tobytes()
    memory[at[1] : at[1] + len(name)] = name
    elf.with_name("work.bin").write_bytes(memory)
    _emulate(board, elf, base)
    after = elf.with_name("memory.bin").read_bytes()
    made, ticks, *stages, clock = _WORK.unpack_from(after)[4:13]
    if made != rows:
        raise BoardError(f"{board.name} should make {rows} rows, stage by stage", got=str(made))
    per_tick = 1e9 / board.timer_hz / (1 << board.icount_shift) / max(rows, 1)
    found = np.frombuffer(after, np.int8, rows * spec.coefficients, int(at[2])).reshape(rows, spec.coefficients)
    return Counted(found, ticks * per_tick, tuple((stage - clock) * per_tick for stage in stages))


def _emulate(board: Board, elf: Path, base: int) -> None:
    line = [
        tools.require(board.qemu_program, f"the emulated board {board.name}"), "-M", board.qemu_machine,
        "-display", "none", "-monitor", "none", "-serial", "null", *board.qemu_args,
        "-icount", f"shift={board.icount_shift},sleep=off", "-semihosting-config", "enable=on,target=native",
        "-device", f"loader,file={elf.with_name('work.bin')},addr={base},force-raw=on", "-kernel", str(elf),
    ]  # fmt: skip
    subprocess.run(line, check=True, timeout=_TIMEOUT_S, capture_output=True)


def speech_like(samples: int, seed: int = 17) -> np.ndarray:
    """int16 [samples] of 16 kHz: harmonics of a gliding pitch under moving formants, syllables, noise."""
    rng, time = np.random.default_rng(seed), np.arange(samples) / 16_000
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time)) / 16_000
    formant = 900 + 500 * np.sin(2 * np.pi * 1.3 * time)
    voice = sum(np.sin(n * pitch) / (1 + ((n * 120 - formant) / 300) ** 2) for n in range(1, 40))
    loud = np.maximum(0, np.sin(2 * np.pi * 2 * time)) ** 2
    return (3_000 * np.asarray(voice) * loud + rng.normal(0, 30, samples)).clip(-32768, 32767).astype(np.int16)


def extremes(samples: int, seed: int = 17) -> np.ndarray:
    """int16 [kinds, samples] that no recording has: silence, both ends, steps, single peaks, squares, noise."""
    time, rng = np.arange(samples), np.random.default_rng(seed)
    peak = np.where(time == samples // 3, -32768, 0)
    rows = [
        0 * time, 0 * time - 1, 0 * time - 32768, 0 * time + 32767, np.where(time < samples // 2, -32768, 32767),
        peak, -peak - (peak < 0), np.where(time % 2, 32767, -32768), np.where(time // 32 % 2, 32767, -32768), time % 2,
        np.where(time // 3 % 2, -32768, 32767), 32767 * np.sin(2 * np.pi * time / 16),
        rng.integers(-32768, 32768, samples), rng.integers(-2, 3, samples),
        rng.normal(0, 1, samples) * 2 ** (15 * time / samples),
    ]  # fmt: skip
    return np.stack([np.clip(row, -32768, 32767) for row in rows]).astype(np.int16)
