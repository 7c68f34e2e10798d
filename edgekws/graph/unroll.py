"""A graph without scans: the body of each is repeated for every row, for formats and executors without loops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgekws.graph.ir import FIXED_POINT_BITS, Graph, Node, Requant
from edgekws.graph.ops import DENSE
from edgekws.graph.sums import STATE, step

_ROWS = 0
"""The axis of concat that rows are on."""
_FACTOR = 0.3


def unrolled(graph: Graph) -> Graph:
    """The same integers from nodes without a body. The copies of a node share its arrays, so that writers can store
    each once: they are the same objects. A graph without scans is returned as it is.
    """
    if not any(node.body for node in graph.nodes):
        return graph
    sources = {node.name: node for node in graph.nodes}
    nodes = [
        copy
        for node in graph.nodes
        for copy in (_steps(node, [sources[name] for name in node.inputs]) if node.body else (node,))
    ]
    return replace(graph, nodes=tuple(nodes))


def _steps(node: Node, sources: list[Node]) -> Iterator[Node]:
    """Slices of each row, the copies of the body, and the concatenation of the states, which has the scan's name."""
    rows, states, last = node.in_shape[0], [f"{node.name}.first"], node.body[-1]
    for row in range(rows):
        parts = [_row(node, number, row, source) for number, source in enumerate(sources)]
        yield from parts
        if row == 0:
            yield _zeros(node, parts[0])
        names = {each.name: f"{node.name}.{row}.{each.name}" for each in node.body}
        names |= {step(number): part.name for number, part in enumerate(parts)} | {STATE: states[-1]}
        for each in node.body:
            yield replace(each, name=names[each.name], inputs=tuple(names[name] for name in each.inputs))
        states.append(names[last.name])
    if rows == 1:  # concat takes two or more
        yield replace(node, op="reshape", inputs=(states[1],), in_shape=last.out_shape, body=(), other_shapes=())
        return
    yield replace(node, op="concat", inputs=tuple(states[1:]), in_shape=last.out_shape, axes=(_ROWS,), body=())


def _row(node: Node, number: int, row: int, source: Node) -> Node:
    _, width, channels = node.in_shape
    requant = Requant.identity(channels, source.requant.lo, source.requant.hi)
    return Node(
        f"{node.name}.{row}.{step(number)}", "slice", (source.name,), requant, node.in_shape, (1, width, channels),
        begin=(row, 0, 0), out_scale=source.out_scale, out_zero=source.out_zero,
    )  # fmt: skip


def _zeros(node: Node, row: Node) -> Node:
    """The first state: a linear layer whose weights are zero. Its multiplier is one that TFLite makes of scales."""
    shape, size = node.body[-1].out_shape, int(np.prod(row.out_shape))
    channels, weight_scale = shape[2], float(np.float32(_FACTOR * node.out_scale / row.out_scale))
    fraction, exponent = np.frexp(row.out_scale * weight_scale / node.out_scale)
    requant = Requant(
        np.zeros(channels, np.int32),
        np.full(channels, np.floor(np.ldexp(fraction, FIXED_POINT_BITS) + 0.5), np.int32),
        np.full(channels, -exponent, np.uint8), node.requant.lo, node.requant.hi, "fixed-point",
    )  # fmt: skip
    weight = np.zeros((channels, size), np.int8)
    return Node(
        f"{node.name}.first", DENSE, (row.name,), requant, row.out_shape, shape, weight,
        out_scale=node.out_scale, out_zero=node.out_zero,
    )  # fmt: skip
