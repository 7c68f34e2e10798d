"""Nodes of a stream as the kernels compute them: one row of output at a time.

The rows of a tensor are [rows][channels][width]: one row is what the kernels call a tensor of one row, and rows next to
each other are a tensor of one row with more channels. So a convolution over k rows is one of height 1 over k times the
channels, with its weights in another order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekws.emit.c import extended
from edgekws.emit.c.extended import Call, Range
from edgekws.emit.c.stream.column import COLUMN, is_column
from edgekws.errors import TargetError
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import Graph, Node
from edgekws.graph.stream.definition import with_rows
from edgekws.graph.stream.plan import StepNode

ROW = "_row"
"""The form of kernels in firmware/kernels/stream; those for rows of one column have another, see column.py."""
_SEPARABLE_COLUMNS = 5
_ROW_TAPS, _LINEAR_TAPS = 4, 8
"""conv2d_row.h and linear_row.h take filters of multiples of them."""


@dataclass(frozen=True)
class RowNode:
    """A node that gives one row. node: with the shapes that its kernel is told. form: of its kernel.

    rows: of the input that it reads; stride: rows between those of neighbouring output rows. gathered: the rows that
    are copied to a tensor of their own, as planes, before the kernel runs; or only put next to each other, without a
    call, where the window is dilated.
    """

    node: Node
    form: str = ""
    rows: int = 1
    stride: int = 1
    gathered: Call | None = None
    dilation: int = 1

    @property
    def gathered_bytes(self) -> int:
        """Of the rows that are copied."""
        if self.gathered is None and self.dilation == 1:
            return 0
        height, width, channels = self.node.in_shape
        return height * width * channels


def row_node(graph: Graph, step: StepNode, values: Range) -> RowNode:
    """values: range of the first input. Raises TargetError for a node without a kernel that keeps its state."""
    own, node = step.reading, step.node
    if own.way == "state":
        hint = "use Graph.stream() in NumPy, or a network without recurrent layers"
        raise TargetError(f"{node.name}: C has no recurrent layers in streams yet", got=node.op, hint=hint)
    if own.way == "pool":
        return RowNode(graph.node(node.name), ROW)
    if own.way == "rows":
        one = with_rows(node, 1)
        return RowNode(one, _form(one, values))
    if own.way == "whole":
        flat = _flat_linear(node) if node.operation.is_dense else node
        return RowNode(flat, _form(flat, values), own.extent, gathered=_planes(node, values))
    one = _one_window(node, own.extent)
    if one.operation.is_depthwise:
        return RowNode(one, COLUMN if is_column(one, values) else ROW, own.extent, own.stride)
    if one.operation.is_convolution:
        flat = _flat_convolution(one)
        return RowNode(flat, _form(flat, values), own.extent, own.stride, dilation=one.dilation[0])
    return RowNode(one, "", own.extent, own.stride, _planes(one, values))


def _form(node: Node, values: Range) -> str:
    """Of the kernel of a layer that gives one row: what those in kernels/stream compute is left to them."""
    if is_column(node, values) and not node.operation.is_depthwise:
        return COLUMN
    if node.weight is None or node.weight_bits != 8 or not _has_factors(node):
        return ""
    taps, (_, width, _), op = node.weight[0].size, node.in_shape, node.operation
    if op.is_dense:
        return ROW if width == 1 and taps % _LINEAR_TAPS == 0 else ""
    return ROW if op.is_convolution and not op.is_depthwise and taps % _ROW_TAPS == 0 else ""


def _has_factors(node: Node) -> bool:
    """Whether mult * 2^(32 - shift) has 31 bits in every channel; other rules have no such factor."""
    requant = node.requant
    if requant.is_identity or requant.is_fixed_point:
        return True
    return bool((requant.mult.astype(int) << 1 < 1 << requant.shift.astype(int)).all())


def is_separable(depthwise: RowNode, pointwise: RowNode) -> bool:
    """Whether separable_row.h computes both: a depthwise 3x3 convolution and the 1x1 convolution that reads it."""
    first, second, channels = depthwise.node, pointwise.node, depthwise.node.in_shape[2]
    shapes = first.kernel == (3, 3) and first.stride[1] == 1 and first.pad == (0, 0, 1, 1) and first.dilation == (1, 1)
    sizes = first.in_shape[1] == first.out_shape[1] == _SEPARABLE_COLUMNS and channels % _ROW_TAPS == 0
    plain = second.kernel == (1, 1) and second.stride[1] == 1 and not any(second.pad)
    is_first = first.operation.is_depthwise and first.weight_bits == 8 and first.requant.lo == 0
    is_second = second.operation.is_convolution and pointwise.form == ROW
    return is_first and is_second and shapes and sizes and plain and _has_factors(first)


def _one_window(node: Node, extent: int) -> Node:
    """The node with the one window that gives one row."""
    return replace(
        node, in_shape=(extent, *node.in_shape[1:]), out_shape=(1, *node.out_shape[1:]), stride=(1, node.stride[1])
    )


def _planes(node: Node, values: Range) -> Call | None:
    """The copy of rows to planes; None where they are the same, and for a matrix, whose weights are put in order."""
    height, _, channels = node.in_shape
    if node.operation.is_dense or height == 1 or channels == 1:
        return None
    return extended.rows_to_planes(node.in_shape, values)


def _flat(shape: Shape, rows: int) -> Shape:
    return 1, shape[1], rows * shape[2]


def _flat_linear(node: Node) -> Node:
    """weight: [c_out, h, w, c] becomes [c_out, w, h, c]."""
    assert node.weight is not None
    height, width, channels = node.in_shape
    weight = node.weight.reshape(-1, height, width, channels).transpose(0, 2, 1, 3)
    return replace(node, in_shape=_flat(node.in_shape, height), weight=_packed(weight.reshape(node.weight.shape)))


def _flat_convolution(node: Node) -> Node:
    """weight: [c_out, k_h, k_w, c] becomes [c_out, 1, k_w, k_h, c]."""
    assert node.weight is not None
    filters, rows, columns, channels = node.weight.shape
    weight = node.weight.transpose(0, 2, 1, 3).reshape(filters, 1, columns, rows * channels)
    dilation = (1, node.dilation[1])
    return replace(node, in_shape=_flat(node.in_shape, rows), weight=_packed(weight), dilation=dilation)


def _packed(weight: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weight)
