"""Graph files: an .npz with a JSON header. A reader refuses other kinds, versions and hashes.

header   uint8 [n]   UTF-8 JSON: kind, version, sha256 of all arrays, nodes, labels, feature spec
N.weight, N.offset, N.mult, N.shift                 the arrays of node number N
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.spec import FeatureSpec
from edgekws.files import check_kind, fields, npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.files.fields import list_of, require
from edgekws.graph.ir import Graph, Node, Requant

KIND, VERSION = "edgekws-graph", 2
HINT = "run edgekws quantize first, or name a folder that has one, such as models/dscnn"
_SEAL = ("kind", "version", "sha256")
_GRAPH = {
    "nodes": list_of(fields.OBJECT),
    "labels": list_of(fields.TEXT),
    "features": fields.OBJECT,
    "target": fields.TEXT,
    "name": fields.TEXT,
    "input_scale": fields.ABOVE_ZERO,
    "provenance": fields.TEXT_BY_NAME,
}
_NODE = {
    "name": fields.TEXT,
    "op": fields.TEXT,
    "inputs": list_of(fields.TEXT),
    "requant": fields.OBJECT,
    "in_shape": list_of(fields.COUNT, 3),
    "out_shape": list_of(fields.COUNT, 3),
    "weight_bits": fields.INTEGER,
    "window": list_of(fields.INTEGER, 2),
    "stride": list_of(fields.INTEGER, 2),
    "pad": list_of(fields.INTEGER, 4),
    "out_scale": fields.ABOVE_ZERO,
}
_REQUANT = {"lo": fields.INTEGER, "hi": fields.INTEGER, "rule": fields.TEXT}
_PLAIN = [key for key in _NODE if key != "requant"]
_Integer = type[np.int8] | type[np.uint8] | type[np.int32]
_MULTIPLIER: dict[str, _Integer] = {"offset-scale-shift": np.uint8, "fixed-point": np.int32}


def to_bytes(graph: Graph) -> bytes:
    graph.check()
    arrays = _arrays(graph)
    header = {"kind": KIND, "version": VERSION, "sha256": digest_of(arrays, _header(graph)), **_header(graph)}
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    return npz_bytes({"header": text, **arrays})


def from_bytes(content: bytes, source: Path = Path("graph")) -> Graph:
    """Raises ArtifactError for anything but an undamaged graph of this version."""
    return from_arrays(npz_arrays(content, f"{source}: an edgekws graph", HINT), source)


def from_arrays(arrays: dict[str, np.ndarray], source: Path = Path("graph")) -> Graph:
    """The graph of an unpacked file. Raises what from_bytes raises."""
    arrays = dict(arrays)
    try:
        header = json.loads(arrays.pop("header").tobytes())
        entries = header if isinstance(header, dict) else {}
        changed = _hash(entries, arrays) != entries.get("sha256")
    except (ValueError, KeyError, RecursionError) as error:
        raise ArtifactError(f"{source} should be an edgekws graph", got=f"no header ({error})", hint=HINT) from error
    check_kind(source, entries, KIND, VERSION)
    if changed:
        raise ArtifactError(f"{source} should match its own hash", got="changed content", hint="export it again")
    graph = _build({key: value for key, value in entries.items() if key not in _SEAL}, arrays)
    graph.check()
    return graph


def save(graph: Graph, path: Path) -> None:
    write_bytes(path, to_bytes(graph))


def load(path: Path) -> Graph:
    return from_bytes(read_content(path, "an edgekws graph", HINT), path)


def digest(graph: Graph) -> str:
    """The sha256 that names this graph in reports and manifests."""
    return digest_of(_arrays(graph), _header(graph))


def _arrays(graph: Graph) -> dict[str, np.ndarray]:
    arrays = {}
    for number, node in enumerate(graph.nodes):
        if node.weight is not None:
            arrays[f"{number}.weight"] = node.weight.astype(np.int8)
        requant = node.requant
        arrays[f"{number}.offset"] = requant.offset.astype(np.int32)
        arrays[f"{number}.mult"] = requant.mult.astype(_MULTIPLIER[requant.rule])
        arrays[f"{number}.shift"] = requant.shift.astype(np.uint8)
    return arrays


def _header(graph: Graph) -> dict[str, Any]:
    nodes = [
        {
            **{key: getattr(node, key) for key in _PLAIN},
            "requant": {key: getattr(node.requant, key) for key in _REQUANT},
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


def digest_of(arrays: dict[str, np.ndarray], header: dict[str, Any]) -> str:
    state = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in sorted(arrays):
        state.update(key.encode() + np.ascontiguousarray(arrays[key]).tobytes())
    return state.hexdigest()


def _hash(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    return digest_of(arrays, {key: value for key, value in header.items() if key not in _SEAL})


def _build(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Graph:
    """Removes the entries of `arrays` that it reads."""
    require("the graph's header", header, _GRAPH)
    nodes = tuple(_node(number, value, arrays) for number, value in enumerate(header["nodes"]))
    if arrays:
        raise ArtifactError("every array should belong to a node", got=ascii(sorted(arrays)[0]))
    rest = {key: header[key] for key in ("target", "name", "input_scale", "provenance")}
    features = FeatureSpec.from_json(header["features"])
    return Graph(nodes=nodes, labels=tuple(header["labels"]), features=features, **rest)


def _node(number: int, value: dict[str, Any], arrays: dict[str, np.ndarray]) -> Node:
    require(f"node {number}", value, _NODE)
    require(f"the requantization of node {number}", value["requant"], _REQUANT)
    plain: Any = {key: tuple(value[key]) if isinstance(value[key], list) else value[key] for key in _PLAIN}
    mult = _MULTIPLIER.get(value["requant"]["rule"], _MULTIPLIER["offset-scale-shift"])
    types: dict[str, _Integer] = {"offset": np.int32, "mult": mult, "shift": np.uint8}
    requant: dict[str, Any] = {key: _take(arrays, f"{number}.{key}", kind) for key, kind in types.items()}
    weight = _take(arrays, f"{number}.weight", np.int8) if f"{number}.weight" in arrays else None
    return Node(**plain, requant=Requant(**requant, **value["requant"]), weight=weight)


def _take(arrays: dict[str, np.ndarray], name: str, kind: _Integer) -> np.ndarray:
    if name not in arrays or arrays[name].dtype != kind:
        got = str(arrays[name].dtype) if name in arrays else "no such array"
        raise ArtifactError(f"array {name} should be {np.dtype(kind)}", got=got)
    return arrays.pop(name)
