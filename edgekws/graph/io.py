"""Graph files: an .npz with a JSON header. A reader refuses other kinds, versions and hashes.

header   uint8 [n]   UTF-8 JSON: kind, version, sha256 of all arrays, nodes, labels, feature spec
N.weight, N.offset, N.mult, N.shift                 the arrays of node number N
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.spec import FeatureSpec
from edgekws.files import check_kind, npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.graph.ir import Graph, Node, Requant

KIND, VERSION = "edgekws-graph", 2
HINT = "run edgekws quantize first"
_STAGE_ARRAYS = ("offset", "mult", "shift")
_STAGE_PLAIN = ("lo", "hi", "rule")
_PLAIN = [f.name for f in fields(Node) if f.name not in ("weight", "requant")]
_MULTIPLIER = {"offset-scale-shift": np.uint8, "fixed-point": np.int32}


def to_bytes(graph: Graph) -> bytes:
    graph.check()
    arrays = _arrays(graph)
    header = {"kind": KIND, "version": VERSION, "sha256": _digest(arrays, _header(graph)), **_header(graph)}
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    return npz_bytes({"header": text, **arrays})


def from_bytes(content: bytes, source: Path = Path("graph")) -> Graph:
    """Raises ArtifactError for anything but an undamaged graph of this version."""
    arrays = npz_arrays(content, f"{source}: an edgekws graph", HINT)
    try:
        header = json.loads(arrays.pop("header").tobytes())
    except (ValueError, KeyError) as error:
        raise ArtifactError(f"{source} should be an edgekws graph", got=f"no header ({error})", hint=HINT) from error
    check_kind(source, header, KIND, VERSION)
    stated = header.pop("sha256", "")
    body = {key: value for key, value in header.items() if key not in ("kind", "version")}
    if _digest(arrays, body) != stated:
        raise ArtifactError(f"{source} should match its own hash", got="changed content", hint="export it again")
    graph = _build(body, arrays)
    graph.check()
    return graph


def save(graph: Graph, path: Path) -> None:
    write_bytes(path, to_bytes(graph))


def load(path: Path) -> Graph:
    return from_bytes(read_content(path, "an edgekws graph", HINT), path)


def digest(graph: Graph) -> str:
    """The sha256 that names this graph in reports and manifests."""
    return _digest(_arrays(graph), _header(graph))


def _arrays(graph: Graph) -> dict[str, np.ndarray]:
    arrays = {}
    for number, node in enumerate(graph.nodes):
        if node.weight is not None:
            arrays[f"{number}.weight"] = node.weight.astype(np.int8)
        stage = node.requant
        arrays[f"{number}.offset"] = stage.offset.astype(np.int32)
        arrays[f"{number}.mult"] = stage.mult.astype(_MULTIPLIER[stage.rule])
        arrays[f"{number}.shift"] = stage.shift.astype(np.uint8)
    return arrays


def _header(graph: Graph) -> dict[str, Any]:
    nodes = [
        {
            **{key: getattr(node, key) for key in _PLAIN},
            "requant": {key: getattr(node.requant, key) for key in _STAGE_PLAIN},
        }
        for node in graph.nodes
    ]
    header = {
        "nodes": nodes,
        "labels": graph.labels,
        "features": graph.features.to_json(),
        "target": graph.target,
        "name": graph.name,
        "input_scale": graph.input_scale,
        "provenance": graph.provenance,
    }
    plain: dict[str, Any] = json.loads(json.dumps(header))  # tuples become lists, as a reader sees them
    return plain


def _digest(arrays: dict[str, np.ndarray], header: dict[str, Any]) -> str:
    state = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in sorted(arrays):
        state.update(key.encode() + np.ascontiguousarray(arrays[key]).tobytes())
    return state.hexdigest()


def _build(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Graph:
    try:
        nodes = tuple(_node(number, value, arrays) for number, value in enumerate(header["nodes"]))
        rest = {key: header[key] for key in ("target", "name", "input_scale", "provenance")}
        features = FeatureSpec.from_json(header["features"])
        return Graph(nodes=nodes, labels=tuple(header["labels"]), features=features, **rest)
    except (KeyError, TypeError) as error:
        raise ArtifactError("a complete graph header was expected", got=f"field {error}") from error


def _node(number: int, value: dict[str, Any], arrays: dict[str, np.ndarray]) -> Node:
    stage: dict[str, Any] = {key: arrays[f"{number}.{key}"] for key in _STAGE_ARRAYS}
    plain: Any = {key: tuple(value[key]) if isinstance(value[key], list) else value[key] for key in _PLAIN}
    requant = Requant(**stage, **value["requant"])
    return Node(**plain, requant=requant, weight=arrays.get(f"{number}.weight"))
