"""The names of the graph's ops; no other file of this package has them."""

from __future__ import annotations

from edgekws.graph.attributes import Shape
from edgekws.graph.ops import OPS

CONV, DEPTHWISE, LINEAR, RESCALED_ADD, MUL = "conv2d", "depthwise_conv2d", "linear", "rescaled_add", "mul"
TABLE, SOFTMAX, CONCAT, SLICE, TRANSPOSE, RESHAPE = "table", "softmax", "concat", "slice", "transpose", "reshape"
_BASIC = [row for row in OPS.values() if row.is_basic and row.reach == "position"]
ADD = next(row.name for row in _BASIC if row.input_count == 2)
SCALE = next(row.name for row in _BASIC if row.input_count == 1)
SUM_POOL = next(row.name for row in OPS.values() if row.is_global_pool and row.is_basic)
MAX_POOL, MEAN_POOL = (
    next(row.name for row in OPS.values() if row.is_window_pool and row.sums is sums) for sums in (False, True)
)


def out_shape(
    op: str, shape: Shape, c_out: int, kernel: tuple[int, int], stride: tuple[int, int],
    pad: tuple[int, int, int, int], dilation: tuple[int, int],
) -> Shape:  # fmt: skip
    """Of an op with windows."""
    return OPS[op].out_shape(shape, c_out, kernel, stride, pad, dilation)
