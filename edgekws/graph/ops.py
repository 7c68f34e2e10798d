"""The ops of the integer graph, one row each, for all code that checks, runs, counts, lowers, exports or draws nodes.

To add an op: a row here with its sum in NumPy, a kernel `firmware_io/firmware/kernels/<op>.h`, and an entry in each
emitter that can express it exactly; all others refuse it with the reason. Random graphs draw it from the table.

`reach` and `weights` determine the shapes (inputs are [height, width, channels]; out_shape[2] is arbitrary where
weights span the channels, else that of the input):

reach      an output position reads        weights across channels          weights per channel    no weights
window     a window: kernel, stride, pad   [c_out, k_h, k_w, c_in]          [c, k_h, k_w]          a pool
all        every position                  [c_out, h * w * c], h, w, c      -                      a pool
position   the same position               [1 or c, 256]: a table            -                      by element
moved      values elsewhere, unchanged      -                                -                      by `shape_of`
steps      this row and those before        -                                -                      by `shape_of`

Rows name in `attributes` the fields of Node that only they have. Where a row `broadcasts`, the first input has the
shape of the output, and the others have it too or are 1 high, wide or deep and are repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekws.graph import sums
from edgekws.graph.attributes import Attributes, Shape

Reach = Literal["window", "all", "position", "moved", "steps"]
Weights = Literal["across channels", "per channel", "table"]
Op = str
"""The name of a row of OPS."""
Accumulate = Callable[["Attributes", tuple[np.ndarray, ...]], np.ndarray]
"""(node, its inputs: int32 [n, height, width, channels]) -> int64 [n, height, width, channels], without the offset."""


@dataclass(frozen=True)
class Operation:
    """accumulate: the definition of the sum. input_count: inputs; 0 for any number from 2.

    is_scaled: whether requantization may do more than clip; where not, the output has the scale of the inputs.
    sums: whether values without weights are added up, rather than one of them chosen.
    attributes: the fields of Node that this row has and most have not. own_scale: whether the output's scale differs
    from that of the inputs though the requantization only clips. broadcasts: whether inputs but the first may be 1
    high, wide or deep. shape_of: the output shape, where `reach` is "moved" or "steps".
    """

    name: Op
    reach: Reach
    accumulate: Accumulate
    weights: Weights | None = None
    input_count: int = 1
    is_scaled: bool = True
    sums: bool = True
    attributes: tuple[str, ...] = ()
    own_scale: bool = False
    broadcasts: bool = False
    shape_of: Callable[[Attributes], Shape] | None = None

    @property
    def is_weighted(self) -> bool:
        """Whether it multiplies by weights; a table is none."""
        return self.weights in ("across channels", "per channel")

    @property
    def is_table(self) -> bool:
        return self.weights == "table"

    @property
    def is_basic(self) -> bool:
        """The ops that need no fields of their own: those that quantization makes of plain networks."""
        return not self.attributes and not self.is_table and self.reach != "moved"

    @property
    def is_recurrent(self) -> bool:
        """Whether a node has a body that runs once for each row."""
        return self.reach == "steps"

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
    def is_padded(self) -> bool:
        """Whether windows may leave the input."""
        return self.is_windowed

    @property
    def is_window_pool(self) -> bool:
        return not self.is_weighted and self.is_windowed

    def out_shape(
        self, in_shape: Shape, c_out: int, kernel: tuple[int, int], stride: tuple[int, int],
        pad: tuple[int, int, int, int], dilation: tuple[int, int] = (1, 1),
    ) -> Shape:  # fmt: skip
        """c_out: the number of filters; used only for weights across channels. Not for rows with `shape_of`."""
        height, width, channels = in_shape
        channels = c_out if self.weights == "across channels" else channels
        if self.reach == "all":
            return 1, 1, channels
        if self.reach == "position":
            return height, width, channels
        extent = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
        rows = (height + pad[0] + pad[1] - extent[0]) // stride[0] + 1
        columns = (width + pad[2] + pad[3] - extent[1]) // stride[1] + 1
        return rows, columns, channels

    def weight_shape(self, in_shape: Shape, c_out: int, kernel: tuple[int, int]) -> tuple[int, ...] | None:
        """As Node.weight is laid out; None without weights, and for tables, which have one row or one a channel."""
        if not self.is_weighted:
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
        if node.body:
            return int(node.in_shape[0] * sum(each.macs for each in node.body))
        if node.weight is None or not self.is_weighted:
            return 0
        return math.prod(node.weight.shape[1:]) * math.prod(node.out_shape)

    def reads(self, node: Attributes) -> int:
        """Values that an op without weights reads; those of overlapping windows count again."""
        if node.body:
            return int(node.in_shape[0] * sum(each.operation.reads(each) for each in node.body))
        if self.is_windowed:
            return math.prod(node.out_shape) * math.prod(node.kernel)
        return sum(map(math.prod, node.in_shapes))

    def bounds(self, node: Attributes, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest sum of each channel, int64 [c], of inputs within lo..hi. They hold for partial sums
        too where 0 is within lo..hi.
        """
        if self.is_table or node.weight is None:
            ends = sums.bounds(node, ((lo, hi),) * len(node.in_shapes))
            ends = ends or (lo * self._summed(node), hi * self._summed(node))
            return np.full(node.out_shape[2], ends[0], np.int64), np.full(node.out_shape[2], ends[1], np.int64)
        weight = node.weight.reshape(len(node.weight), -1).astype(np.int64)
        return np.minimum(weight * lo, weight * hi).sum(1), np.maximum(weight * lo, weight * hi).sum(1)

    def _summed(self, node: Attributes) -> int:
        """How many values one sum without weights adds."""
        if not self.sums:
            return 1
        counts = {"window": node.kernel, "all": node.in_shape[:2], "position": (self.input_count,)}
        return math.prod(counts[self.reach])


