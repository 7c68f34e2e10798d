"""What the arrows left behind, for a report."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from edgekws import __version__
from edgekws.data.dataset import Dataset
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.pipeline._quantize import read_scores
from edgekws.types import Interval, Manifest, Measurement

_PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "ai-edge-litert")


def figures(out: Path, data: Dataset) -> list[Measurement]:
    """The accuracies that `quantize` computed on this machine."""
    rows = read_scores(out / "quantize.json")["scores"]
    named = (("float", "float network"), ("graph", "integer graph"))
    return [
        Measurement(
            f"top-1 accuracy of the {what}, {data.name} {split}",
            row[key]["accuracy"],
            "share",
            "computed",
            row[key]["n"],
            Interval(*row[key]["interval"]),
        )
        for split, row in rows.items()
        for key, what in named
    ]


def manifests(out: Path, data: Dataset, graph: Graph) -> dict[str, Manifest]:
    """Where the data, the network and the graph came from."""
    quantized = read_scores(out / "quantize.json")
    software = versions()
    return {
        "data": Manifest("data set", {data.name: data.sha256}, notes=data.notes),
        "graph": Manifest("graph", {**graph.provenance, "graph": io.digest(graph)}, quantized["recipe"], software),
    }


def versions() -> dict[str, str]:
    """What a manifest says about the software."""
    packages = {name: metadata.version(name) for name in _PACKAGES}
    return {"edgekws": __version__, "python": platform.python_version(), **packages}
