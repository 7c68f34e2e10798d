"""`edgekws boards`, `flash` and `bench`: everything that meets a board."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws import console
from edgekws.cli._options import BOARD, DATA, OUT, BoardOption, DataOption, MinRamOption, OutOption
from edgekws.errors import ParityError

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph
    from firmware_io.board import Board


def boards() -> None:
    """List the boards."""
    from firmware_io import board

    table = Table("board", "what it is", "core", "flash", "RAM", "figures are", box=None)
    for name in board.names():
        entry = board.load(name)
        sizes = [f"{size // 1024} KB" if size else "no limit" for size in (entry.flash_bytes, entry.ram_bytes)]
        table.add_row(name, entry.title, entry.core, *sizes, entry.how)
    console.out.print(table)


def flash(
    board: BoardOption = BOARD,
    out: OutOption = OUT,
    min_ram: MinRamOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be run; change nothing.")] = False,
) -> None:
    """Build the firmware with the model, load it on the board and ask who answers."""
    load(board, out, dry_run, min_ram)


def bench(
    board: BoardOption = BOARD,
    data: DataOption = DATA,
    out: OutOption = OUT,
    clips: Annotated[int, typer.Option(help="Test clips to send over serial; 0 is all.", min=0)] = 0,
    min_ram: MinRamOption = False,
) -> None:
    """Measure latency and accuracy over serial, check every answer, write the report."""
    measure(board, data, out, clips, min_ram)


def load(name: str, out: Path, dry_run: bool, min_ram: bool = False) -> None:
    """Build, load and greet; or only say how."""
    from firmware_io import board as boards
    from firmware_io import build, flash
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    board = boards.load(name)
    tool = flash.load(board.flash_tool)
    elf = out / "firmware" / f"{name}.elf"
    _, model = _model(board, out, min_ram)
    if dry_run:
        for line in build.commands(board, elf.parent / "src", elf):
            console.out.print("build: " + shlex.join(line))
        console.out.print("load:  " + shlex.join(tool.command(board, elf)))
        return
    firmware = build.build(board, model, elf)
    if not tool.CAPABILITIES.loads:
        console.out.print(f"{elf} is built, not loaded. Run: {shlex.join(tool.command(board, elf))}")
        return
    with open_transport(board.transport, elf) as transport:
        identity = Session(transport).start()
    budgets = [f"of {size}" if size else "used" for size in (board.flash_bytes, board.ram_bytes)]
    console.out.print(f"{name}: {identity.name} answers, {identity.profile}, model {identity.model}")
    console.out.print(f"flash {firmware.flash_bytes} {budgets[0]} B, RAM {firmware.ram_bytes} {budgets[1]} B, {elf}")


def measure(name: str, data: Path, out: Path, clips: int, min_ram: bool = False) -> None:
    """Run the benchmark on a loaded board and write its report."""
    import numpy as np

    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.features import cache
    from edgekws.report import build_report, write_report
    from firmware_io import board as boards
    from firmware_io import build
    from firmware_io.bench import Vectors
    from firmware_io.bench import bench as run_bench
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    board, loaded = boards.load(name), dataset.load(data)
    graph, model = _model(board, out, min_ram)
    test = loaded.splits["test"]
    count = min(clips or len(test), len(test))
    chosen = np.unique(np.linspace(0, len(test) - 1, count).astype(int))  # spread over all labels
    features = cache.int8_features(loaded, "test", graph.features)[chosen]
    vectors = Vectors(f"{loaded.name} test", tuple(test.ids[i] for i in chosen), features, test.labels[chosen])
    firmware = build.build(board, model, out / "firmware" / f"{name}.elf")
    with open_transport(board.transport, firmware.elf) as transport, console.progress() as report:
        run = run_bench(Session(transport), board, graph, vectors, firmware=firmware, progress=report)
    document = build_report(
        f"{graph.name} on {board.title}",
        graph,
        run.to_json(),
        figures=pipeline.figures(out, loaded),
        parity=pipeline.parity_rows(out / "export" / "parity.json", graph),
        manifests=pipeline.manifests(out, loaded, graph),
        warnings=loaded.notes,
    )
    paths = write_report(document, out / "bench" / name)
    for figure in run.measurements():
        console.out.print(f"{figure.name}: {figure.value:.6g} {figure.unit} ({figure.how}, n = {figure.n})")
    console.out.print(f"[bold]{run.verdict}[/], report in {paths[-1]}")
    if not run.valid:
        raise ParityError("the run should be valid", got="; ".join(run.reasons), hint=f"see {paths[-1]}")


def _model(board: Board, out: Path, min_ram: bool) -> tuple[Graph, dict[str, bytes]]:
    """The graph and its C, whose memory plan fits the board, and is shown."""
    from edgekws.emit import c
    from edgekws.graph import io
    from firmware_io import plan

    graph = io.load(out / "graph.npz")
    console.out.print(plan.checked(board, graph, min_ram))
    return graph, c.emit(graph, min_ram)
