"""`edgekws export --for`: a model for a vendor's own compiler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli import console
from edgekws.data.labels import require_equal

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph
    from edgekws.targets import Target


def run(tool: str, device: str | None, data: Path, out: Path) -> None:
    """Write the inputs of `tool` for `device` below `out`/export, and run it where it is installed."""
    from edgekws import plugins, targets
    from edgekws.data import dataset
    from edgekws.features import cache
    from edgekws.graph import io

    vendor = plugins.load("vendors", tool)
    target, chosen = targets.load(f"{vendor.TARGET}:{device}" if device else vendor.TARGET)
    loaded, graph = dataset.load(data), io.load(out / "graph.npz")
    require_equal(graph.labels, loaded.labels, f"the data set {loaded.name}")
    _warn(graph, target)
    folder, test = out / "export" / vendor.NAME / chosen.name, loaded.splits["test"]
    features = cache.int8_features(loaded, "test", graph.front_end)
    vendor.write(folder, graph, chosen.name, features, test.labels, test.ids)
    console.out.print(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir() if path.is_file()))}")
    console.out.print(vendor.command(graph, chosen.name), markup=False)
    if not vendor.installed():
        console.out.print(f"[yellow]not compiled:[/] TI's compiler is not here; {vendor.HOW_TO_GET}")
        return
    compiled = vendor.compile_model(folder)
    console.out.print(f"compiled: {compiled.library}")
    for kind in compiled.on_cpu:
        console.out.print(f"[yellow]the compiler leaves a layer to the CPU:[/] {kind}")


def _warn(graph: Graph, target: Target) -> None:
    from edgekws import targets

    for name, reason in targets.refused_layers(graph, target).items():
        console.err.print(f"[yellow]{name} would run on the CPU, because[/] {reason}")
