"""What one step of a stream computes, and the rows that it keeps: the plan that all incremental executors follow.

A step takes `step_rows` rows of the input and gives one row of scores. Each tensor gets a fixed number of new rows a
step and has one buffer of rows: those that its readers need, the new ones at the end.

    buffer of a tensor, 4 rows, 2 of them new      a b c d     after a step
                                                   c d e f     after the next: moved up by 2, then written
    a 3 x 3 window, stride 1, reads                a b c d     and gives 2 new rows

Order of a step: move each buffer up by its new rows; write the input's new rows; run the nodes in order, each on its
views of the buffers, as a node of such shapes without padding in time; the output goes to the last rows of its buffer.
A pool adds the sum of its new row to a running total and subtracts the sum that is `pool_rows` rows old.

Before the stream, buffers hold their `fill`. The first step takes `lead_rows` fewer rows, so that later ones end where
a row of scores is complete; `warm_steps` steps give no scores. Rows that a node gives before its row 0 are no rows of
the stream: where a node has `blank_rows`, so many rows, from the first step on, become the buffer's fill instead, are
not added by a pool, and leave the state of a scan at 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.stream.definition import with_rows
from edgekws.graph.stream.rules import Reading, Study, fill, study

TOTAL_BYTES = 4
_INT16 = 1 << 15


@dataclass(frozen=True)
class Buffer:
    """The rows of a tensor that a step sees: `rows`, of which the last `new_rows` are new. fill: what all rows hold
    before the stream.
    """

    tensor: str
    rows: int
    new_rows: int
    width: int
    channels: int
    fill: int = 0

    @property
    def row_bytes(self) -> int:
        return self.width * self.channels

    @property
    def bytes(self) -> int:
        return self.rows * self.row_bytes

    @property
    def is_state(self) -> bool:
        """Whether rows are kept between steps."""
        return self.rows > self.new_rows


@dataclass(frozen=True)
class Read:
    """The rows of a buffer that a node reads in a step: `rows` of them from row `first` on."""

    tensor: str
    first: int
    rows: int


@dataclass(frozen=True)
class StepNode:
    """A node of one step. node: with the heights of its views, without padding in time. reads: one for each input.

    pool_rows: of a running pool, the rows of a clip; 0 for other nodes. blank_rows: see the module.
    """

    node: Node
    reads: tuple[Read, ...]
    reading: Reading
    pool_rows: int = 0
    blank_rows: int = 0

    @property
    def sum_bytes(self) -> int:
        """Bytes of one row sum of a running pool: two where no sum of a row leaves int16."""
        width = self.node.in_shape[1]
        return 2 if width * 255 < _INT16 else TOTAL_BYTES

    @property
    def state_bytes(self) -> int:
        """What a pool or a scan keeps between steps, besides buffers."""
        channels = self.node.in_shape[2]
        if self.pool_rows:
            return channels * (self.pool_rows * self.sum_bytes + TOTAL_BYTES)
        return math.prod(self.node.body[-1].out_shape) if self.node.body else 0


@dataclass(frozen=True)
class StreamPlan:
    """See the module. first_rows: rows of the input until the first scores; scores j come after first_rows + j *
    step_rows rows. clip_steps: scores until those of a clip that begins with the stream, inclusive.
    """

    step_rows: int
    first_rows: int
    clip_steps: int
    buffers: dict[str, Buffer]
    nodes: tuple[StepNode, ...]

    @property
    def lead_rows(self) -> int:
        """Rows that the first step does not take from the stream."""
        return -self.first_rows % self.step_rows

    @property
    def warm_steps(self) -> int:
        """Steps before the first scores."""
        return (self.first_rows + self.lead_rows) // self.step_rows - 1

    @property
    def macs(self) -> int:
        """Multiplications of one step."""
        return sum(each.node.macs for each in self.nodes)

    @property
    def state_bytes(self) -> int:
        """Bytes that live from step to step."""
        kept = sum(buffer.bytes for buffer in self.buffers.values() if buffer.is_state)
        return kept + sum(each.state_bytes for each in self.nodes)

    def rows_read(self, step: int) -> int:
        """Rows of the input after which scores number `step`, from 0, are complete."""
        return self.first_rows + step * self.step_rows


def plan(graph: Graph) -> StreamPlan:
    """Raises TargetError with the layer that forbids a stream."""
    return _Planner(graph, study(graph).require()).plan()


class _Planner:
    """Counts of rows at the time of scores 0: tensor X has `counts[X]` of them, and `new[X]` more at each step.

    Nodes run as late as their readers allow: delays are then views of rows that windows keep anyway.
    """

    def __init__(self, graph: Graph, facts: Study) -> None:
        self.graph, self.facts = graph, facts
        last = facts.timings[graph.nodes[-1].name]
        self.step_rows, self.first_rows, self.clip_steps = last.stride, last.first, last.aligned + 1
        self.new = {name: self.step_rows // each.stride for name, each in facts.timings.items()}
        self.counts = dict.fromkeys(facts.timings, 0) | {graph.nodes[-1].name: 1, INPUT: self.first_rows}
        for node in reversed(graph.nodes):
            for name, delay in zip(node.inputs, facts.delays[node.name], strict=True):
                self.counts[name] = max(self.counts[name], self._newest(node, delay) + 1)
        self.steps = -(-self.first_rows // self.step_rows)

    def plan(self) -> StreamPlan:
        views = {node.name: self._views(node) for node in self.graph.nodes}  # places counted from the end
        rows = dict(self.new)
        for name, back, _ in (view for each in views.values() for view in each):
            rows[name] = max(rows[name], back)
        shapes = {INPUT: self.graph.in_shape, **{node.name: node.out_shape for node in self.graph.nodes}}
        fills = self._fills()
        buffers = {
            name: Buffer(name, rows[name], self.new[name], *shapes[name][1:], fills.get(name, 0)) for name in shapes
        }
        nodes = [
            self._step_node(node, tuple(Read(name, rows[name] - back, count) for name, back, count in views[node.name]))
            for node in self.graph.nodes
        ]
        kept = {each.node.name: self._blank_rows(each.node, each.reading, fills) for each in nodes}
        nodes = [replace(each, blank_rows=kept[each.node.name]) for each in nodes]
        return StreamPlan(self.step_rows, self.first_rows, self.clip_steps, buffers, tuple(nodes))

    def _views(self, node: Node) -> list[tuple[str, int, int]]:
        """(tensor, rows from the first one read to the end of its buffer, rows read) of each input."""
        own, delays = self.facts.readings[node.name], self.facts.delays[node.name]
        count = (1 if own.way == "pool" else own.extent) + (self.new[node.name] - 1) * own.stride
        pairs = zip(node.inputs, delays, strict=True)
        return [(name, self.counts[name] - 1 - self._newest(node, delay) + count, count) for name, delay in pairs]

    def _newest(self, node: Node, delay: int) -> int:
        """The newest row of an input that the node has read by scores 0."""
        own, rows = self.facts.readings[node.name], self.counts[node.name]
        ahead = 0 if own.way == "pool" else own.extent - 1 - own.top
        return (rows - 1) * own.stride + ahead + delay

    def _fills(self) -> dict[str, int]:
        read = [(node.inputs[0], fill(node, self.facts.readings[node.name])) for node in self.graph.nodes]
        return {name: value for name, value in read if value is not None}

    def _blank_rows(self, node: Node, own: Reading, fills: dict[str, int]) -> int:
        matters = node.name in fills or own.way in ("pool", "state")
        return self.new[node.name] * self.steps - self.counts[node.name] if matters else 0

    def _step_node(self, node: Node, reads: tuple[Read, ...]) -> StepNode:
        own, count = self.facts.readings[node.name], self.new[node.name]
        if own.way == "pool":
            return StepNode(_pool_of_row(node), reads, own, pool_rows=own.extent)
        if own.way == "window":
            in_shape = _high(reads[0].rows, node.in_shape)
            step = replace(
                node, in_shape=in_shape, out_shape=_high(count, node.out_shape), pad=(0, 0, *node.pad[2:]),
                stride=(own.stride, node.stride[1]), pad_value=node.pad_value if any(node.pad[2:]) else 0,
            )  # fmt: skip
            return StepNode(step, reads, own)
        return StepNode(node if own.way == "whole" else with_rows(node, count), reads, own)


def _high(rows: int, shape: Shape) -> Shape:
    return rows, shape[1], shape[2]


def _pool_of_row(node: Node) -> Node:
    window = (1, node.window[1]) if any(node.window) else node.window
    return replace(node, in_shape=_high(1, node.in_shape), window=window)
