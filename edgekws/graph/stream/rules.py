"""How each layer reads rows in time, when its first row is there, and which layers forbid a stream.

A row of the input is one frame. In a stream, row j of a node's output reads rows j * stride - top and the
`extent` - 1 after it, of each input `delay` rows later: a slice that drops rows at the top reads rows that come later.
Time is the height of tensors, so what moves values between rows is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.ops import CROP

Way = Literal["rows", "window", "whole", "pool", "state"]
"""How a node reads: each row apart; a window that moves on by `stride`; all rows of a clip, once for each new row;
likewise, with rows before the stream counting as nothing; each row and the state that the rows before left.
"""
_OTHERS = "edgekws check MODEL --streaming shows all such layers, and with --convert makes a model that streams"
ALIGN_HINT = "crop both inputs with slices so that they have the same rows"


@dataclass(frozen=True)
class Reading:
    """How a node reads rows. top: rows of padding before the stream, filled with pad_value, or 0 for a pool."""

    way: Way
    extent: int = 1
    stride: int = 1
    top: int = 0


@dataclass(frozen=True)
class Timing:
    """When the rows of a tensor are there: row j after `first` + j * `stride` rows of the input.

    aligned: the row that a clip which begins with the stream has as its row 0. A pool gives rows before: those of
    fewer rows than a clip has.
    """

    stride: int = 1
    first: int = 1
    aligned: int = 0


@dataclass(frozen=True)
class Obstacle:
    """A layer that forbids a stream, why, and what to do."""

    layer: str
    reason: str
    hint: str

    @property
    def error(self) -> TargetError:
        hint = f"{self.hint}; {_OTHERS}"
        return TargetError(f"{self.layer}: a stream needs layers that look back only", got=self.reason, hint=hint)


@dataclass(frozen=True)
class Study:
    """A graph in time. readings: of each node; timings: of each tensor; delays: of each input of each node, in rows;
    both are meaningful only without obstacles.
    """

    readings: dict[str, Reading]
    timings: dict[str, Timing]
    delays: dict[str, tuple[int, ...]]
    obstacles: tuple[Obstacle, ...]

    def require(self) -> Study:
        """Raises TargetError with the first obstacle."""
        if self.obstacles:
            raise self.obstacles[0].error
        return self


def study(graph: Graph) -> Study:
    """How `graph` runs over a stream, and every layer that forbids it."""
    timings, delays, obstacles = {INPUT: Timing()}, {}, []
    readings = {node.name: reading(node) for node in graph.nodes}
    for node in graph.nodes:
        own, sources = readings[node.name], [timings[name] for name in node.inputs]
        obstacles += [*_moved_rows(node), *_padded(node, own), *_joined(node, own, sources)]
        delays[node.name] = _delays(node, sources)
        timings[node.name] = _timing(own, sources, delays[node.name])
    return Study(readings, timings, delays, (*obstacles, *_fills(graph, readings)))


def reading(node: Node) -> Reading:
    """How `node` reads rows, whether or not something forbids it."""
    op, rows = node.operation, node.in_shape[0]
    if op.is_recurrent:
        return Reading("state")
    if op.is_windowed:
        return _window(node, rows)
    if op.is_global_pool and rows > 1:
        return Reading("pool", rows, top=rows - 1)
    if op.reach == "all" or (_is_reshape(node) and node.out_shape[0] == 1):
        return Reading("whole", rows)
    return Reading("rows")


def _window(node: Node, rows: int) -> Reading:
    """A window of all rows of a clip has one position there; in a stream it moves on by one row."""
    covers_rows = node.extent[0] == rows and not any(node.pad[:2])
    if covers_rows and rows > 1 and is_mean(node) and node.window == node.in_shape[:2] and not any(node.pad):
        return Reading("pool", rows, top=rows - 1)
    return Reading("window", node.extent[0], 1 if covers_rows else node.stride[0], node.pad[0])


def is_mean(node: Node) -> bool:
    """Whether it divides sums by the number of positions."""
    return node.operation.is_window_pool and node.operation.sums


def fill(node: Node, own: Reading) -> int | None:
    """What `node` reads in rows before the stream; None where it reads none."""
    return node.pad_value if own.way == "window" and own.top else None


def _is_reshape(node: Node) -> bool:
    return node.operation.reach == "moved" and not node.operation.attributes


def _delays(node: Node, sources: list[Timing]) -> tuple[int, ...]:
    """Rows of each input that pass before row 0 of the output."""
    if node.op == CROP:
        return (node.begin[0],)
    aligned = min(source.aligned for source in sources)
    return tuple(source.aligned - aligned for source in sources)


def _timing(own: Reading, sources: list[Timing], delays: tuple[int, ...]) -> Timing:
    stride, aligned = sources[0].stride, min(source.aligned for source in sources)
    first = max(source.first + stride * delay for source, delay in zip(sources, delays, strict=True))
    if own.way == "pool":
        return Timing(stride, first, own.top)
    return Timing(stride * own.stride, first + stride * max(own.extent - 1 - own.top, 0), aligned)


# What forbids a stream


def _moved_rows(node: Node) -> Iterator[Obstacle]:
    """Values that move between rows."""
    op, kept = node.operation, "keep time as the height of every tensor"
    if "axes" in op.attributes and op.input_count == 1 and node.axes[0] != 0:
        yield Obstacle(node.name, f"{node.op} of time with another axis", kept)
    if "axes" in op.attributes and op.input_count != 1 and node.axes == (0,):
        yield Obstacle(node.name, f"{node.op} along time", "join along another axis")
    if _is_reshape(node) and node.out_shape[0] not in (1, node.in_shape[0]):
        yield Obstacle(node.name, f"{node.op} of {node.in_shape[0]} rows to {node.out_shape[0]}", kept)
    if any(shape[0] != node.in_shape[0] for shape in node.in_shapes[1:]):
        what = f"one value for {node.in_shape[0]} rows of the past, which would change them all at every step"
        yield Obstacle(node.name, what, "take the gate of each row from this row, or leave it out")


def _padded(node: Node, own: Reading) -> Iterator[Obstacle]:
    below = (node.out_shape[0] - 1) * own.stride - own.top + own.extent - node.in_shape[0]
    if own.way != "window":
        return
    if below > 0:
        hint = "train it without padding in time, or with padding before the first row only"
        yield Obstacle(node.name, f"{below} {_rows(below)} of padding after the last row", hint)
    if own.top and is_mean(node):
        hint = "leave the padding in time out"
        yield Obstacle(node.name, f"a mean over {own.extent} rows that has fewer at the padding", hint)
    if own.stride > 1 and node.in_shape[0] == 1:
        yield Obstacle(node.name, f"a stride of {own.stride} after the last row of a clip", "leave the stride out")
    if own.top >= own.extent:
        hint = "pad with fewer rows than the window has"
        yield Obstacle(node.name, f"{own.top} {_rows(own.top)} of padding before a window of {own.extent}", hint)


def _joined(node: Node, own: Reading, sources: list[Timing]) -> Iterator[Obstacle]:
    strides = sorted({source.stride for source in sources})
    if len(strides) > 1:
        yield Obstacle(node.name, f"inputs every {' and every '.join(map(str, strides))} rows", ALIGN_HINT)
    if sources[0].aligned and (own.top or own.way == "state"):
        yield Obstacle(node.name, "layers after the pool that look back further", "leave them out")


def _fills(graph: Graph, readings: dict[str, Reading]) -> Iterator[Obstacle]:
    """The rows before a tensor's first have one value."""
    known: dict[str, int] = {}
    for node in graph.nodes:
        value = fill(node, readings[node.name])
        if value is not None and known.setdefault(node.inputs[0], value) != value:
            what = f"padding of {value} where another reader of {node.inputs[0]} has {known[node.inputs[0]]}"
            yield Obstacle(node.name, what, "pad all readers of a tensor with one value, or none in time")


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"
