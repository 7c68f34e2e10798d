"""Instructions of one step of a streamed network on every emulated board.

    python benchmarks/stream_instructions.py            measure, print the table, write results/stream.json
    python benchmarks/stream_instructions.py --check    measure and compare: exit 1 when instructions or RAM grew by
                                                        more than 2 %, or a bar is exceeded
    ... [--boards qemu-an386 ...] [--seconds 60] [--layers] [--model FOLDER_OR_TFLITE]

By default the DS-CNN without padding in time (64 channels, 4 blocks; a step is two frames, 40 ms), random weights.
Emulated: exact counts under QEMU; only the network, without front end and detector. Every score of every board is
compared with the definition. --seconds: of rows, 20 ms each. --layers: what each node takes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _stream_board
from edgekws.emit.c import stream
from edgekws.files import write_json
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.graph.stream import definition
from edgekws.graph.stream.plan import plan
from edgekws.importers import load as load_imported
from firmware_io import board as boards
from firmware_io import build
from firmware_io.board import Board
from tests.streamable import valid_dscnn

RESULTS = Path(__file__).parent / "results" / "stream.json"
ROW_MS, TOLERANCE = 20, 1.02
COMPARED = ("instructions", "ram_bytes")
BARS = {"qemu-an386": 111_000}
"""Instructions of the network in 40 ms: with two frames of the front end, at most 24,000 each, the whole stays below
160,000.
"""


def main() -> None:
    options = parse()
    graph = load(options.model)
    print(f"{graph.name}: {plan(graph).macs:,} multiplications a step of {plan(graph).step_rows} rows")
    results = {name: measured(boards.load(name), graph, options) for name in options.boards}
    print_table(results)
    if options.check:
        worse = grown(json.loads(RESULTS.read_text()), results) + over_bar(results)
        print("\n".join(worse) or "nothing grew by more than 2 %, and every bar holds")
        sys.exit(1 if worse else 0)
    if not options.model:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        write_json(RESULTS, known | results)


def parse() -> argparse.Namespace:
    emulated = [name for name in boards.names() if runs_here(boards.load(name))]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", nargs="+", default=emulated)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--model", type=Path, help="a folder with graph.npz, or a .tflite file; results are not saved")
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def runs_here(board: Board) -> bool:
    return board.how == "emulated" and shutil.which(board.compiler) is not None


def load(model: Path | None) -> Graph:
    if model is None:
        return valid_dscnn()
    return io.load(model / "graph.npz") if model.is_dir() else load_imported(model)


def measured(board: Board, graph: Graph, options: argparse.Namespace) -> dict[str, Any]:
    count = round(options.seconds * 1000 / ROW_MS)
    rows = np.random.default_rng(0).integers(-128, 128, (count, graph.clip_shape[1])).astype(np.int8)
    ran = _stream_board.run(board, graph, rows)
    if not np.array_equal(ran.scores, definition.scores(graph, rows)):
        raise SystemExit(f"{board.name}: scores should be those of the definition")
    if options.layers:
        of_nodes = _stream_board.run(board, graph, rows, marks=True).of_nodes
        print("\n".join(f"    {name:30} {value:9,.0f}" for name, value in of_nodes.items()))
    return {
        "instructions": round(float(np.median(ran.instructions))),
        "ram_bytes": stream.memory(graph).total(build.core_of(board)),
        "steps_equal": len(ran.scores),
    }


def grown(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {key} {before[name][key]:,} -> {row[key]:,}"
        for name, row in now.items()
        for key in COMPARED
        if name in before and row[key] > before[name][key] * TOLERANCE
    ]


def over_bar(now: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {row['instructions']:,} instructions a step, the bar is {BARS[name]:,}"
        for name, row in now.items()
        if row["instructions"] > BARS.get(name, row["instructions"])
    ]


def print_table(results: dict[str, Any]) -> None:
    print("| board | instructions per step (emulated) | RAM of the network, B | steps equal |")
    print("|---|---|---|---|")
    for name, row in results.items():
        print(f"| {name} | {row['instructions']:,} | {row['ram_bytes']:,} | {row['steps_equal']:,} |")


if __name__ == "__main__":
    main()
