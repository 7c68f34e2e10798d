"""From a file to the graph: labels, features and scales around the nodes, and where it all came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekws.errors import ArtifactError, TargetError
from edgekws.features.spec import FeatureSpec, UnknownFeatures, from_json
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.importers._onnx import elementwise, layers, moves, quantized
from edgekws.importers._onnx.file import File
from edgekws.importers._onnx.reader import Reader

_HANDLERS = {**layers.HANDLERS, **elementwise.HANDLERS, **moves.HANDLERS, **quantized.HANDLERS}


@dataclass(frozen=True)
class Request:
    """files: of one model. labels, features, name: what the caller said about it. in_integers: a file like TI's."""

    files: Mapping[str, bytes]
    labels: tuple[str, ...]
    features: FeatureSpec | None
    name: str
    format: str
    in_integers: bool


@dataclass(frozen=True)
class Imported:
    """reader: what the file is beside the graph, for those who run it."""

    graph: Graph
    reader: Reader


def about(source: File, kind: str, verified: Callable[[], Mapping[str, str]]) -> dict[str, str]:
    """The metadata of a file of our own emitter `kind`; empty for all others. verified: reads it, its hash checked."""
    seal = source.properties.get("seal", "")
    return dict(verified()) if seal.startswith(f"edgekws-seal {kind} ") else {}


def imported(source: File, request: Request, own: Mapping[str, str]) -> Imported:
    """The graph of a file. own: the metadata of our own files, or {}.

    Raises ArtifactError and TargetError as the importers say.
    """
    features = request.features or _features(own)
    made = _read(source, request, own, features, in_floors=True)
    if len({node.requant.rule for node in made.graph.nodes if not node.requant.is_identity}) > 1 and not own:
        made = _read(
            source, request, own, features, in_floors=False
        )  # one rule for all layers: that of the target int8
    made.graph.check()
    return made


def _read(
    source: File,
    request: Request,
    own: Mapping[str, str],
    features: FeatureSpec | UnknownFeatures | None,
    in_floors: bool,
) -> Imported:
    reader = Reader(
        source, _HANDLERS, request.in_integers, bool(own), features if isinstance(features, FeatureSpec) else None
    )
    reader.build.narrow = _narrow(own) if own else None
    reader.build.rounded_twice, reader.build.in_floors = _rounded_twice(own), in_floors
    last = reader.scores()
    nodes = _needed(reader.build.nodes, last.name)
    _require_means(nodes, reader.build.mean_zeros)
    nodes[-1] = replace(nodes[-1], out_scale=nodes[-1].out_scale * reader.step)
    graph = Graph(
        nodes=tuple(_with_scales(nodes, own)), labels=_labels(request.labels, own, last.shape[2]),
        features=_checked(features, reader, source), target=own.get("target") or _target(nodes),
        name=request.name or own.get("graph_name") or source.name.partition(".")[0] or "model",
        input_scale=float(own["input_scale"]) if own else reader.build.input_scale,
        input_zero=0 if own else reader.build.input_zero, provenance=_provenance(source, request, reader),
    )  # fmt: skip
    return Imported(graph, reader)


def _features(own: Mapping[str, str]) -> FeatureSpec | UnknownFeatures | None:
    return from_json(_json(own, "features", dict)) if own else None


def _json(own: Mapping[str, str], key: str, kind: type) -> Any:  # noqa: ANN401
    try:
        value = json.loads(own[key])
    except (KeyError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the file should say its {key}", got=own.get(key, "nothing")[:40]) from error
    if not isinstance(value, kind):
        raise ArtifactError(f"{key} should be a {kind.__name__}", got=str(value)[:40])
    return value


def _narrow(own: Mapping[str, str]) -> dict[str, int]:
    rows = _json(own, "narrow_weights", dict) if "narrow_weights" in own else {}
    return {name: int(row["bits"]) for name, row in rows.items() if isinstance(row, dict) and row.get("bits") in (2, 4)}


def _rounded_twice(own: Mapping[str, str]) -> frozenset[str]:
    forms = _json(own, "forms", dict) if "forms" in own else {}
    once = _json(own, "rounded_once", list) if "rounded_once" in own else []
    return frozenset(name for name, form in forms.items() if form == "standard" and name not in once)


def _needed(nodes: list[Node], last: str) -> list[Node]:
    """The nodes that the scores depend on."""
    required, kept = {last}, []
    for node in reversed(nodes):
        if node.name in required:
            required.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _require_means(nodes: list[Node], zeros: Mapping[str, int]) -> None:
    """A mean rounds halves away from the zero of its stored bytes: the file's has to be that of the node."""
    for node in nodes:
        if zeros.get(node.name, 128 * node.is_unsigned) != 128 * node.is_unsigned:
            raise TargetError(f"{node.name}: a mean should round halves as its stored bytes say", got="another zero")


def _with_scales(nodes: list[Node], own: Mapping[str, str]) -> list[Node]:
    """Our own files have scales that are powers of two; the true ones are in the metadata."""
    scales = _json(own, "output_scales", dict) if own else {}
    known = {INPUT: float(own["input_scale"])} if own else {}
    for number, node in enumerate(nodes):
        kept = own and not node.operation.is_scaled and node.inputs[0] in known  # nodes that only the import has
        scale = scales.get(node.name, known[node.inputs[0]] if kept else node.out_scale)
        nodes[number] = replace(node, out_scale=float(scale) if isinstance(scale, float) else node.out_scale)
        known[node.name] = nodes[number].out_scale
    return nodes


def _labels(given: tuple[str, ...], own: Mapping[str, str], count: int) -> tuple[str, ...]:
    stated = given or (tuple(map(str, _json(own, "labels", list))) if own else ())
    labels = stated or tuple(f"class{number}" for number in range(count))
    if len(labels) != count:
        hint = "give one label for each score, in their order"
        raise ArtifactError(f"there should be {count} labels", got=str(len(labels)), hint=hint)
    return labels


def _checked(
    features: FeatureSpec | UnknownFeatures | None, reader: Reader, source: File
) -> FeatureSpec | UnknownFeatures:
    """The features, if the file's input has their shape."""
    height, width, channels = reader.in_shape
    if features is None:
        return UnknownFeatures((height, width), channels)
    if (*features.shape, features.channels) != reader.in_shape:
        got = f"{source.source} of {reader.in_shape}"
        raise ArtifactError(f"{source.name}: the input should have the features' shape {features.shape}", got=got)
    return features


def _target(nodes: list[Node]) -> str:
    rules = {node.requant.is_fixed_point for node in nodes if not node.requant.is_identity}
    return "int8" if True in rules or not rules else "tinpu"


def _provenance(source: File, request: Request, reader: Reader) -> dict[str, str]:
    said = {"imported_from": source.name, "imported_sha256": source.digest, "imported_format": request.format}
    if source.producer:
        said["imported_producer"] = source.producer
    if reader.stage is not None:
        stage, raised = reader.stage, reader.build.input_zero
        formula = f"clip(floor({stage.factor!r} * x + {stage.bias!r}), {stage.lo}, {stage.hi})"
        said["input_stage"] = formula + (" - 128" if stage.lo >= 0 else "") + f", zero point {raised}"
    if reader.build.notes:
        said["import_notes"] = "; ".join(reader.build.notes)
    return said
