"""Helpers shared by the emitters that run their own files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.executor import Executor, checked_features
from edgekws.graph.ir import Graph, Node
from edgekws.graph.ops import Op

__all__ = ["NEAR", "Executor", "checked_features", "entry", "narrow_weights", "packed", "positions_inside"]

Entry = TypeVar("Entry")

NEAR = "-near"
"""Suffix of the names of executors whose file may differ from the graph."""


def entry(entries: Mapping[Op, Entry], node: Node, kind: str) -> Entry:
    """The entry that writes `node`. Raises TargetError for an op without one: the format cannot express it exactly."""
    if node.op not in entries:
        raise TargetError(
            f"{node.name}: {kind} should have an exact form of {node.op}",
            got="none",
            hint=f"export another format, such as c or onnx-integer; {kind} expresses {', '.join(entries)}",
        )
    return entries[node.op]


def narrow_weights(graph: Graph, stored: Callable[[Node], str]) -> dict[str, str]:
    """The metadata of layers with 4- and 2-bit weights; empty if there are none.

    stored: the type in which the format holds the weights of a node.
    """
    narrow = [node for node in graph.nodes if node.weight is not None and node.weight_bits < 8]
    rows = {node.name: {"bits": node.weight_bits, "stored_as": stored(node)} for node in narrow}
    return {"narrow_weights": json.dumps(rows)} if rows else {}


def positions_inside(node: Node) -> np.ndarray:
    """How many positions of each window are inside the input: int64 [1, 1, rows, columns], or a scalar if all are."""
    if not any(node.pad):
        return np.array(math.prod(node.kernel))
    sides = []
    for axis, before in ((0, node.pad[0]), (1, node.pad[2])):
        first = np.arange(node.out_shape[axis]) * node.stride[axis] - before
        last = np.minimum(first + node.kernel[axis], node.in_shape[axis])
        sides.append(last - np.maximum(first, 0))
    return np.outer(*sides)[None, None]


def packed(weight: np.ndarray, bits: int) -> np.ndarray:
    """uint8: fields of `bits` (4 or 2) bits, the first one lowest, as in ONNX and TFLite."""
    count = 8 // bits
    fields = weight.ravel().astype(np.uint8) & ((1 << bits) - 1)
    rows = np.pad(fields, (0, -len(fields) % count)).reshape(-1, count)
    return np.asarray(np.bitwise_or.reduce(rows << (bits * np.arange(count, dtype=np.uint8)), axis=1), np.uint8)
