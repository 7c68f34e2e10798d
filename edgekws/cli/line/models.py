"""`edgekws models`: the released models, which other commands take by their names."""

from __future__ import annotations

from rich.table import Table

from edgekws.cli import console


def models() -> None:
    """List the released models, whose names stand for their folders and recipes in every command."""
    from edgekws import models as released
    from edgekws.graph import io

    table = Table("model", "target", "labels", "parameters, B", "MACs", box=None)
    for name in released.names():
        graph = io.load(released.folder(name) / released.GRAPH)
        table.add_row(name, graph.target, f"{len(graph.labels)}", f"{graph.parameter_bytes:,}", f"{graph.macs:,}")
    console.out.print(table)
    console.out.print(f"in {released.home()}", markup=False)
    console.next_step("bench", "--out", released.names()[0])
