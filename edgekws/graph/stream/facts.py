"""What a stream of a graph costs, and what its scores have heard: figures for people.

The look-ahead is the number of rows that the newest row of the pool's input sees after the row that it is centred on.
A window without padding in time counts as centred; one with padding before the stream is centred where the padding
puts it; where branches join, the one that has heard the fewest rows, such as a shortcut, says it. All figures are
computed from shapes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekws.features.spec import UnknownFeatures
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.stream.plan import Buffer, StepNode, plan
from edgekws.graph.stream.rules import Reading, Study, study


@dataclass(frozen=True)
class LayerFacts:
    """One layer in a stream, or the input. rows: of its input that a step reads; kept_rows, kept_bytes: of its
    output's buffer, and what a pool or scan keeps. look_ahead_rows: of the graph's input, that this layer adds.
    """

    name: str
    op: str
    rows: int
    new_rows: int
    kept_rows: int
    kept_bytes: int
    macs: int
    look_ahead_rows: int


@dataclass(frozen=True)
class StreamFacts:
    """Rows are rows of the input. heard_rows: that one row of scores depends on; None with a scan, whose state never
    ends. step_ms: of `step_rows` rows; row_ms, step_ms and window_ms are None where the front end is not known.
    """

    step_rows: int
    first_rows: int
    clip_steps: int
    heard_rows: int | None
    look_ahead_rows: int
    state_bytes: int
    macs: int
    clip_macs: int
    layers: tuple[LayerFacts, ...]
    row_ms: float | None
    window_ms: float | None

    def span_ms(self, rows: int) -> float | None:
        """How much sound `rows` windows cover."""
        if self.row_ms is None or self.window_ms is None:
            return None
        return (rows - 1) * self.row_ms + self.window_ms

    def rows_ms(self, rows: int) -> float | None:
        """The time from one row to the one that comes `rows` later."""
        return None if self.row_ms is None else rows * self.row_ms


def facts(graph: Graph) -> StreamFacts:
    """Raises TargetError with the layer that forbids a stream."""
    steps, times = plan(graph), study(graph)
    oldest = _oldest(graph, times)
    centres = _centres(graph, times, oldest)
    last, ahead = graph.nodes[-1].name, _look_ahead(times, centres)
    spec, begin = graph.features, oldest[last]
    row_ms = window_ms = None
    if not isinstance(spec, UnknownFeatures):
        row_ms, window_ms = (1000 * each / spec.rate_hz for each in (spec.hop_samples, spec.window_samples))
    layers = (
        _input(steps.buffers[INPUT]),
        *(_layer(each, steps.buffers[each.node.name], ahead) for each in steps.nodes),
    )
    heard = None if begin is None else times.timings[last].first - begin
    return StreamFacts(
        steps.step_rows, steps.first_rows, steps.clip_steps, heard, ahead[last], steps.state_bytes, steps.macs,
        graph.macs, layers, row_ms, window_ms,
    )  # fmt: skip


def _input(buffer: Buffer) -> LayerFacts:
    kept = buffer.rows if buffer.is_state else 0
    return LayerFacts(INPUT, "", 0, buffer.new_rows, kept, kept * buffer.row_bytes, 0, 0)


def _layer(each: StepNode, buffer: Buffer, ahead: dict[str, int]) -> LayerFacts:
    node, kept = each.node, buffer.rows if buffer.is_state else 0
    added = ahead[node.name] - max(ahead[name] for name in node.inputs)
    rows, kept_bytes = max(read.rows for read in each.reads), kept * buffer.row_bytes + each.state_bytes
    return LayerFacts(node.name, node.op, rows, buffer.new_rows, kept, kept_bytes, node.macs, added)


def _oldest(graph: Graph, times: Study) -> dict[str, int | None]:
    """The first row of the input that row 0 of each tensor reads, below 0 where padding is; None: all before."""
    found: dict[str, int | None] = {INPUT: 0}
    for node in graph.nodes:
        own = times.readings[node.name]
        begins = [
            None if (begin := found[name]) is None else begin + times.timings[name].stride * (delay - own.top)
            for name, delay in zip(node.inputs, times.delays[node.name], strict=True)
        ]
        known = [begin for begin in begins if begin is not None]
        found[node.name] = None if own.way == "state" or len(known) < len(begins) else min(known)
    return found


def _centres(graph: Graph, times: Study, oldest: dict[str, int | None]) -> dict[str, int]:
    """The row of the input that row 0 of each tensor is centred on."""

    def heard(joined: tuple[str, int]) -> float:
        begin = oldest[joined[0]]
        return math.inf if begin is None else times.timings[joined[0]].first - begin

    found = {INPUT: 0}
    for node in graph.nodes:
        name, delay = min(zip(node.inputs, times.delays[node.name], strict=True), key=heard)
        shift = delay + _shift(node, times.readings[node.name])
        found[node.name] = found[name] + times.timings[name].stride * shift
    return found


def _shift(node: Node, own: Reading) -> int:
    """From the first row of a window to the row that it is centred on, less the padding."""
    if own.way == "whole" or (own.way == "window" and own.extent == node.in_shape[0]):
        return own.extent - 1  # like a pool: of all rows, the newest
    return 0 if own.top or own.way == "pool" else own.extent - 1 - own.extent // 2


def _look_ahead(times: Study, centres: dict[str, int]) -> dict[str, int]:
    return {name: each.first - 1 - centres[name] for name, each in times.timings.items()}
