"""What a graph means over a stream: every node runs over all rows at once.

    input     0 1 2 3 4 5 6 7 8 ...          rows of features
    conv      . . . 0   1   2   ...          extent 4, stride 2: row j reads rows 2j .. 2j + 3
    pool      . . . 0   1   2   ...          row j sums rows j - R + 1 .. j; rows before 0 are nothing
    scores    . . . 0   1   2   ...          step j

A node with padding reads its pad_value before row 0, as in a clip, and nothing is added after the last row. R is the
number of rows that the global pool has in a clip; after the pool, all layers run on each row. So the stream that is
one clip long ends with the scores of that clip, and no row depends on how the stream was cut into pushes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekws.graph import interp
from edgekws.graph.executor import checked_features
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.stream.rules import Reading, study

Rows = np.ndarray
"""int32 [rows, width, channels]"""
_CHUNK = 64


def scores(graph: Graph, rows: np.ndarray) -> np.ndarray:
    """rows int8 [n, coefficients] -> scores int8 [steps, labels].

    Step j needs `plan.first_rows` + j * `plan.step_rows` rows (edgekws.graph.stream.plan). Raises TargetError with the
    layer that forbids a stream, and ArtifactError for rows of another kind.
    """
    facts = study(graph).require()
    width, channels = graph.in_shape[1:]
    whole = checked_features(rows, (graph.clip_shape[1],)).astype(np.int32).reshape(-1, width, channels)
    values = {INPUT: whole}
    for node in graph.nodes:
        delayed = _together([values[name] for name in node.inputs], facts.delays[node.name])
        values[node.name] = _run(node, facts.readings[node.name], delayed)
    return values[graph.nodes[-1].name].reshape(-1, len(graph.labels)).astype(np.int8)


def _together(inputs: list[Rows], delays: tuple[int, ...]) -> list[Rows]:
    """Rows of all inputs that belong together, as many as all have."""
    late = [rows[delay:] for rows, delay in zip(inputs, delays, strict=True)]
    shortest = min(map(len, late))
    return [rows[:shortest] for rows in late]


def _run(node: Node, own: Reading, inputs: list[Rows]) -> Rows:
    if len(inputs[0]) + own.top < own.extent:
        return np.zeros((0, *node.out_shape[1:]), np.int32)
    if own.way == "window":
        over_all = replace(node, pad=(own.top, 0, *node.pad[2:]), stride=(own.stride, node.stride[1]))
        return np.asarray(interp.run_node(over_all, inputs[0][None])[0])
    if own.way == "state":
        return np.asarray(interp.run_node(with_rows(node, len(inputs[0])), *(rows[None] for rows in inputs))[0])
    if own.way == "rows":
        return np.asarray(interp.run_node(with_rows(node, 1), *(rows[:, None] for rows in inputs))[:, 0])
    return _of_clips(node, own, inputs[0])


def _of_clips(node: Node, own: Reading, rows: Rows) -> Rows:
    """The node as in a clip, on the last rows at each row."""
    padded = np.pad(rows, ((own.top, 0), (0, 0), (0, 0)))
    clips = np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, own.extent, axis=0), 3, 1)
    parts = [interp.run_node(node, clips[start : start + _CHUNK])[:, 0] for start in range(0, len(clips), _CHUNK)]
    return np.concatenate(parts)


def with_rows(node: Node, count: int) -> Node:
    """A node that treats each row alike, for tensors of `count` rows; a slice begins at the first."""
    shapes = tuple((count, *shape[1:]) for shape in node.other_shapes)
    begin = (0, *node.begin[1:]) if node.begin else ()
    in_shape, out_shape = (count, *node.in_shape[1:]), (count, *node.out_shape[1:])
    return replace(node, in_shape=in_shape, out_shape=out_shape, other_shapes=shapes, begin=begin)
