"""A stream in NumPy that takes rows as they come and computes what is new, by the plan."""

from __future__ import annotations

import numpy as np

from edgekws.graph import interp, sums
from edgekws.graph.executor import checked_features
from edgekws.graph.ir import INPUT, Graph
from edgekws.graph.stream.definition import with_rows
from edgekws.graph.stream.plan import StepNode, plan
from edgekws.graph.stream.rules import is_mean

_STEPS = 64
"""Steps that are computed at once, at most."""


class Stream:
    """Scores of a graph over a stream, step by step; edgekws.graph.stream.definition says what they are."""

    def __init__(self, graph: Graph) -> None:
        """Raises TargetError with the layer that forbids a stream."""
        self.plan, self._graph = plan(graph), graph
        self.reset()

    @property
    def step_rows(self) -> int:
        """Rows of the input between two scores."""
        return self.plan.step_rows

    @property
    def first_rows(self) -> int:
        """Rows of the input until the first scores."""
        return self.plan.first_rows

    def reset(self) -> None:
        """Begin a new stream."""
        self._step = 0
        self._kept = {
            name: np.full((each.rows - each.new_rows, each.width, each.channels), each.fill, np.int32)
            for name, each in self.plan.buffers.items()
        }
        pools = [each for each in self.plan.nodes if each.pool_rows]
        self._sums = {each.node.name: np.zeros((each.pool_rows, each.node.in_shape[2]), np.int64) for each in pools}
        scans = [each.node for each in self.plan.nodes if each.node.body]
        self._states = {node.name: np.zeros((1, *node.body[-1].out_shape), np.int32) for node in scans}
        lead = (self.plan.lead_rows, *self._graph.in_shape[1:])
        self._pending = np.full(lead, self.plan.buffers[INPUT].fill, np.int32)

    def push(self, rows: np.ndarray) -> np.ndarray:
        """rows int8 [k, coefficients], any k -> scores int8 [steps, labels] of the steps that they complete.

        Raises ArtifactError for rows of another shape, type or range.
        """
        checked = checked_features(np.asarray(rows), (self._graph.clip_shape[1],)).astype(np.int32)
        waiting = np.concatenate([self._pending, checked.reshape(-1, *self._graph.in_shape[1:])])
        size, scores = self.step_rows, [np.zeros((0, len(self._graph.labels)), np.int8)]
        steps = len(waiting) // size
        for start in range(0, steps, _STEPS):
            count = min(_STEPS, steps - start)
            scores.append(self._run(waiting[start * size : (start + count) * size], count))
        self._pending = waiting[steps * size :]
        return np.concatenate(scores)

    def _run(self, rows: np.ndarray, steps: int) -> np.ndarray:
        """The scores of some steps, but for those of the warm-up."""
        seen = {INPUT: np.concatenate([self._kept[INPUT], rows])}
        for each in self.plan.nodes:
            name, buffer = each.node.name, self.plan.buffers[each.node.name]
            views = [
                seen[read.tensor][read.first :][: read.rows + (steps - 1) * self.plan.buffers[read.tensor].new_rows]
                for read in each.reads
            ]
            blank = min(max(each.blank_rows - self._step * buffer.new_rows, 0), steps * buffer.new_rows)
            new = self._outputs(each, views, steps * buffer.new_rows, blank)
            new[:blank] = buffer.fill
            seen[name] = np.concatenate([self._kept[name], new])
        for name, values in seen.items():
            buffer = self.plan.buffers[name]
            self._kept[name] = values[len(values) - (buffer.rows - buffer.new_rows) :]
        scores = seen[self._graph.nodes[-1].name][-steps:].reshape(steps, -1).astype(np.int8)
        warm = min(max(self.plan.warm_steps - self._step, 0), steps)
        self._step += steps
        return scores[warm:]

    def _outputs(self, each: StepNode, views: list[np.ndarray], rows: int, blank: int) -> np.ndarray:
        """New rows of a node, int32 [rows, width, channels]; the first `blank` are no rows of the stream."""
        way, node = each.reading.way, each.node
        if way == "pool":
            return self._pooled(each, views[0], blank)
        if way == "state":
            return self._scanned(each, views, blank)
        if way == "whole":
            clips = np.moveaxis(np.lib.stride_tricks.sliding_window_view(views[0], each.reading.extent, axis=0), 3, 1)
            return np.array(interp.run_node(node, clips)[:, 0])
        if way == "rows":
            return np.array(interp.run_node(with_rows(node, rows), *(view[None] for view in views))[0])
        return np.array(interp.run_node(node, views[0][None])[0])

    def _pooled(self, each: StepNode, view: np.ndarray, blank: int) -> np.ndarray:
        """A running total: the sum of each new row is added, and that of the row that leaves is subtracted."""
        node, new = each.node, view.sum(axis=1, dtype=np.int64)
        new[:blank] = 0
        kept = self._sums[node.name]
        ring = np.concatenate([kept, new])
        self._sums[node.name] = ring[len(new) :]
        totals = kept.sum(axis=0) + np.cumsum(new - ring[: len(new)], axis=0)
        if is_mean(node):
            zero = sums.mean_zero(node)
            totals = sums.rounded_mean(totals, np.int64(each.pool_rows * node.in_shape[1]), zero)
        return interp.requantize(totals, node.requant)[:, None]

    def _scanned(self, each: StepNode, views: list[np.ndarray], blank: int) -> np.ndarray:
        node, rows = each.node, len(views[0]) - blank
        state = self._states[node.name]
        new = sums.states(with_rows(node, rows), tuple(view[None, blank:] for view in views), state)
        if rows:
            self._states[node.name] = new[:, -1:].astype(np.int32)
        padding = np.zeros((blank, *new.shape[2:]), np.int32)
        return np.concatenate([padding, interp.requantize(new[0], node.requant)])
