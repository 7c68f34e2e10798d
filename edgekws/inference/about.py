"""What is known of a model: its layers, front end, labels, where it comes from, and which exports of it exist.

Everything is read from the model's file and from what the steps of the line wrote beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekws import models, pipeline
from edgekws.data.labels import reject_note
from edgekws.files import read_json, sha256_file
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.inference.model import FLOAT, Model
from edgekws.models import memory

KIND, VERSION = "edgekws-info", 1
_MANIFEST, _MANIFEST_KIND, _MANIFEST_VERSION = Path("export") / "manifest.json", "edgekws-manifest", 1
_EXPORTED = (".onnx", ".tflite")


def describe(model: Model) -> dict[str, Any]:
    """The `edgekws-info` document of a model. Raises ArtifactError for a damaged file beside it."""
    graph = _graph(model)
    return {
        "kind": KIND,
        "version": VERSION,
        "model": {
            "path": str(model.path),
            "kind": model.kind,
            "name": model.name,
            "sha256": model.sha256,
            "bytes": model.path.stat().st_size,
            "target": graph.target if graph else model.about.get("target", ""),
        },
        "labels": list(model.labels),
        "reject_note": reject_note(model.labels),
        "front_end": {**model.inputs.to_json(), "shape": list(model.inputs.shape)},
        "layers": _layers(model, graph),
        "totals": _totals(model, graph),
        "streaming": None if graph is None else _streaming(graph),
        "provenance": graph.provenance if graph else {},
        "data": _data(model),
        "recipe": _recipe(model),
        "scores": _scores(model),
        "exported_by": {key: model.about[key] for key in ("edgekws_version", "rounding") if key in model.about},
        "exports": _exports(model),
    }


def _graph(model: Model) -> Graph | None:
    """The graph; of an exported file the one in its folder, if it was exported from that."""
    beside = model.folder / models.GRAPH
    if model.graph is not None or model.kind == FLOAT or not beside.exists():
        return model.graph
    graph = io.load(beside)
    return graph if io.digest(graph) == model.sha256 else None


def _layers(model: Model, graph: Graph | None) -> list[dict[str, Any]]:
    """A row for each node of a graph; of a float network for each tensor of weights; else the names and scales."""
    if graph is not None:
        return [
            {
                "name": node.name,
                "op": node.op,
                "inputs": list(node.inputs),
                "output": list(node.out_shape),
                "bits": node.weight_bits if node.weight is not None else None,
                "macs": node.macs,
                "bytes": node.parameter_bytes,
                "scale": node.out_scale,
            }
            for node in graph.nodes
        ]
    if model.trained is not None:
        weights = model.trained.network.named_parameters()
        return [{"name": name, "shape": list(value.shape), "parameters": value.numel()} for name, value in weights]
    scales: dict[str, float] = json.loads(model.about["output_scales"])
    return [{"name": name, "scale": scale} for name, scale in scales.items()]


def _totals(model: Model, graph: Graph | None) -> dict[str, int]:
    if graph is not None:
        return {"macs": graph.macs, "parameter_bytes": graph.parameter_bytes}
    if model.trained is not None:
        return {"parameters": sum(value.numel() for value in model.trained.network.parameters())}
    return {}


def _streaming(graph: Graph) -> dict[str, Any]:
    """What a stream of the graph costs, or the layers that forbid it; `edgekws check --streaming` says more."""
    from edgekws.graph.stream import facts, rules

    obstacles = rules.study(graph).obstacles
    if obstacles:
        return {"streams": False, "layers": list(dict.fromkeys(each.layer for each in obstacles))}
    found = facts.facts(graph)
    kept = ("step_rows", "first_rows", "look_ahead_rows", "state_bytes", "macs")
    return {"streams": True, "step_ms": found.rows_ms(found.step_rows), **{key: getattr(found, key) for key in kept}}


def _data(model: Model) -> dict[str, Any] | None:
    """The data set that the model folder remembers."""
    known = memory.origin(model.folder)
    return {"name": known.name, "sha256": known.sha256, "folder": known.absolute} if known else None


def _recipe(model: Model) -> dict[str, Any]:
    if model.trained is not None:
        return model.trained.recipe.to_json()
    recipe: dict[str, Any] = _quantized(model).get("recipe", {})
    return recipe


def _scores(model: Model) -> dict[str, Any]:
    scores: dict[str, Any] = _quantized(model).get("scores", {})
    return scores


def _quantized(model: Model) -> dict[str, Any]:
    """What `quantize` wrote about this graph; empty when it wrote nothing, or about another one."""
    path = model.folder / "quantize.json"
    written = pipeline.read_scores(path) if model.kind != FLOAT and path.exists() else {}
    return written if written.get("graph") == model.sha256 else {}


def _exports(model: Model) -> list[dict[str, Any]]:
    """Artifacts of this graph: those of the manifest of `export`, and exported files beside a released graph."""
    path = model.folder / _MANIFEST
    written = read_json(path, _MANIFEST_KIND, _MANIFEST_VERSION) if path.exists() else {}
    if written.get("graph") == model.sha256:
        hashes: dict[str, str] = written["files"]
        return [_export(path.parent / name, digest, model.folder) for name, digest in sorted(hashes.items())]
    if model.kind == FLOAT:
        return []
    beside = sorted(each for each in model.folder.iterdir() if each.suffix in _EXPORTED)
    return [_export(each, "", model.folder) for each in beside if model.sha256.encode() in each.read_bytes()]


def _export(path: Path, expected: str, folder: Path) -> dict[str, Any]:
    """state: "unchanged" since the export, "changed", "missing", or "exported" when no manifest has its hash."""
    name = path.relative_to(folder).as_posix()
    if not path.is_file():
        return {"file": name, "sha256": expected, "bytes": 0, "state": "missing"}
    digest = sha256_file(path)
    state = "exported" if not expected else "unchanged" if digest == expected else "changed"
    return {"file": name, "sha256": digest, "bytes": path.stat().st_size, "state": state}