def _concatenated(node: Attributes) -> Shape:
    (axis,) = node.axes
    shape = list(node.in_shape)
    shape[axis] = sum(each[axis] for each in node.in_shapes)
    return shape[0], shape[1], shape[2]


def _transposed(node: Attributes) -> Shape:
    height, width, channels = (node.in_shape[axis] for axis in node.axes)
    return height, width, channels


def _states(node: Attributes) -> Shape:
    """One state for each row."""
    _, width, channels = node.body[-1].out_shape
    return node.in_shape[0], width, channels


def _given(node: Attributes) -> Shape:
    """The shape is the node's own; Graph.check proves that it holds the values."""
    return node.out_shape


_ROWS = (
    Operation("conv2d", "window", sums.conv2d, weights="across channels"),
    Operation("depthwise_conv2d", "window", sums.depthwise_conv2d, weights="per channel"),
    Operation("linear", "all", sums.linear, weights="across channels"),
    Operation("global_sum_pool", "all", sums.global_sum_pool),
    Operation("max_pool", "window", sums.max_pool, is_scaled=False, sums=False),
    Operation("average_pool", "window", sums.average_pool, is_scaled=False),
    Operation("add", "position", sums.add, input_count=2, is_scaled=False),
    Operation("scale", "position", sums.scale),
    Operation("rescaled_add", "position", sums.rescaled_add, input_count=2, attributes=("operands",), broadcasts=True),
    Operation("mul", "position", sums.mul, input_count=2, attributes=("operands",), broadcasts=True),
    Operation("table", "position", sums.table, weights="table", is_scaled=False, sums=False, own_scale=True),
    Operation(
        "softmax", "position", sums.softmax, is_scaled=False, sums=False, attributes=("operands",), own_scale=True
    ),
    Operation(
        "concat", "moved", sums.concat, input_count=0, is_scaled=False, sums=False, attributes=("axes",),
        shape_of=_concatenated,
    ),
    Operation(
        "slice", "moved", sums.slice_, is_scaled=False, sums=False, attributes=("begin",), shape_of=_given
    ),
    Operation(
        "transpose", "moved", sums.transpose, is_scaled=False, sums=False, attributes=("axes",), shape_of=_transposed
    ),
    Operation("reshape", "moved", sums.reshape, is_scaled=False, sums=False, shape_of=_given),
    Operation(
        "scan", "steps", sums.scan, input_count=0, is_scaled=False, sums=False, attributes=("body",), own_scale=True,
        shape_of=_states,
    ),
)  # fmt: skip
OPS = {row.name: row for row in _ROWS}
"""Rows by name; the op of every node is one of them."""
DENSE: Op = next(name for name, row in OPS.items() if row.is_dense)
"""The matrix times the whole input."""
CROP: Op = next(name for name, row in OPS.items() if "begin" in row.attributes)
"""The part of a tensor that begins somewhere in it."""
