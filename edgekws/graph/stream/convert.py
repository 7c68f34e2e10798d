"""A clip network with padding in time -> one without, which runs over streams.

The rows that were padding become rows of a longer clip, and shortcuts are cropped to the rows that their branch still
has. Weights and requantization stay. Inside of a clip every row is what it was; at its ends there is sound where there
were zeros, which the network was not trained for: measure its accuracy again, or train it so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edgekws.errors import TargetError
from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, SIGNED, Graph, Node, Requant
from edgekws.graph.ops import CROP
from edgekws.graph.stream.rules import reading, study

_MORE_ROWS = 2000
"""Rows that a clip may become longer."""


def streamable(graph: Graph) -> Graph:
    """The same layers without padding in time, for a clip of more rows; a graph that streams already is returned.

    Raises TargetError with the layer that forbids a stream for another reason than padding.
    """
    facts = study(graph)
    if not facts.obstacles:
        return graph
    padded = {node.name for node in graph.nodes if any(node.pad[:2])}
    other = [each for each in facts.obstacles if each.layer not in padded]
    if other:
        raise other[0].error
    cropped = [node.name for node in graph.nodes if node.op == CROP and _crops_rows(node)]
    if cropped:
        raise _impossible(graph, f"{cropped[0]} crops rows")
    built = _longer_clip(graph, _rows_before(graph))
    converted = replace(graph, nodes=tuple(built.nodes), features=_features(graph, built.rows))
    study(converted).require()
    converted.check()
    return converted


def _impossible(graph: Graph, got: str) -> TargetError:
    return TargetError(
        f"{graph.name}: its padding in time should be removable", got=got, hint="train it without padding"
    )


def _rows_before(graph: Graph) -> int:
    """Rows that the clip gets at its top, so that strides meet the rows that they met."""
    for before in range(_MORE_ROWS):
        shifts: dict[str, float] = {INPUT: -before}
        for node in graph.nodes:
            shift = 0 if _needs_clip(node) else max(shifts[name] for name in node.inputs)
            shifts[node.name] = (shift + node.pad[0]) / _stride(node) if node.operation.is_windowed else shift
        whole = all(float(shift).is_integer() for shift in shifts.values())
        if whole and all(shifts[name] <= 0 for node in graph.nodes if _needs_clip(node) for name in node.inputs):
            return before
    raise _impossible(graph, "strides that do not meet the same rows")


def _needs_clip(node: Node) -> bool:
    """Whether it reads as many rows as in a clip, no more."""
    return reading(node).way in ("pool", "whole") or (node.operation.is_windowed and _covers(node))


def _covers(node: Node) -> bool:
    return node.extent[0] == node.in_shape[0] and not any(node.pad[:2])


def _stride(node: Node) -> int:
    return reading(node).stride


def _crops_rows(node: Node) -> bool:
    return node.in_shape[0] != node.out_shape[0]


def _longer_clip(graph: Graph, before: int) -> _Rebuilt:
    """The shortest clip that gives every layer its rows."""
    shortest = graph.in_shape[0]
    for rows in range(shortest, shortest + _MORE_ROWS):
        built = _Rebuilt(graph, before, rows)
        if built.fits:
            return built
    raise _impossible(graph, f"no clip of less than {shortest + _MORE_ROWS} rows fits")


def _features(graph: Graph, rows: int) -> FeatureSpec | UnknownFeatures:
    spec = graph.features
    if isinstance(spec, UnknownFeatures):
        return replace(spec, shape=(rows, spec.shape[1]))
    return replace(spec, clip_samples=spec.window_samples + (rows - 1) * spec.hop_samples)


@dataclass
class _Rebuilt:
    """The nodes for a clip of `rows` rows; `fits` says whether every layer gets the rows that it needs.

    Row r of a tensor is row r + shift of the tensor with padding.
    """

    graph: Graph
    before: int
    rows: int
    nodes: list[Node] = field(default_factory=list)
    fits: bool = True

    def __post_init__(self) -> None:
        _, width, channels = self.graph.in_shape
        self.shapes: dict[str, Shape] = {INPUT: (self.rows, width, channels)}
        self.shifts, self.places = {INPUT: -self.before}, {INPUT: INPUT}
        for node in self.graph.nodes:
            self._add(node)
            if not self.fits:
                return

    def _add(self, node: Node) -> None:
        sources = [self.places[name] for name in node.inputs]
        shift = 0 if _needs_clip(node) else max(self.shifts[source] for source in sources)
        begins = [shift - self.shifts[source] for source in sources]
        rows = min(self.shapes[source][0] - begin for source, begin in zip(sources, begins, strict=True))
        rows = min(rows, node.in_shape[0]) if _needs_clip(node) else rows
        lacks = rows < node.in_shape[0] if _needs_clip(node) else rows < node.extent[0]
        if lacks or rows < 1:
            self.fits = False
            return
        names = [
            self._cropped(name, source, begin, rows)
            for name, source, begin in zip(node.inputs, sources, begins, strict=True)
        ]
        self._place(node, tuple(names), rows, shift)

    def _place(self, node: Node, names: tuple[str, ...], rows: int, shift: int) -> None:
        shapes = tuple(self.shapes[name] for name in names)
        pad = (0, 0, *node.pad[2:])
        value = node.pad_value if any(pad) else 0
        out_rows = rows
        if node.operation.is_windowed:
            out_rows = (rows - node.extent[0]) // node.stride[0] + 1
            shift = 0 if _covers(node) else (shift + node.pad[0]) // node.stride[0]
        elif _needs_clip(node):
            out_rows = node.out_shape[0]
        built = replace(
            node, inputs=names, in_shape=shapes[0], out_shape=(out_rows, *node.out_shape[1:]), pad=pad, pad_value=value,
            other_shapes=shapes[1:] if len(set(shapes)) > 1 else (),
        )  # fmt: skip
        self.nodes.append(built)
        self.shapes[node.name], self.shifts[node.name], self.places[node.name] = built.out_shape, shift, node.name

    def _cropped(self, name: str, source: str, begin: int, rows: int) -> str:
        """The tensor, or a slice of it where it has other rows."""
        shape = self.shapes[source]
        if begin == 0 and rows == shape[0]:
            return source
        cropped, out = f"{source}.rows{begin}.{rows}", (rows, *shape[1:])
        if cropped in self.shapes:
            return cropped
        made = next((node for node in self.graph.nodes if node.name == name), None)
        lo, hi = (made.requant.lo, made.requant.hi) if made else SIGNED
        scale, zero = (made.out_scale, made.out_zero) if made else (self.graph.input_scale, self.graph.input_zero)
        requant = Requant.identity(shape[2], lo, hi)
        self.nodes.append(
            Node(cropped, CROP, (source,), requant, shape, out, begin=(begin, 0, 0), out_scale=scale, out_zero=zero)
        )
        self.shapes[cropped], self.shifts[cropped] = out, self.shifts[source] + begin
        return cropped
