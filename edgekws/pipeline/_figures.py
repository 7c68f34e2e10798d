"""Results of the line's steps, for a report."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from edgekws._version import __version__
from edgekws.data.dataset import Dataset
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.pipeline._quantize import read_scores
from edgekws.types import Interval, Manifest, Measurement

_PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "ai-edge-litert")


def figures(out: Path, data: Dataset, graph: Graph) -> list[Measurement]:
    """The accuracies that `quantize` computed on this computer; empty when it was run on another graph or not here."""
    rows = _quantized(out, graph).get("scores", {})
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
    recipe = _quantized(out, graph).get("recipe", {})
    notes = () if recipe else ("quantize.json of this graph is missing: its recipe and accuracies are unknown",)
    inputs = {**graph.provenance, "graph": io.digest(graph)}
    return {
        "data": Manifest("data set", {data.name: data.sha256}, notes=data.notes),
        "graph": Manifest("graph", inputs, recipe, versions(), notes),
    }


def _quantized(out: Path, graph: Graph) -> dict[str, Any]:
    """What `quantize` wrote about this graph. Raises ArtifactError when its file is damaged."""
    path = out / "quantize.json"
    scores = read_scores(path) if path.exists() else {}
    return scores if scores.get("graph") == io.digest(graph) else {}


def versions() -> dict[str, str]:
    """Versions of edgekws, Python and the installed packages, for a manifest."""
    installed = {name: version for name in _PACKAGES if (version := _version(name))}
    return {"edgekws": __version__, "python": platform.python_version(), **installed}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
