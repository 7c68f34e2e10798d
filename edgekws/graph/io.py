"""Graph files: an .npz with a JSON header. A reader refuses other kinds, versions and hashes.

header   uint8 [n]   UTF-8 JSON: kind, version, sha256 of all arrays, nodes, labels, feature spec
N.weight, N.offset, N.mult, N.shift                 the arrays of node number N; N.M.weight ... of node M of its body

Fields that came later are written only where they are not at their default: files without them keep their bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features import spec
from edgekws.files import check_kind, fields, npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.files.fields import list_of, require
from edgekws.graph.attributes import Operand
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
_OPERAND = {"zero": fields.INTEGER, "mult": fields.INTEGER, "shift": fields.INTEGER}
_LATER_GRAPH = {"input_zero": (fields.INTEGER, 0)}
_LATER_REQUANT = {"zero": (fields.INTEGER, 0)}
_LATER_NODE: dict[str, tuple[fields.Kind, Any]] = {
    "out_zero": (fields.INTEGER, 0),
    "pad_value": (fields.INTEGER, 0),
    "dilation": (list_of(fields.COUNT, 2), (1, 1)),
    "operands": (list_of(fields.OBJECT), ()),
    "axes": (list_of(fields.INTEGER), ()),
    "begin": (list_of(fields.INTEGER), ()),
    "other_shapes": (list_of(list_of(fields.COUNT, 3)), ()),
}
"""Kind and default of the fields that came later."""
_BODY: dict[str, tuple[fields.Kind, Any]] = {"body": (list_of(fields.OBJECT), ())}
_PLAIN = [key for key in _NODE if key != "requant"]
_Integer = type[np.int8] | type[np.uint8] | type[np.int32]
_MULTIPLIER: dict[str, _Integer] = {
    "offset-scale-shift": np.uint8,
    "fixed-point": np.int32,
    "fixed-point-once": np.int32,
}


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
    return _arrays_of(graph.nodes, "")


def _arrays_of(nodes: Iterable[Node], prefix: str) -> dict[str, np.ndarray]:
    arrays = {}
    for number, node in enumerate(nodes):
        requant, name = node.requant, f"{prefix}{number}"
        if node.weight is not None:
            arrays[f"{name}.weight"] = node.weight.astype(np.int8)
        arrays[f"{name}.offset"] = requant.offset.astype(np.int32)
        arrays[f"{name}.mult"] = requant.mult.astype(_MULTIPLIER[requant.rule])
        arrays[f"{name}.shift"] = requant.shift.astype(np.int8 if (requant.shift < 0).any() else np.uint8)
        arrays.update(_arrays_of(node.body, f"{name}."))
    return arrays


def _entry(node: Node) -> dict[str, Any]:
    body = {"body": [_entry(each) for each in node.body]} if node.body else {}
    return {
        **{key: getattr(node, key) for key in _PLAIN},
        **_later(node, _LATER_NODE),
        **body,
        "requant": {key: getattr(node.requant, key) for key in _REQUANT} | _later(node.requant, _LATER_REQUANT),
    }


def _header(graph: Graph) -> dict[str, Any]:
    header = {
        "nodes": [_entry(node) for node in graph.nodes],
        "labels": graph.labels,
        "features": graph.features.to_json(),
        "target": graph.target,
        "name": graph.name,
        "input_scale": graph.input_scale,
        "provenance": graph.provenance,
        **_later(graph, _LATER_GRAPH),
    }
    plain: dict[str, Any] = json.loads(json.dumps(header, default=asdict))  # tuples become lists, as a reader sees them
    return plain


def _later(value: object, later: Mapping[str, tuple[fields.Kind, Any]]) -> dict[str, Any]:
    """The fields that are not at their default."""
    given = {key: getattr(value, key) for key in later}
    return {key: each for key, each in given.items() if each != later[key][1]}


def digest_of(arrays: dict[str, np.ndarray], header: dict[str, Any]) -> str:
    state = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in sorted(arrays):
        state.update(key.encode() + np.ascontiguousarray(arrays[key]).tobytes())
    return state.hexdigest()


def _hash(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    return digest_of(arrays, {key: value for key, value in header.items() if key not in _SEAL})


def _build(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Graph:
    """Removes the entries of `arrays` that it reads."""
    _require("the graph's header", header, _GRAPH, _LATER_GRAPH)
    nodes = tuple(_node(str(number), value, arrays) for number, value in enumerate(header["nodes"]))
    if arrays:
        raise ArtifactError("every array should belong to a node", got=ascii(sorted(arrays)[0]))
    rest = {key: header[key] for key in ("target", "name", "input_scale", "provenance", *_LATER_GRAPH) if key in header}
    return Graph(nodes=nodes, labels=tuple(header["labels"]), features=spec.from_json(header["features"]), **rest)


def _require(
    what: str, value: object, kinds: Mapping[str, fields.Kind], later: Mapping[str, tuple[fields.Kind, Any]]
) -> None:
    """All of `kinds`, and those of `later` that are there."""
    present = {key: kind for key, (kind, _) in later.items() if isinstance(value, dict) and key in value}
    require(what, value, {**kinds, **present})


def _node(number: str, value: dict[str, Any], arrays: dict[str, np.ndarray]) -> Node:
    _require(f"node {number}", value, _NODE, {**_LATER_NODE, **_BODY})
    _require(f"the requantization of node {number}", value["requant"], _REQUANT, _LATER_REQUANT)
    plain: Any = {key: _tuple(entry) for key, entry in value.items() if key not in ("requant", "operands", "body")}
    operands = tuple(_operand(number, each) for each in value.get("operands", ()))
    mult = _MULTIPLIER.get(value["requant"]["rule"], _MULTIPLIER["offset-scale-shift"])
    shift = arrays.get(f"{number}.shift")
    signed = mult is np.int32 and shift is not None and shift.dtype == np.int8
    types: dict[str, _Integer] = {"offset": np.int32, "mult": mult, "shift": np.int8 if signed else np.uint8}
    requant: dict[str, Any] = {key: _take(arrays, f"{number}.{key}", kind) for key, kind in types.items()}
    weight = _take(arrays, f"{number}.weight", np.int8) if f"{number}.weight" in arrays else None
    body = _body(number, value.get("body", ()), arrays)
    rebuilt = Requant(**requant, **value["requant"])
    return Node(**plain, requant=rebuilt, weight=weight, operands=operands, body=body)


def _body(number: str, entries: Sequence[dict[str, Any]], arrays: dict[str, np.ndarray]) -> tuple[Node, ...]:
    if any("body" in each for each in entries):
        raise ArtifactError(f"node {number}: a scan should not hold another one", got="a body with a body")
    return tuple(_node(f"{number}.{inner}", each, arrays) for inner, each in enumerate(entries))


def _operand(number: str, value: dict[str, Any]) -> Operand:
    require(f"an operand of node {number}", value, _OPERAND)
    return Operand(**value)


def _tuple(value: object) -> object:
    """Lists become tuples, inner ones too."""
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _take(arrays: dict[str, np.ndarray], name: str, kind: _Integer) -> np.ndarray:
    if name not in arrays or arrays[name].dtype != kind:
        got = str(arrays[name].dtype) if name in arrays else "no such array"
        raise ArtifactError(f"array {name} should be {np.dtype(kind)}", got=got)
    return arrays.pop(name)
