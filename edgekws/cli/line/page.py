"""`edgekws export --format web`: the page that listens, and the detector of what listens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli import console
from edgekws.errors import BoardError, TargetError

if TYPE_CHECKING:
    from edgekws.detect.settings import Settings
    from edgekws.graph.ir import Graph

FORMAT = "web"


def run(out: Path) -> None:
    """Write the page of the graph in `out`. Raises TargetError for a graph that cannot listen."""
    import numpy as np

    from edgekws import pipeline
    from edgekws.graph import io
    from firmware_io.emit import web

    graph = io.load(out / "graph.npz")
    no_clips = np.zeros((0, *graph.clip_shape), np.int8)
    with console.waiting("compile the page"):
        exported = pipeline.export(
            graph, out / "export", no_clips, lambda *_: None, [FORMAT], {FORMAT: lambda given: files(given, out)}
        )
    for reason in exported.refused.values():
        raise TargetError(reason)
    path = out / "export" / web.FILE
    console.out.print(f"{path}: {path.stat().st_size:,} bytes; open it in a browser", markup=False)


def write(model: Path, path: Path) -> None:
    """The page of the graph in the folder `model`, as the file `path`. Without a compiler it is only said."""
    from edgekws.files import write_bytes
    from edgekws.graph import io
    from firmware_io.emit import web

    try:
        write_bytes(path, files(io.load(model / "graph.npz"), model)[web.FILE])
    except BoardError as error:
        console.warn(f"there is no page: {error}")
        return
    console.out.print(f"{path}: the same model in a browser; open it and press Listen", markup=False)


def files(graph: Graph, out: Path) -> dict[str, bytes]:
    """The page of a graph, with the detector in its folder."""
    from firmware_io.emit import web

    return web.emit(graph, detector(graph, out))


def detector(graph: Graph, out: Path) -> Settings:
    """The detector in the folder of a model, or one that nobody has chosen, which is said.

    Raises TargetError where the graph cannot run over a stream.
    """
    from edgekws.detect import listener, settings
    from edgekws.graph import io

    path, step_ms = out / settings.FILE, listener.clock(graph).step_ms
    if path.exists():
        return settings.load(path, io.digest(graph))
    console.warn(f"there is no {settings.FILE}: what listens has thresholds that nobody has chosen")
    return settings.default(graph.labels, step_ms)
