"""Instructions, flash and RAM of the released DS-CNN on every emulated board, at every width.

    python benchmarks/instructions.py              measure, print the table, write results/instructions.json
    python benchmarks/instructions.py --check      measure and compare: exit 1 when a figure grew by more than 2 % or an
                                                   image exceeds its flash budget
    python benchmarks/instructions.py --fit        also print the costs for edgekws/targets/_estimate.py, of all models
    python benchmarks/instructions.py --data work/data --clips 500     also classify this many test clips on every image
    python benchmarks/instructions.py --imported kws_ref_model.tflite     an imported network instead; nothing is saved
    ... [--boards qemu-an386 ...] [--min-ram]

"like_ref" is the same network with the arithmetic of MLPerf's reference model (benchmarks/_reference.py).
Emulated: instructions under QEMU, exact and repeatable for one compiler. An image is measured only after it gave the
interpreter's scores for some golden clips.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _fit_costs, _reference
from edgekws.data import dataset
from edgekws.emit import c
from edgekws.features import cache
from edgekws.files import write_json
from edgekws.graph import golden, interp, io
from edgekws.graph.ir import Graph
from edgekws.importers import load as load_imported
from firmware_io import board as boards
from firmware_io import build
from firmware_io.board import Board
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "dscnn"
GOLDEN = MODEL / "golden.npz"
RESULTS = HERE / "results" / "instructions.json"
GRAPHS = {"w8": "graph.npz", "w4": "graph-w4-qat.npz", "w2": "graph-w2-qat.npz"}
LIKE_REFERENCE = "like_ref"
COMPARED = ("instructions", "flash_bytes", "ram_bytes")
CLIPS, ITERATIONS, TOLERANCE = 4, 16, 1.02
FLASH_BUDGETS = {"w8": 40 << 10, "w4": 29 << 10, "w2": 23 << 10}
"""Largest firmware image of the DS-CNN on any board, in bytes, protocol included."""


def main() -> None:
    options = parse()
    if options.fit:
        for name in options.boards:
            print_costs(boards.load(name))
        return
    results = {name: measured(boards.load(name), options) for name in options.boards}
    print_table(results)
    if options.check:
        worse = grown(json.loads(RESULTS.read_text()), results) + over_budget(results)
        print("\n".join(worse) or "nothing grew by more than 2 %, all images are within their budgets and bars")
        sys.exit(1 if worse else 0)
    if not options.min_ram and not options.imported:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        write_json(RESULTS, known | results)


def parse() -> argparse.Namespace:
    emulated = [name for name in boards.names() if runs_here(boards.load(name))]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", nargs="+", default=emulated)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the graphs")
    parser.add_argument("--data", type=Path, help="prepared data set, for --clips")
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument(
        "--min-ram",
        action="store_true",
        help="use the memory plan with the least scratch memory; results are not saved",
    )
    parser.add_argument("--imported", type=Path, help="a model of another tool, with random inputs")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--fit", action="store_true")
    return parser.parse_args()


def runs_here(board: Board) -> bool:
    return board.how == "emulated" and shutil.which(board.compiler) is not None


def measured(board: Board, options: argparse.Namespace) -> dict[str, Any]:
    if options.imported:
        graph = load_imported(options.imported)
        height, width, channels = graph.in_shape
        inputs = np.random.default_rng(0).integers(-128, 128, (options.clips, height, width * channels))
        return {graph.name: one(board, graph, inputs.astype(np.int8), options.min_ram)}
    graphs = {width: io.load(options.model / name) for width, name in GRAPHS.items() if (options.model / name).exists()}
    if options.model == MODEL:
        graphs[LIKE_REFERENCE] = _reference.like_reference(graphs["w8"])
    features = clips(options.data, options.clips) if options.data else golden.read(GOLDEN)["features"][:CLIPS]
    return {width: one(board, graph, features, options.min_ram) for width, graph in graphs.items()}


def clips(data: Path, count: int) -> np.ndarray:
    """int8 [count, ...] features of test clips, evenly spaced over the split and so over all labels."""
    features = cache.int8_features(dataset.load(data), "test", io.load(MODEL / "graph.npz").features)
    return features[np.unique(np.linspace(0, len(features) - 1, count).astype(int))]


def one(board: Board, graph: Graph, features: np.ndarray, min_ram: bool) -> dict[str, Any]:
    with running(board, graph, min_ram) as (session, firmware):
        answers = [session.classify(clip).scores for clip in features]
        window = session.infer(ITERATIONS, 1)
        stack = session.stack()
    equal = int((np.array(answers) == interp.run(graph, features)).all(axis=1).sum())
    if equal != len(features):
        raise SystemExit(f"{board.name}: {equal} of {len(features)} clips have the interpreter's scores")
    return {
        "instructions": round(counted(board, window.device_us / ITERATIONS)),
        "flash_bytes": firmware.flash_bytes,
        "ram_bytes": firmware.ram_bytes,
        "stack_bytes": stack.used if stack else 0,
        "clips_equal": equal,
    }


@contextmanager
def running(board: Board, graph: Graph, min_ram: bool) -> Iterator[tuple[Session, build.Firmware]]:
    with tempfile.TemporaryDirectory() as folder:
        firmware = build.build(board, c.emit(graph, min_ram), Path(folder) / "firmware.elf")
        with open_transport(board.transport, firmware.elf) as transport:
            session = Session(transport)
            session.start()
            yield session, firmware


def counted(board: Board, us: float) -> float:
    return us * 1000 / (1 << board.icount_shift)


def print_costs(board: Board) -> None:
    """The cost model of the board's core, from every layer of every released 8-bit network."""
    layers = []
    for path in sorted(MODEL.parent.glob("*/graph.npz")):
        graph = io.load(path)
        with running(board, graph, min_ram=False) as (session, _):
            session.classify(golden.read(path.with_name("golden.npz"))["features"][0])
            times = session.layers(ITERATIONS) or ()
        layers += [_fit_costs.Counted(node, counted(board, us)) for node, us in zip(graph.nodes, times, strict=True)]
    costs = _fit_costs.fit(layers)
    errors = _fit_costs.errors(layers, costs)
    rounded = ", ".join(f"{value:.3g}" for value in astuple(costs))
    print(f'    "{board.cpu}": Costs({rounded}),  # {board.name}, {len(layers)} layers: ', end="")
    worst = layers[int(np.abs(errors).argmax())].node
    print(f"largest in {worst.op} {worst.kernel} of {worst.out_shape}; ", end="")
    print(f"mean error {100 * np.abs(errors).mean():.0f} %, largest {100 * np.abs(errors).max():.0f} %")


