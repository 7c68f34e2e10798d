"""Instructions of the fixed-point front end on every emulated board, split by stage; every int8 compared with NumPy.

    python benchmarks/front_end_instructions.py             measure, print the tables, write results/front_end.json
    python benchmarks/front_end_instructions.py --check     measure and compare: exit 1 when a figure grew by more than
                                                            2 % or exceeds its bar
    ... [--boards qemu-an386 ...] [--audio FILE.wav]        16 kHz int16 mono; the results of other audio are not saved
    ... --sww01                                             the front end of the streaming wake word: only printed

Audio: a signal like speech (2 s), or the file; then 15 signals that no recording has (benchmarks/_front_end.py).
Emulated: instructions under QEMU, exact and repeatable for one compiler, the copying of the samples included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _front_end
from edgekws.emit.c import front_end
from edgekws.features import fixed
from edgekws.features.presets import SWW01_FIXED_POINT
from edgekws.features.spec import FeatureSpec
from edgekws.files import write_json
from firmware_io import board as boards
from firmware_io.board import Board

RESULTS = Path(__file__).resolve().parent / "results" / "front_end.json"
SPEC = FeatureSpec(arithmetic="fixed", level="stream", input_scale=(0.75,) + (0.1,) * 9, input_zero_point=(0,) * 10)
BARS = {
    "qemu-an386": 24_000,
    "qemu-an385": 45_000,
    "qemu-an385-v6m": 80_000,
    "qemu-an500": 25_000,
    "qemu-an547": 10_000,
    "qemu-riscv32": 50_000,
}
"""Most instructions of a frame of 480 samples, FFT of 512, 40 bands, 10 coefficients."""
TABLE_BYTES = 2_500
TOLERANCE = 1.02


def main() -> None:
    options = parse()
    samples = audio(options.audio)
    spec = SWW01_FIXED_POINT if options.sww01 else SPEC
    results = {name: measured(boards.load(name), samples, spec) for name in options.boards}
    print_tables(results, spec)
    if options.sww01:
        return
    if options.check:
        worse = grown(json.loads(RESULTS.read_text()), results) + over(results)
        print("\n".join(worse) or "nothing grew by more than 2 %, and all are within their bars")
        sys.exit(1 if worse else 0)
    if not options.audio:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        write_json(RESULTS, known | results)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", nargs="+", default=[name for name in BARS if runs_here(boards.load(name))])
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--sww01", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def runs_here(board: Board) -> bool:
    return shutil.which(board.compiler) is not None and shutil.which(board.qemu_program) is not None


def audio(path: Path | None) -> np.ndarray:
    speech = _front_end.speech_like(32_000)
    if path:
        with wave.open(str(path)) as file:
            speech = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return np.concatenate([speech, *_front_end.extremes(1_000)])


def measured(board: Board, samples: np.ndarray, spec: FeatureSpec = SPEC) -> dict[str, Any]:
    expected = fixed.FrontEnd(spec).push(samples)
    with tempfile.TemporaryDirectory() as folder:
        counted = _front_end.run(board, _front_end.built(board, spec, Path(folder)), spec, samples)
    differing = int((counted.rows != expected).sum())
    if differing:
        raise SystemExit(f"{board.name}: {differing} of {expected.size} int8 differ from NumPy")
    stages = {name: round(count) for name, count in zip(_front_end.STAGES, counted.stages, strict=True)}
    return {"instructions": round(counted.instructions), "stages": stages, "frames_equal": len(expected)}


def grown(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{name}: instructions {before[name]['instructions']:,} -> {row['instructions']:,}"
        for name, row in now.items()
        if name in before and row["instructions"] > before[name]["instructions"] * TOLERANCE
    ]


def over(now: dict[str, Any]) -> list[str]:
    bars = [
        f"{name}: {row['instructions']:,} instructions a frame, the bar is {BARS[name]:,}"
        for name, row in now.items()
        if row["instructions"] > BARS.get(name, row["instructions"])
    ]
    size = front_end.table_bytes(SPEC)
    return bars + ([f"tables: {size:,} bytes, the bar is {TABLE_BYTES:,}"] if size > TABLE_BYTES else [])


def print_tables(results: dict[str, Any], spec: FeatureSpec) -> None:
    heads = ("instructions per frame (emulated)", "bar", *_front_end.STAGES, "frames equal")
    print(f"| board | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    for name, row in results.items():
        stages = " | ".join(f"{count:,}" for count in row["stages"].values())
        bar = f"{BARS[name]:,}" if name in BARS and spec is SPEC else "-"
        print(f"| {name} | {row['instructions']:,} | {bar} | {stages} | {row['frames_equal']:,} |")
    print(f"tables: {front_end.table_bytes(spec):,} bytes of flash")


if __name__ == "__main__":
    main()
