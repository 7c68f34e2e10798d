"""The ops of the integer graph, one row each, for all code that checks, runs, counts, lowers, exports or draws nodes.

To add an op: a row here with its sum in NumPy, a kernel `firmware_io/firmware/kernels/<op>.h`, and an entry in each
emitter that can express it exactly; all others refuse it with the reason. Random graphs draw it from the table.

`reach` and `weights` determine the shapes (inputs are [height, width, channels]; out_shape[2] is arbitrary where
weights span the channels, else that of the input):

reach      an output position reads        weights across channels          weights per channel    no weights
window     a window: kernel, stride, pad   [c_out, k_h, k_w, c_in]          [c, k_h, k_w]          a pool
all        every position                  [c_out, h * w * c], h, w, c      -                      a pool
position   the same position               -                                -                      by element
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

Shape = tuple[int, int, int]
Reach = Literal["window", "all", "position"]
Weights = Literal["across channels", "per channel"]
Op = str
"""The name of a row of OPS."""
Accumulate = Callable[["Attributes", tuple[np.ndarray, ...]], np.ndarray]
"""(node, its inputs: int32 [n, height, width, channels]) -> int64 [n, height, width, channels], without the offset."""


class Range(Protocol):
    """The fields of a requantization that rows read."""

    @property
    def lo(self) -> int: ...


class Attributes(Protocol):
    """The fields of a node that rows read; edgekws.graph.ir.Node explains them."""

    @property
    def in_shape(self) -> Shape: ...
    @property
    def out_shape(self) -> Shape: ...
    @property
    def weight(self) -> np.ndarray | None: ...
    @property
    def kernel(self) -> tuple[int, int]: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def pad(self) -> tuple[int, int, int, int]: ...
    @property
    def requant(self) -> Range: ...


@dataclass(frozen=True)
class Operation:
    """accumulate: the definition of the sum. input_count: inputs; several have one shape and one scale.

    is_scaled: whether requantization may do more than clip; where not, the output has the scale of the inputs.
    sums: whether values without weights are added up, rather than one of them chosen.
    """

    name: Op
    reach: Reach
    accumulate: Accumulate
    weights: Weights | None = None
    input_count: int = 1
    is_scaled: bool = True
    sums: bool = True

    @property
    def is_weighted(self) -> bool:
        return self.weights is not None

    @property
    def is_depthwise(self) -> bool:
        """One filter for each channel."""
        return self.weights == "per channel"

    @property
    def is_windowed(self) -> bool:
        return self.reach == "window"

    @property
    def is_convolution(self) -> bool:
        """Windows with weights: the ops that may be padded."""
        return self.is_weighted and self.is_windowed

    @property
    def is_dense(self) -> bool:
        """A matrix times the whole input."""
        return self.is_weighted and self.reach == "all"

    @property
    def is_global_pool(self) -> bool:
        return not self.is_weighted and self.reach == "all"

    @property
    def is_window_pool(self) -> bool:
        return not self.is_weighted and self.is_windowed

    def out_shape(
        self, in_shape: Shape, c_out: int, kernel: tuple[int, int], stride: tuple[int, int],
        pad: tuple[int, int, int, int],
    ) -> Shape:  # fmt: skip
        """c_out: the number of filters; used only for weights across channels."""
        height, width, channels = in_shape
        channels = c_out if self.weights == "across channels" else channels
        if self.reach == "all":
            return 1, 1, channels
        if self.reach == "position":
            return height, width, channels
        rows = (height + pad[0] + pad[1] - kernel[0]) // stride[0] + 1
        columns = (width + pad[2] + pad[3] - kernel[1]) // stride[1] + 1
        return rows, columns, channels

    def weight_shape(self, in_shape: Shape, c_out: int, kernel: tuple[int, int]) -> tuple[int, ...] | None:
        """As Node.weight is laid out; None without weights."""
        if self.weights is None:
            return None
        if self.reach == "all":
            return c_out, math.prod(in_shape)
        return (in_shape[2], *kernel) if self.is_depthwise else (c_out, *kernel, in_shape[2])

    def ordered_weight(self, weight: np.ndarray, in_shape: Shape) -> np.ndarray:
        """torch's order, [c_out, c_in / groups, k_h, k_w] or [c_out, c * h * w] -> that of Node.weight."""
        if self.is_depthwise:
            return np.ascontiguousarray(weight[:, 0])
        height, width, channels = in_shape
        spread = weight.reshape(len(weight), channels, height, width) if self.is_dense else weight
        moved = spread.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(moved.reshape(len(weight), -1) if self.is_dense else moved)

    def macs(self, node: Attributes) -> int:
        """Multiplications of all positions."""
        return 0 if node.weight is None else math.prod(node.weight.shape[1:]) * math.prod(node.out_shape)

    def reads(self, node: Attributes) -> int:
        """Values that an op without weights reads; those of overlapping windows count again."""
        if self.is_windowed:
            return math.prod(node.out_shape) * math.prod(node.kernel)
        return math.prod(node.in_shape) * self.input_count

    def bounds(self, node: Attributes, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest sum of each channel, int64 [c], of inputs within lo..hi. They hold for partial sums
        too where 0 is within lo..hi.
        """
        if node.weight is None:
            low, high = (np.full(node.out_shape[2], bound * self._summed(node), np.int64) for bound in (lo, hi))
            return low, high
        weight = node.weight.reshape(len(node.weight), -1).astype(np.int64)
        return np.minimum(weight * lo, weight * hi).sum(1), np.maximum(weight * lo, weight * hi).sum(1)

    def _summed(self, node: Attributes) -> int:
        """How many values one sum without weights adds."""
        if not self.sums:
            return 1
        counts = {"window": node.kernel, "all": node.in_shape[:2], "position": (self.input_count,)}
        return math.prod(counts[self.reach])


def _conv2d(node: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    windows = _windows(node, inputs[0])
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)
    weight = np.asarray(node.weight, np.float64)
    return np.asarray(columns @ weight.reshape(len(weight), -1).T, np.int64)


def _depthwise_conv2d(node: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    weight = np.asarray(node.weight, np.float64)
    return np.asarray(np.einsum("nrcdij,dij->nrcd", _windows(node, inputs[0]), weight), np.int64)


def _linear(node: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    (x,) = inputs
    return np.asarray(x.reshape(len(x), 1, 1, -1) @ np.asarray(node.weight, np.float64).T, np.int64)


def _global_sum_pool(_: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.asarray(inputs[0].sum(axis=(1, 2), keepdims=True, dtype=np.int64))


def _max_pool(node: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.asarray(_windows(node, inputs[0]).max(axis=(4, 5)), np.int64)


def _average_pool(node: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """The mean, halves away from the zero of the stored int8, which is 128 where outputs are unsigned.

    That is what TFLite's int8 AVERAGE_POOL_2D and CMSIS-NN compute of the stored bytes: (sum +- n / 2) / n toward zero.
    """
    zero, count = 128 if node.requant.lo == 0 else 0, math.prod(node.kernel)
    total = np.asarray(_windows(node, inputs[0]).sum(axis=(4, 5)), np.int64)
    floor, rest = np.divmod(total, count)
    return np.asarray(floor + ((2 * rest > count) | ((2 * rest == count) & (floor >= zero))))


def _add(_: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.asarray(inputs[0] + inputs[1], np.int64)


def _scale(_: Attributes, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return inputs[0].astype(np.int64)


def _windows(node: Attributes, x: np.ndarray) -> np.ndarray:
    """float64 [n, rows, columns, c_in, k_h, k_w], padded with zeros.

    float64 takes the fast matrix products and is exact: sums of products are integers far below 2^53, for
    Graph.check proves that they fit 32 bits.
    """
    top, bottom, left, right = node.pad
    padded = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, node.kernel, axis=(1, 2))
    return windows[:, :: node.stride[0], :: node.stride[1]]


_ROWS = (
    Operation("conv2d", "window", _conv2d, weights="across channels"),
    Operation("depthwise_conv2d", "window", _depthwise_conv2d, weights="per channel"),
    Operation("linear", "all", _linear, weights="across channels"),
    Operation("global_sum_pool", "all", _global_sum_pool),
    Operation("max_pool", "window", _max_pool, is_scaled=False, sums=False),
    Operation("average_pool", "window", _average_pool, is_scaled=False),
    Operation("add", "position", _add, input_count=2, is_scaled=False),
    Operation("scale", "position", _scale),
)
OPS = {row.name: row for row in _ROWS}
"""Rows by name; the op of every node is one of them."""
