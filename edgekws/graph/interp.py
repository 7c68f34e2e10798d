"""The reference interpreter of the integer graph, in plain NumPy. It defines the results of every other executor.

The sums are in edgekws/graph/ops.py; the requantization and the order of execution are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from edgekws.graph.executor import checked_features
from edgekws.graph.ir import INPUT, Graph, Node, Requant, Rule
from edgekws.graph.sums import rounded_once, rounded_twice

Batch = np.ndarray
"""int32 [n, height, width, channels]"""


def run(graph: Graph, features: np.ndarray, chunk: int = 64) -> np.ndarray:
    """features int8 [n, frames, coefficients] -> scores int8 [n, labels].

    Raises ArtifactError when the features have another shape or type or leave the int8 range.
    """
    inputs = as_input(graph, np.asarray(features))
    chunks = [_last(trace(graph, inputs[start : start + chunk])) for start in range(0, len(inputs), chunk)]
    scores = np.concatenate(chunks) if chunks else np.zeros((0, 1, 1, len(graph.labels)))
    return scores.reshape(-1, len(graph.labels)).astype(np.int8)


def trace(graph: Graph, inputs: Batch) -> Iterator[tuple[Node, Batch]]:
    """Yield each node with its output, in order."""
    values, last_uses = {INPUT: inputs}, graph.last_uses()
    for number, node in enumerate(graph.nodes):
        values[node.name] = run_node(node, *(values[name] for name in node.inputs))
        yield node, values[node.name]
        values = {name: value for name, value in values.items() if last_uses.get(name, -1) > number}


def run_node(node: Node, *inputs: Batch) -> Batch:
    return requantize(accumulate(node, *inputs), node.requant)


def requantize(acc: np.ndarray, requant: Requant) -> Batch:
    """acc int64 [..., c], without the offset -> int32 [..., c] within lo..hi."""
    if requant.is_identity:
        return np.asarray(np.clip(acc, requant.lo, requant.hi), np.int32)
    total = acc + requant.offset.astype(np.int64)
    y = _SCALED[requant.rule](total, requant.mult.astype(np.int64), requant.shift.astype(np.int64))
    return np.asarray(np.clip(y + requant.zero, requant.lo, requant.hi), np.int32)


def _floor(total: np.ndarray, mult: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return np.asarray((total * mult) >> shift)


_SCALED: dict[Rule, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "offset-scale-shift": _floor,
    "fixed-point": rounded_twice,
    "fixed-point-once": rounded_once,
}


def accumulate(node: Node, *inputs: Batch) -> np.ndarray:
    """The sum of a node before its offset, int64 [n, height, width, channels], by its row of the op table."""
    return node.operation.accumulate(node, inputs)


def as_input(graph: Graph, features: np.ndarray) -> Batch:
    """What `trace` takes, from int8 features. Raises ArtifactError for another shape, type or range."""
    return checked_features(features, graph.clip_shape).astype(np.int32).reshape(-1, *graph.in_shape)


def _last(steps: Iterator[tuple[Node, Batch]]) -> Batch:
    *_, (_, values) = steps
    return values
