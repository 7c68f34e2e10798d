"""`edgekws export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import DATA, OUT, DataOption, MinRamOption, OutOption
from edgekws.cli.line import vendor
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from edgekws.graph.ir import Graph
    from edgekws.pipeline import Parity


FormatOption = Annotated[
    list[str] | None,
    typer.Option("--format", help="Only this: c, onnx-qdq, onnx-tinpu or tflite; may be repeated.", metavar="FORMAT"),
]


def export(
    data: DataOption = DATA,
    out: OutOption = OUT,
    formats: FormatOption = None,
    min_ram: MinRamOption = False,
    tool: Annotated[
        str | None, typer.Option("--for", help="Instead, what a vendor's compiler wants: ti-nnc.", metavar="COMPILER")
    ] = None,
    device: Annotated[str | None, typer.Option(help="With --for: mspm0g5187, f28p55x, am13e2.")] = None,
) -> None:
    """Write ONNX, TFLite and C from the graph, run each on every test clip and compare with the interpreter."""
    if tool is not None:
        if formats:
            raise ConfigError("--format or --for, not both", got=f"--format {formats[0]} --for {tool}")
        vendor.run(tool, device, data, out)
    elif device is not None:
        raise ConfigError("--device goes with --for", got=f"--device {device}", hint="add --for ti-nnc")
    else:
        run(data, out, formats, min_ram)


def run(data: Path, out: Path, formats: list[str] | None = None, min_ram: bool = False) -> None:
    """Write artifacts of the graph in `out`, by default every one, and compare each with the interpreter."""
    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.features import cache
    from edgekws.graph import golden, io
    from firmware_io.build import c_project

    loaded, graph = dataset.load(data), io.load(out / "graph.npz")
    features, test = cache.int8_features(loaded, "test", graph.features), loaded.splits["test"]
    chosen = golden.choose(test.labels)
    golden.write(
        out / "export" / "golden.npz", graph, features[chosen], test.labels[chosen], [test.ids[i] for i in chosen]
    )
    few = golden.choose(test.labels, c_project.PER_LABEL)
    vectors = c_project.Golden(
        features[few], graph.run(features[few]), test.labels[few], tuple(test.ids[i] for i in few)
    )
    emitters = {"c": lambda given: c_project.files(given, vectors, min_ram)}
    with console.progress() as report:
        exported = pipeline.export(graph, out / "export", features, report, formats, emitters)
    results = exported.results
    if (not formats or "c" in formats) and "c" not in exported.refused:
        results += _compiled(graph, features, min_ram)
    pipeline.write_parity(out / "export" / "parity.json", graph, results)
    _show(results, exported.refused)
    pipeline.require_parity(results)


def _compiled(graph: Graph, features: np.ndarray, min_ram: bool) -> list[Parity]:
    """The C on this computer, in C11 as every board can run it and with the instructions that there are."""
    from edgekws import pipeline
    from edgekws.emit import c
    from firmware_io import tools
    from firmware_io.build import host_cc, host_library, memory_plan

    memory = c.memory(graph, min_ram)
    for core in memory.scratch:
        console.out.print(f"c: {memory_plan.describe(memory, core)}")
    if not host_cc.has_compiler():
        hint = tools.install_hint(host_cc.COMPILER)
        console.out.print(f"[yellow]c was written and not run:[/] there is no {host_cc.COMPILER} here; {hint}")
        return []
    model, expected = c.emit(graph, min_ram), graph.run(features)
    runs = {"compiled for this machine": None, "compiled as plain C11": host_cc.PORTABLE}
    return [
        pipeline.compare("c", name, host_library.compile_model(model, None, options), features, expected)
        for name, options in runs.items()
    ]


def _show(results: list[Parity], refused: dict[str, str]) -> None:
    table = Table("artifact", "runtime", "clips", "differing integers", "largest", box=None)
    for row in results:
        table.add_row(row.artifact, row.runtime, str(row.clips), f"{row.differences} of {row.values}", str(row.largest))
    console.out.print(table)
    for artifact, reason in refused.items():
        console.out.print(f"[yellow]no {artifact}:[/] {reason}")
