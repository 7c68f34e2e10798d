"""Ops that only move values, in ONNX operators on tensors [n, c, h, w] of any type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekws.emit._int64 import Steps
from edgekws.graph import sums
from edgekws.graph.ir import Node
from edgekws.graph.ops import Accumulate

_NCHW = {0: 2, 1: 3, 2: 1}
"""Height, width and channels of the graph -> their axis in a tensor of the file."""


def moved(steps: Steps, node: Node, sources: Sequence[str]) -> str:
    """The values of `sources` as `node`, whose reach is "moved", has them."""
    return _MOVES[node.operation.accumulate](steps, node, sources)


def _concat(steps: Steps, node: Node, sources: Sequence[str]) -> str:
    return steps.op("Concat", *sources, axis=_NCHW[node.axes[0]])


def _slice(steps: Steps, node: Node, sources: Sequence[str]) -> str:
    begin, axes = np.array(node.begin), np.array([_NCHW[axis] for axis in range(3)])
    return steps.op("Slice", *sources, begin, begin + node.out_shape, axes)


def _transpose(steps: Steps, node: Node, sources: Sequence[str]) -> str:
    """Axis k of the output is axes[k] of the input, in the order height, width, channels."""
    height, width, channels = (_NCHW[axis] for axis in node.axes)
    return steps.op("Transpose", *sources, perm=[0, channels, height, width])


def _reshape(steps: Steps, node: Node, sources: Sequence[str]) -> str:
    """By way of the graph's order of values: height, width, channels. A first dimension of 0 is kept."""
    rows = steps.op("Transpose", *sources, perm=[0, 2, 3, 1])
    shaped = steps.op("Reshape", rows, np.array([0, *node.out_shape]))
    return steps.op("Transpose", shaped, perm=[0, 3, 1, 2])


_MOVES: dict[Accumulate, Callable[[Steps, Node, Sequence[str]], str]] = {
    sums.concat: _concat,
    sums.slice_: _slice,
    sums.transpose: _transpose,
    sums.reshape: _reshape,
}
