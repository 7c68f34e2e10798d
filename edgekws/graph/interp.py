"""The living definition of the integer graph, in plain NumPy. Every other executor must agree with it.

Sums of products are computed by float64 matrix products: all products and sums are integers far
below 2^53 (Graph.check proves that they fit 32 bits), so float64 is exact and uses the fast BLAS.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN
from edgekws.graph.ir import Graph, Node, Requant

Batch = np.ndarray
"""int32 [n, height, width, channels]"""


def run(graph: Graph, features: np.ndarray, chunk: int = 64) -> np.ndarray:
    """features int8 [n, frames, coefficients] -> scores int8 [n, labels].

    Raises ArtifactError when the features have another shape or leave the int8 range.
    """
    inputs = _as_input(graph, features)
    chunks = [_last(trace(graph, inputs[start : start + chunk])) for start in range(0, len(inputs), chunk)]
    scores = np.concatenate(chunks) if chunks else np.zeros((0, 1, 1, len(graph.labels)))
    return scores.reshape(-1, len(graph.labels)).astype(np.int8)


def trace(graph: Graph, inputs: Batch) -> Iterator[tuple[Node, Batch]]:
    """Yield each node with its output, in order."""
    values = inputs
    for node in graph.nodes:
        values = run_node(node, values)
        yield node, values


def run_node(node: Node, x: Batch) -> Batch:
    return requantize(_accumulate(node, x), node.requant)


def requantize(acc: np.ndarray, stage: Requant) -> Batch:
    """acc int64 [..., c] -> int32 [..., c] within lo..hi."""
    scaled = (acc + stage.offset.astype(np.int64)) * stage.mult.astype(np.int64)
    return np.clip(scaled >> stage.shift.astype(np.int64), stage.lo, stage.hi).astype(np.int32)


def _accumulate(node: Node, x: Batch) -> np.ndarray:
    if node.op == "global_sum_pool":
        return np.asarray(x.sum(axis=(1, 2), keepdims=True, dtype=np.int64))
    weight = np.asarray(node.weight, np.float64)
    if node.op == "linear":
        return np.asarray(x.reshape(len(x), 1, 1, -1) @ weight.T, np.int64)
    windows = _windows(node, x)  # [n, rows, columns, c_in, k_h, k_w]
    if node.op == "depthwise_conv2d":
        return np.asarray(np.einsum("nrcdij,dij->nrcd", windows, weight), np.int64)
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)
    return np.asarray(columns @ weight.reshape(len(weight), -1).T, np.int64)


def _windows(node: Node, x: Batch) -> np.ndarray:
    top, bottom, left, right = node.pad
    k_h, k_w = np.asarray(node.weight).shape[1:3]
    padded = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k_h, k_w), axis=(1, 2))
    return windows[:, :: node.stride[0], :: node.stride[1]]


def _as_input(graph: Graph, features: np.ndarray) -> Batch:
    height, width, channels = graph.in_shape
    if features.ndim != 3 or features.shape[1:] != (height, width * channels):
        raise ArtifactError(f"features should have shape [n, {height}, {width}]", got=str(list(features.shape)))
    if features.size and (features.min() < INPUT_MIN or features.max() > INPUT_MAX):
        raise ArtifactError("features should be int8", got=f"{features.min()}..{features.max()}")
    return features.astype(np.int32).reshape(-1, height, width, channels)


def _last(steps: Iterator[tuple[Node, Batch]]) -> Batch:
    *_, (_, values) = steps
    return values
