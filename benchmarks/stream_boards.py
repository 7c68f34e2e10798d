"""The whole way from samples to events on every emulated board, against this computer: differences are counted.

    python benchmarks/stream_boards.py MODEL SOUND... [--boards qemu-an386 ...] [--seconds 60]

MODEL: a folder with a graph that listens and its detector.json. SOUND: recordings, heard as one stream, with what
recordings do not have behind it: silence, full scale, steps, lone peaks, constants, the highest frequency. The samples
lie in the memory of the board: an emulated serial line, that of `edgekws detect --board`, would take minutes.
Compared are CRC-32 of all int8 scores and every event: keyword, time, score. Exits with 1 when anything differs.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _stream_board
from edgekws.data.streams import files
from edgekws.detect import settings
from edgekws.detect.listener import Listener
from edgekws.detect.settings import Settings
from edgekws.emit.c import listening
from edgekws.graph import io
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io import build, tools
from firmware_io.board import Board
from firmware_io.flash.qemu import command

_MEMORY = {"qemu-an500": 0x6000_0000, "qemu-an547": 0x6000_0000, "qemu-riscv32": 0x8050_0000}
"""Where a board has room for minutes of samples; others have the PSRAM of the MPS2."""
_PSRAM = 0x2100_0000
_MOST_SAMPLES = 1_500_000
"""As many fit in the smallest of these memories."""
_SHARED = ("crc32", "text")


def main() -> None:
    options = parse()
    graph = io.load(options.model / "graph.npz")
    chosen = settings.load(options.model / settings.FILE, io.digest(graph))
    samples = np.concatenate([recorded(options.sound, graph, options.seconds), adversarial()])
    if len(samples) > _MOST_SAMPLES:
        raise SystemExit(f"--seconds should be at most {(_MOST_SAMPLES - len(adversarial())) / 16_000:g}")
    listener = Listener(graph, chosen, "interp")
    events = listener.push(samples)
    expected = [(chosen.keywords.index(each.keyword), each.time_samples, each.score) for each in events]
    crc = listener.scorer.scores_crc32
    print(f"{len(samples) / 16_000:.1f} s, {len(expected)} events, scores CRC-32 {crc:08x}", flush=True)
    wrong = 0
    for name in options.boards:
        begun = time.monotonic()
        got, steps, got_crc = heard(boards.load(name), graph, chosen, samples)
        equal = got == expected and got_crc == crc
        wrong += not equal
        verdict = "equal" if equal else f"DIFFERENT: {len(got)} events, CRC-32 {got_crc:08x}"
        print(f"{name}: {verdict}, {steps} steps, {time.monotonic() - begun:.0f} s", flush=True)
    sys.exit(1 if wrong else 0)


def parse() -> argparse.Namespace:
    emulated = [name for name in boards.names() if boards.load(name).how == "emulated"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("sound", type=Path, nargs="+")
    parser.add_argument("--boards", nargs="+", default=emulated)
    parser.add_argument("--seconds", type=float, default=60.0)
    return parser.parse_args()


def recorded(paths: list[Path], graph: Graph, seconds: float) -> np.ndarray:
    """int16 [n], the first `seconds` of all recordings together."""
    rate = graph.front_end.rate_hz
    blocks = [np.asarray(block) for path in paths for block in files.opened(path, rate)]
    sound = np.concatenate(blocks)[: int(seconds * rate)]
    if len(sound) < int(seconds * rate):
        raise SystemExit(f"{seconds:g} s of sound are needed, there are {len(sound) / rate:.1f}")
    return sound


def adversarial(count: int = 16_000) -> np.ndarray:
    """int16 [n], a second each."""
    rng, at = np.random.default_rng(0), np.arange(count)
    full = np.where(rng.integers(0, 2, count) == 0, -32768, 32767)
    parts = [
        *(np.full(count, level) for level in (0, 32767, -32768, 1, -1)),
        np.where(at % 2 == 0, 32767, -32768),
        np.where(at // 1600 % 2 == 0, 32767, -32768),
        np.where(at == count // 2, -32768, 0),
        np.where(at == count // 2, 32767, 0),
        rng.integers(-32768, 32768, count),
        np.where(at < count // 2, 0, full),
    ]
    return np.concatenate(parts).astype(np.int16)


def heard(
    board: Board, graph: Graph, chosen: Settings, samples: np.ndarray
) -> tuple[list[tuple[int, int, int]], int, int]:
    """(events: keyword, time, score; steps; CRC-32 of the scores) of a board."""
    place = _MEMORY.get(board.name, _PSRAM)
    with tempfile.TemporaryDirectory(prefix="edgekws-board-") as name:
        folder = Path(name)
        build.write_model(listening.files(graph, chosen), folder)
        (folder / "samples.bin").write_bytes(struct.pack("<i", len(samples)) + samples.astype("<i2").tobytes())
        loader = f"loader,file={folder / 'samples.bin'},addr={place},force-raw=on"
        lines = _stream_board.lines([*command(board, _built(board, folder, place)), "-device", loader])
    words = [line.split() for line in lines]
    events = [(int(k), int(at), int(score)) for kind, *rest in words if kind == "event" for k, at, score in [rest]]
    steps, crc = next((int(line[1]), int(line[2], 16)) for line in words if line[:1] == ["end"])
    return events, steps, crc


def _built(board: Board, folder: Path, place: int) -> Path:
    """The firmware's own way to compile: model and stream for speed."""
    symbols = {"EKW_FLASH_BYTES": board.flash_bytes, "EKW_RAM_BYTES": board.ram_bytes, **board.symbols}
    elf, here = folder / "runner.elf", Path(__file__).with_name("stream_samples.c")
    shared = [build.FIRMWARE / "app" / f"{name}.c" for name in _SHARED]
    around = [here, *shared, *build.sources((*board.port, "stream")), *sorted(folder.glob("*.c"))]
    line = build.compile_line(board, map(str, around), symbols)
    more = [f"-I{folder}", f"-DSAMPLES_AT=0x{place:x}u", "-o", str(elf)]
    tools.run([*line, *more], "the runner should compile", "see the message")
    return elf


if __name__ == "__main__":
    main()
