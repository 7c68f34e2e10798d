"""`edgekws bench`: figures of a board over its serial port, and a report of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekws import console
from edgekws.cli._options import BOARD, DATA, OUT, BoardOption, DataOption, MinRamOption, OutOption
from edgekws.cli.board import emitted_model
from edgekws.errors import ParityError


def bench(
    board: BoardOption = BOARD,
    data: DataOption = DATA,
    out: OutOption = OUT,
    clips: Annotated[int, typer.Option(help="Test clips to send over serial; 0 is all.", min=0)] = 0,
    min_ram: MinRamOption = False,
) -> None:
    """Measure latency and accuracy over serial, check every answer, write the report."""
    measure(board, data, out, clips, min_ram)


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
    graph, model = emitted_model(board, out, min_ram)
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
