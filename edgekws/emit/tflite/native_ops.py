"""The TFLite operator of each op, for graphs that have TFLite's own numbers (`native`).

conv2d, depthwise      CONV_2D, DEPTHWISE_CONV_2D; FULLY_CONNECTED where sums are rounded once
linear                 FULLY_CONNECTED where it is rounded once, else a CONV_2D of the input's size
global_sum_pool        MEAN where the multiplier is that of MEAN, else a DEPTHWISE_CONV_2D of ones
scale                  DEPTHWISE_CONV_2D of size 1
rescaled_add, mul      ADD, MUL
table                  QUANTIZE, LOGISTIC, TANH, HARD_SWISH or LEAKY_RELU, whichever has the same 256 entries (`lookup`)
softmax                SOFTMAX
pools, moves           their namesakes
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekws.emit._common import packed
from edgekws.emit.tflite import lookup
from edgekws.emit.tflite.flatbuffer import quantization
from edgekws.emit.tflite.native import Writer, filter_scale, near_float32, refused
from edgekws.errors import TargetError
from edgekws.graph import sums
from edgekws.graph.fixed_point import multiplier
from edgekws.graph.ir import SIGNED, UNSIGNED, Node
from edgekws.graph.ops import Accumulate
from edgekws.graph.sums import ADD_SHIFT

_FILTER_TYPES = {8: "INT8", 4: "INT4", 2: "INT4"}
_DENSE_TYPES = {8: "INT8", 4: "INT4", 2: "INT2"}
"""Only FULLY_CONNECTED reads two bits."""
_CONV_VERSIONS = {"INT8": 3, "INT4": 8}
_DEPTHWISE_VERSIONS = {"INT8": 3, "INT4": 6}
_DENSE_VERSIONS = {"INT8": 4, "INT4": 10, "INT2": 14}


def write(writer: Writer, node: Node) -> None:
    """Append one node. Raises TargetError where no operator gives its integers."""
    if node.operation.accumulate not in _NODES:
        hint = "export another format, such as c or onnx-integer"
        raise TargetError(f"{node.name}: TFLite should have an operator for {node.op}", got="none", hint=hint)
    _NODES[node.operation.accumulate](writer, node)


def _is_same(node: Node) -> bool:
    """Whether TFLite's SAME gives the padding of this node."""
    expected: list[int] = []
    for size, out, extent, stride in zip(node.in_shape, node.out_shape, node.extent, node.stride, strict=False):
        if out != -(-size // stride):
            return False
        total = max((out - 1) * stride + extent - size, 0)
        expected += [total // 2, total - total // 2]
    return tuple(expected) == node.pad and any(node.pad)


def _padded(writer: Writer, node: Node) -> tuple[int, bool]:
    """(source, whether it is padded by SAME); other padding is a PAD before."""
    (source,), (name,) = writer.sources(node), node.inputs
    if not any(node.pad):
        return source, False
    if node.pad_value != writer.zero[name]:
        return _pad(writer, node), False
    if _is_same(node):
        return source, True
    return writer.model.pad(node, source, writer.storage[name]), False


def _filters(writer: Writer, node: Node, weight: np.ndarray, axis: int) -> list[int]:
    """Weights in the operator's own order, and the bias."""
    (name,), model = node.inputs, writer.model
    if node.requant.zero != node.out_zero:
        raise refused(node, "its zero point added after rounding", f"{node.requant.zero}, not {node.out_zero}")
    scale = filter_scale(node, writer.bounds[node.name], writer.scale(name), writer.scale(node.name))
    kind = _FILTER_TYPES[node.weight_bits] if weight.ndim > 2 else _DENSE_TYPES[node.weight_bits]
    data = weight if kind == "INT8" else packed(weight, int(kind[-1]))
    filters = model.tensor(f"{node.name}_weight", weight.shape, kind, data, quantization(scale, 0, axis))
    total = np.moveaxis(weight, axis, 0).reshape(len(scale), -1).astype(np.int64).sum(1)
    bias = node.requant.offset.astype(np.int64) + writer.zero[name] * total
    if np.abs(bias).max() >= 1 << 31:
        raise refused(node, "a bias of 32 bits", str(int(np.abs(bias).max())))
    steps = quantization(scale * writer.storage[name].scale, 0)
    return [filters, model.tensor(f"{node.name}_bias", bias.shape, "INT32", bias.astype(np.int32), steps)]


def _window_options(writer: Writer, node: Node, same: bool) -> dict[str, int]:
    from ai_edge_litert import schema_py_generated as schema

    return {
        "padding": schema.Padding.SAME if same else schema.Padding.VALID,
        "strideH": node.stride[0],
        "strideW": node.stride[1],
        "fusedActivationFunction": writer.activation(node),
    }


def _convolution(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    weight = np.asarray(node.weight)
    if node.requant.rule == "fixed-point-once":
        _dense(writer, node, weight.reshape(len(weight), -1))
        return
    source, same = _padded(writer, node)
    options = schema.Conv2DOptionsT(
        **_window_options(writer, node, same), dilationHFactor=node.dilation[0], dilationWFactor=node.dilation[1]
    )
    version = _CONV_VERSIONS[_FILTER_TYPES[node.weight_bits]]
    writer.operator(node, "CONV_2D", version, [source, *_filters(writer, node, weight, 0)], options)


def _depthwise(writer: Writer, node: Node) -> None:
    if _is_padding(writer, node):
        writer.tensors[node.name] = _pad(writer, node)
        return
    if _is_mean(writer, node, node.kernel):
        _write_mean(writer, node, [axis for axis, taps in ((1, node.kernel[0]), (2, node.kernel[1])) if taps > 1])
        return
    source, same = _padded(writer, node)
    _channelwise(writer, node, source, same, np.asarray(node.weight))


def _is_padding(writer: Writer, node: Node) -> bool:
    """Whether a node only pads: windows of one position, multiplied by one."""
    plain = (node.kernel, node.stride) == ((1, 1), (1, 1)) and bool((np.asarray(node.weight) == 1).all())
    requant, (name,) = node.requant, node.inputs
    same = writer.storage[name] == writer.storage[node.name] and not requant.zero and not requant.offset.any()
    return plain and same and any(node.pad) and bool((requant.factor == 1).all())


def _pad(writer: Writer, node: Node) -> int:
    (source,), (name,) = writer.sources(node), node.inputs
    lift = 128 if writer.lifted[name] else 0
    return writer.model.pad(node, source, writer.storage[name], node.pad_value - lift)


def _channelwise(writer: Writer, node: Node, source: int, same: bool, weight: np.ndarray) -> None:
    """DEPTHWISE_CONV_2D with weight [c, k_h, k_w]."""
    from ai_edge_litert import schema_py_generated as schema

    if node.requant.rule != "fixed-point":
        raise refused(node, "sums that are rounded twice", node.requant.rule)
    options = schema.DepthwiseConv2DOptionsT(
        **_window_options(writer, node, same), depthMultiplier=1, dilationHFactor=node.dilation[0],
        dilationWFactor=node.dilation[1],
    )  # fmt: skip
    version = _DEPTHWISE_VERSIONS[_FILTER_TYPES[node.weight_bits]]
    filters = _filters(writer, node, np.ascontiguousarray(weight.transpose(1, 2, 0)[None]), 3)
    writer.operator(node, "DEPTHWISE_CONV_2D", version, [source, *filters], options)


def _linear(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    weight = np.asarray(node.weight)
    if node.requant.rule == "fixed-point-once":
        _dense(writer, node, weight)
        return
    filters = _filters(writer, node, weight.reshape(len(weight), *node.in_shape), 0)
    options = schema.Conv2DOptionsT(**_window_options(writer, node, False), dilationHFactor=1, dilationWFactor=1)
    version = _CONV_VERSIONS[_FILTER_TYPES[node.weight_bits]]
    writer.operator(node, "CONV_2D", version, [*writer.sources(node), *filters], options)


def _dense(writer: Writer, node: Node, weight: np.ndarray) -> None:
    """FULLY_CONNECTED, on the whole input or at each position; then its output gets its three axes back."""
    from ai_edge_litert import schema_py_generated as schema

    if node.operation.is_convolution and (node.kernel != (1, 1) or node.stride != (1, 1) or any(node.pad)):
        raise refused(node, "windows of one position where sums are rounded once", str(node.kernel))
    options = schema.FullyConnectedOptionsT(fusedActivationFunction=writer.activation(node), keepNumDims=False)
    rows, columns = math.prod(node.out_shape[:2]), node.out_shape[2]
    storage = writer.storage[node.name]
    flat = writer.model.flat_activation(f"{node.name}_flat", (rows, columns), storage)
    inputs = [*writer.sources(node), *_filters(writer, node, weight, 0)]
    version = _DENSE_VERSIONS[_DENSE_TYPES[node.weight_bits]]
    writer.model.operator("FULLY_CONNECTED", version, inputs, flat, options)
    writer.tensors[node.name] = writer.model.reshape_to(node.name, flat, (1, *node.out_shape), storage)


def _mean(writer: Writer, node: Node) -> None:
    if _is_mean(writer, node, node.in_shape[:2]):
        _write_mean(writer, node, [1, 2])
        return
    ones: np.ndarray = np.ones((node.in_shape[2], *node.in_shape[:2]), np.int8)
    _channelwise(writer, node, writer.sources(node)[0], False, ones)


def _is_mean(writer: Writer, node: Node, taps: tuple[int, int]) -> bool:
    """Whether a node sums whole axes, and divides as MEAN does: by the count within its multiplier."""
    ones = node.weight is None or bool((node.weight == 1).all())
    if not ones or any(node.pad) or any(each not in (1, size) for each, size in zip(taps, node.in_shape, strict=False)):
        return False
    (name,), count, requant = node.inputs, math.prod(taps), node.requant
    mult, right = multiplier(writer.scale(name) / writer.scale(node.name))
    left = min(count.bit_length() - 1, 32, 31 - right)
    plain = (requant.offset == -writer.zero[name] * count).all() and (requant.mult == (mult << left) // count).all()
    whole = (requant.lo, requant.hi) in (SIGNED, UNSIGNED) and requant.rule == "fixed-point" and count > 1
    return bool(plain and whole and (requant.shift.astype(int) == right + left).all())


def _write_mean(writer: Writer, node: Node, axes: list[int]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    places = writer.model.integers(f"{node.name}_axes", np.array(axes))
    writer.operator(node, "MEAN", 2, [*writer.sources(node), places], schema.ReducerOptionsT(keepDims=True))


def _scale_node(writer: Writer, node: Node) -> None:
    _channelwise(writer, node, writer.sources(node)[0], False, np.ones((node.in_shape[2], 1, 1), np.int8))


def _pool(operator: str) -> Callable[[Writer, Node], None]:
    def write(writer: Writer, node: Node) -> None:
        from ai_edge_litert import schema_py_generated as schema

        writer.require_same(node)
        same = _is_same(node)
        if any(node.pad) and not same:
            raise refused(node, "the padding of SAME", str(node.pad))
        options = schema.Pool2DOptionsT(
            **_window_options(writer, node, same), filterHeight=node.window[0], filterWidth=node.window[1]
        )
        writer.operator(node, operator, 2, writer.sources(node), options)

    return write


def _sum(writer: Writer, node: Node) -> None:
    """ADD scales its inputs to twice the larger scale; a sum of one scale only clips."""
    from ai_edge_litert import schema_py_generated as schema

    if not node.operands:
        if any(writer.scale(name) != writer.scale(node.name) for name in node.inputs):
            raise refused(node, "the scale of its inputs", f"{writer.scale(node.name):.9g}")
    else:
        scales = [writer.scale(name) for name in node.inputs]
        twice = 2 * max(scales)
        _require_operands(writer, node, [multiplier(scale / twice) for scale in scales])
        _require_factor(node, twice / ((1 << ADD_SHIFT) * writer.scale(node.name)))
    options = schema.AddOptionsT(fusedActivationFunction=writer.activation(node))
    writer.operator(node, "ADD", 2, writer.sources(node), options)


def _product(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    first, second = (writer.scale(name) for name in node.inputs)
    _require_operands(writer, node, None)
    _require_factor(node, first * second / writer.scale(node.name))
    options = schema.MulOptionsT(fusedActivationFunction=writer.activation(node))
    writer.operator(node, "MUL", 2, writer.sources(node), options)


def _require_operands(writer: Writer, node: Node, multipliers: list[tuple[int, int]] | None) -> None:
    zeros = [writer.zero[name] for name in node.inputs]
    if [operand.zero for operand in node.operands] != zeros:
        raise refused(node, f"the zero points of its inputs, {zeros}", str([each.zero for each in node.operands]))
    given = [(operand.mult, operand.shift) for operand in node.operands]
    if multipliers is not None and given != multipliers:
        raise refused(node, f"inputs scaled by {multipliers}", str(given))


def _require_factor(node: Node, real: float) -> None:
    mult, shift = multiplier(real)
    requant = node.requant
    same = (requant.mult == mult).all() and (requant.shift.astype(int) == shift).all() and not requant.offset.any()
    if not same:
        got = f"{int(requant.mult[0])} / 2^31 / 2^{int(requant.shift[0])}, offset {int(requant.offset[0])}"
        raise refused(node, f"the multiplier {mult} / 2^31 / 2^{shift} of its scales", got)


def _table(writer: Writer, node: Node) -> None:
    (name,) = node.inputs
    before, after = writer.storage[name], writer.storage[node.name]
    entries = lookup.as_int8(node, writer.lifted[name], writer.lifted[node.name])
    found = None if entries is None else lookup.operator_of(entries, before, after)
    if found is None and writer.is_unrolled:
        _gathered(writer, node)
        return
    if found is None:
        raise refused(node, "the entries of QUANTIZE, LOGISTIC, TANH, RELU or RELU6", "other entries")
    operator, version, options = found
    writer.operator(node, operator, version, writer.sources(node), options)


def _gathered(writer: Writer, node: Node) -> None:
    """CAST to int32, ADD of the table's begin, and GATHER from the tables of all channels."""
    from ai_edge_litert import schema_py_generated as schema

    (name,) = node.inputs
    entries = lookup.all_as_int8(node, writer.lifted[name], writer.lifted[node.name])
    shape, kind = (1, *node.out_shape), schema.TensorType
    cast = writer.model.tensor(f"{node.name}_cast", shape, "INT32", None, None)
    options = schema.CastOptionsT(inDataType=kind.INT8, outDataType=kind.INT32)
    writer.model.operator("CAST", 1, writer.sources(node), cast, options)
    begins = writer.model.integers(f"{node.name}_begins", 128 + 256 * np.arange(len(entries)))
    index = writer.model.tensor(f"{node.name}_index", shape, "INT32", None, None)
    writer.model.operator("ADD", 1, [cast, begins], index, schema.AddOptionsT())
    table = writer.model.constant(f"{node.name}_table", entries.reshape(-1), writer.storage[node.name])
    output = writer.model.activation(node.name, node.out_shape, writer.storage[node.name])
    writer.tensors[node.name] = writer.model.operator("GATHER", 2, [table, index], output, schema.GatherOptionsT())


def _softmax(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    (name,), (operand,) = node.inputs, node.operands
    wanted, scale = (operand.mult, operand.shift), writer.scale(name)
    real = operand.mult * 2.0 ** (-57 - operand.shift) / scale
    beta = near_float32(real, lambda each: _softmax_steps(each, scale) == wanted)
    if beta is None:
        raise refused(node, "a float32 beta for its multiplier", str(operand))
    writer.operator(node, "SOFTMAX", 2, writer.sources(node), schema.SoftmaxOptionsT(beta=float(beta)))


def _softmax_steps(beta: float, scale: float) -> tuple[int, int]:
    """How TFLite scales the distance from the largest score to a number with 26 fraction bits."""
    return multiplier(min(beta * scale * 2.0**26, 2.0**31 - 1))


def _concat(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    writer.require_same(node)
    options = schema.ConcatenationOptionsT(axis=node.axes[0] + 1)
    writer.operator(node, "CONCATENATION", 2, writer.sources(node), options)


def _slice(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    writer.require_same(node)
    begin = writer.model.integers(f"{node.name}_begin", np.array([0, *node.begin]))
    size = writer.model.integers(f"{node.name}_size", np.array([1, *node.out_shape]))
    writer.operator(node, "SLICE", 2, [*writer.sources(node), begin, size], schema.SliceOptionsT())


def _transpose(writer: Writer, node: Node) -> None:
    from ai_edge_litert import schema_py_generated as schema

    writer.require_same(node)
    order = writer.model.integers(f"{node.name}_order", np.array([0, *(axis + 1 for axis in node.axes)]))
    writer.operator(node, "TRANSPOSE", 2, [*writer.sources(node), order], schema.TransposeOptionsT())


def _reshape(writer: Writer, node: Node) -> None:
    writer.require_same(node)
    shape = (1, *node.out_shape)
    tensor = writer.model.reshape_to(node.name, writer.sources(node)[0], shape, writer.storage[node.name])
    writer.tensors[node.name] = tensor


_NODES: dict[Accumulate, Callable[[Writer, Node], None]] = {
    sums.conv2d: _convolution,
    sums.depthwise_conv2d: _depthwise,
    sums.linear: _linear,
    sums.global_sum_pool: _mean,
    sums.scale: _scale_node,
    sums.max_pool: _pool("MAX_POOL_2D"),
    sums.average_pool: _pool("AVERAGE_POOL_2D"),
    sums.add: _sum,
    sums.rescaled_add: _sum,
    sums.mul: _product,
    sums.table: _table,
    sums.softmax: _softmax,
    sums.concat: _concat,
    sums.slice_: _slice,
    sums.transpose: _transpose,
    sums.reshape: _reshape,
}
"""By the definition of the sum, which names each row of the op table once."""
