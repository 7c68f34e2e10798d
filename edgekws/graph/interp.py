"""The living definition of the integer graph, in plain NumPy. Every other executor must agree with it.

Sums of products are computed by float64 matrix products: all products and sums are integers far
below 2^53 (Graph.check proves that they fit 32 bits), so float64 is exact and uses the fast BLAS.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN
from edgekws.graph.ir import FIXED_POINT_BITS, INPUT, Graph, Node, Requant

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


def requantize(acc: np.ndarray, stage: Requant) -> Batch:
    """acc int64 [..., c], without the offset -> int32 [..., c] within lo..hi."""
    if stage.is_identity:
        return np.asarray(np.clip(acc, stage.lo, stage.hi), np.int32)
    total = acc + stage.offset.astype(np.int64)
    scale = _fixed_point if stage.rule == "fixed-point" else _floor
    return np.asarray(np.clip(scale(total, stage), stage.lo, stage.hi), np.int32)


def _floor(total: np.ndarray, stage: Requant) -> np.ndarray:
    return np.asarray((total * stage.mult.astype(np.int64)) >> stage.shift.astype(np.int64))


def _fixed_point(total: np.ndarray, stage: Requant) -> np.ndarray:
    """Two roundings: the high half of the product (halves up); the shift (halves away from zero).

    gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT. The nudge of the first and its
    division toward zero come to the floor after adding a half, for both signs.
    """
    product, half = total * stage.mult.astype(np.int64), np.int64(1) << (FIXED_POINT_BITS - 1)
    high = (product + half) >> FIXED_POINT_BITS
    shift = stage.shift.astype(np.int64)
    mask = (np.int64(1) << shift) - 1
    threshold = (mask >> 1) + (high < 0)
    return np.asarray((high >> shift) + ((high & mask) > threshold))


def accumulate(node: Node, *inputs: Batch) -> np.ndarray:
    """The sum of a node before its offset, int64 [n, height, width, channels]; the maximum of a max_pool."""
    x = inputs[0]
    if node.op == "add":
        return np.asarray(x + inputs[1], np.int64)
    if node.op == "scale":
        return x.astype(np.int64)
    if node.op == "global_sum_pool":
        return np.asarray(x.sum(axis=(1, 2), keepdims=True, dtype=np.int64))
    if node.op == "linear":
        return np.asarray(x.reshape(len(x), 1, 1, -1) @ np.asarray(node.weight, np.float64).T, np.int64)
    return _windowed(node, x)


def _windowed(node: Node, x: Batch) -> np.ndarray:
    windows = _windows(node, x)  # [n, rows, columns, c_in, k_h, k_w]
    if node.op == "max_pool":
        return np.asarray(windows.max(axis=(4, 5)), np.int64)
    weight = np.asarray(node.weight, np.float64)
    if node.op == "depthwise_conv2d":
        return np.asarray(np.einsum("nrcdij,dij->nrcd", windows, weight), np.int64)
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)
    return np.asarray(columns @ weight.reshape(len(weight), -1).T, np.int64)


def _windows(node: Node, x: Batch) -> np.ndarray:
    top, bottom, left, right = node.pad
    padded = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, node.kernel, axis=(1, 2))
    return windows[:, :: node.stride[0], :: node.stride[1]]


def as_input(graph: Graph, features: np.ndarray) -> Batch:
    """What `trace` takes, from int8 features. Raises ArtifactError for another shape, type or range."""
    height, width, channels = graph.in_shape
    if features.ndim != 3 or features.shape[1:] != (height, width * channels):
        raise ArtifactError(f"features should have shape [n, {height}, {width}]", got=str(list(features.shape)))
    if features.dtype.kind not in "iu":
        hint = "edgekws.features.mfcc.quantize makes them"
        raise ArtifactError("features should be int8", got=str(features.dtype), hint=hint)
    if features.size and (features.min() < INPUT_MIN or features.max() > INPUT_MAX):
        raise ArtifactError("features should be int8", got=f"{features.min()}..{features.max()}")
    return features.astype(np.int32).reshape(-1, height, width, channels)


def _last(steps: Iterator[tuple[Node, Batch]]) -> Batch:
    *_, (_, values) = steps
    return values