def grown(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    rows = [(name, width, key) for name, widths in now.items() for width, row in widths.items() for key in COMPARED]
    known = [row for row in rows if row[1] in before.get(row[0], {})]
    return [
        f"{name} {width}: {key} {before[name][width][key]:,} -> {now[name][width][key]:,}"
        for name, width, key in known
        if now[name][width][key] > before[name][width][key] * TOLERANCE
    ]


def over_budget(now: dict[str, Any]) -> list[str]:
    rows = [(name, width, row) for name, widths in now.items() for width, row in widths.items()]
    flash = [
        f"{name} {width}: {row['flash_bytes']:,} bytes of flash, the budget is {FLASH_BUDGETS[width]:,}"
        for name, width, row in rows
        if row["flash_bytes"] > FLASH_BUDGETS.get(width, row["flash_bytes"])
    ]
    return flash + [
        f"{name} {width}: {row['instructions']:,} instructions, the bar is {_reference.BARS[name]:,}"
        for name, width, row in rows
        if width not in FLASH_BUDGETS and row["instructions"] > _reference.BARS.get(name, row["instructions"])
    ]


def print_table(results: dict[str, Any]) -> None:
    heads = (
        "instructions per inference (emulated)",
        "ratio to the first",
        "flash, B",
        "RAM, B",
        "stack used, B",
        "clips equal",
    )
    print(f"| board | width | {' | '.join(heads)} |")
    print("|---|---|---|---|---|---|---|---|")
    for name, widths in results.items():
        for width, row in widths.items():
            ratio = row["instructions"] / next(iter(widths.values()))["instructions"]
            print(
                f"| {name} | {width} | {row['instructions']:,} | {ratio:.3f} | {row['flash_bytes']:,} "
                f"| {row['ram_bytes']:,} | {row['stack_bytes']:,} | {row['clips_equal']:,} |"
            )


if __name__ == "__main__":
    main()
