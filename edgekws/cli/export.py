"""`edgekws export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edgekws import console
from edgekws.cli import vendor
from edgekws.cli._options import DATA, OUT, DataOption, OutOption
from edgekws.errors import ConfigError


def export(
    data: DataOption = DATA,
    out: OutOption = OUT,
    tool: Annotated[
        str | None, typer.Option("--for", help="Instead, what a vendor's compiler wants: ti-nnc.", metavar="COMPILER")
    ] = None,
    device: Annotated[str | None, typer.Option(help="With --for: mspm0g5187, f28p55x, am13e2.")] = None,
) -> None:
    """Write ONNX, TFLite and C from the graph, run each on every test clip and compare with the interpreter."""
    if tool is not None:
        vendor.run(tool, device, data, out)
    elif device is not None:
        raise ConfigError("--device goes with --for", got=f"--device {device}", hint="add --for ti-nnc")
    else:
        run(data, out)


def run(data: Path, out: Path) -> None:
    """Write every artifact of the graph in `out` and compare each with the interpreter."""
    import tempfile

    from edgekws import golden, pipeline, plugs
    from edgekws.data import dataset
    from edgekws.features import cache
    from edgekws.graph import interp, io
    from firmware_io import hostlib

    loaded, graph = dataset.load(data), io.load(out / "graph.npz")
    features, test = cache.int8_features(loaded, "test", graph.features), loaded.splits["test"]
    chosen = golden.choose(test.labels)
    golden.write(
        out / "export" / "golden.npz", graph, features[chosen], test.labels[chosen], [test.ids[i] for i in chosen]
    )
    with console.progress() as report:
        exported = pipeline.export(graph, out / "export", features, report)
    results = exported.results
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        compiled = hostlib.compile_model(plugs.load("emit", "c").emit(graph), Path(folder))
        results.append(
            pipeline.compare("c", "compiled for this machine", compiled, features, interp.run(graph, features))
        )
    pipeline.write_parity(out / "export" / "parity.json", graph, results)
    table = Table("artifact", "runtime", "clips", "differing integers", "largest", box=None)
    for row in results:
        table.add_row(row.artifact, row.runtime, str(row.clips), f"{row.differences} of {row.values}", str(row.largest))
    console.out.print(table)
    for artifact, reason in exported.refused.items():
        console.out.print(f"[yellow]no {artifact}:[/] {reason}")
    pipeline.require_parity(results)
