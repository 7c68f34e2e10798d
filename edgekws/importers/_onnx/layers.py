"""Operations with windows, weights or reductions: each becomes a sum that waits for its rounding."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgekws.graph.attributes import Shape
from edgekws.importers._onnx import rows, views
from edgekws.importers._onnx.file import LARGEST, Call
from edgekws.importers._onnx.forms import Form
from edgekws.importers._onnx.reader import Handler, Reader
from edgekws.importers._onnx.values import Quantized, Real, Stored, Sum
from edgekws.importers._onnx.views import LABELS

Sides = tuple[int, int, int, int]
_BIAS_TOLERANCE = 2.0**-20
"""A bias of this relative distance to the steps of the accumulator is in these steps: float32 rounded the product."""


def weight_of(reader: Reader, call: Call, number: int) -> Quantized:
    """The weights, as integers with their scale. Raises TargetError unless they are quantized constants."""
    value = reader.value(call, number)
    if isinstance(value, np.ndarray) and reader.in_integers:
        if value.dtype.kind != "f" or not (np.isfinite(value) & (np.abs(value) < 1 << 31)).all():
            raise call.refusal("weights should be floats that hold integers", str(value.dtype))
        if not (value == np.round(value)).all():
            raise call.refusal("weights should be integers", f"{value.ravel()[:1]}")
        value = Quantized(value.astype(np.int64), np.ones(()), np.zeros((), np.int64), 0, 8)
    if isinstance(value, np.ndarray) and _is_uniform(value):
        step, nothing = np.asarray(value.flat[0], np.float64), np.zeros((), np.int64)
        value = Quantized(np.ones(value.shape, np.int64), step, nothing, 0, 8)
    if not isinstance(value, Quantized):
        hint = "quantize the weights: int8 with DequantizeLinear, or QLinearConv"
        raise call.refusal("weights should be quantized constants", call.inputs[number], hint)
    centred = value.centred()
    if centred.size == 0 or centred.min() < -128 or centred.max() > 127:
        hint = "quantize weights symmetrically to int8 (weight_symmetric, QInt8)"
        raise call.refusal("weights less their zero point should be -128..127", "wider weights", hint)
    return value


def _is_uniform(value: np.ndarray) -> bool:
    """Whether these are equal numbers above 0: the weights of a sum."""
    return (
        value.size > 0
        and value.dtype.kind == "f"
        and bool((value == value.flat[0]).all() and 0 < value.flat[0] < np.inf)
    )


def with_bias(total: Sum, reader: Reader, call: Call, number: int) -> Sum:
    """The sum with a constant bias: integers in the steps of the accumulator, or real numbers."""
    if not reader.given(call, number):
        return total
    value = reader.value(call, number)
    array = reader.array(call, number)
    assert array is not None
    if array.size not in (1, total.shape[2]):
        raise call.damage(f"the bias should have {total.shape[2]} numbers", str(array.size))
    return plus(total, value if isinstance(value, Quantized) else array)


def plus(total: Sum, value: Quantized | np.ndarray) -> Sum:
    """The sum and a constant of one number, or one for each channel. Quantized ones keep their integers."""
    if isinstance(value, Quantized):
        scale = np.broadcast_to(value.scale.ravel(), total.factor.shape)
        if (np.abs(scale / total.factor - 1) <= _BIAS_TOLERANCE).all() and not total.is_clipped and not total.floored:
            return replace(total, offset=total.offset + value.centred().ravel())
        value = value.real()
    return total.added(np.asarray(value, np.float64).ravel())


def conv(reader: Reader, call: Call) -> Sum:
    """Conv. Inputs: x, weights, bias."""
    return with_bias(convolved(call, reader.channels_first(call), weight_of(reader, call, 1)), reader, call, 2)


def convolved(call: Call, x: Real, weight: Quantized) -> Sum:
    """The sums of a convolution without bias."""
    integers = weight.centred()
    if integers.ndim not in (3, 4):
        raise call.refusal("weights should have 3 or 4 dimensions", str(integers.shape))
    rank, integers = integers.ndim, integers.reshape(*integers.shape, 1) if integers.ndim == 3 else integers
    groups, channels = int(call.attributes.get("group", 1)), x.tensor.shape[2]
    if groups < 1 or channels != integers.shape[1] * groups or len(integers) % groups:
        got = f"{channels} channels in {groups} groups, weights {weight.integers.shape}"
        raise call.damage("weights and groups should fit the input", got)
    kernel = integers.shape[2], integers.shape[3]
    stride, dilation = pair(call, "strides"), pair(call, "dilations")
    pad = padding(call, x.tensor.shape, kernel, stride, dilation)
    depthwise = groups == channels == len(integers) and groups > 1
    op = rows.DEPTHWISE if depthwise else rows.CONV
    stored = integers[:, 0] if depthwise else _ungrouped(integers, groups, call).transpose(0, 2, 3, 1)
    shape = rows.out_shape(op, x.tensor.shape, len(integers), kernel, stride, pad, dilation)
    if min(shape) < 1:
        raise call.damage("windows should fit the input", f"an output of {shape}")
    fields = {"stride": stride, "pad": pad} | ({"dilation": dilation} if dilation != (1, 1) else {})
    factor = x.scale * per_channel(weight.scale, len(integers), weight.axis, 0, call)
    return Sum.of(
        call, op, (x,), shape, views.of_chw(rank, shape), factor, weight=stored, bits=weight.bits, fields=fields
    )


def per_channel(values: np.ndarray, channels: int, axis: int, expected: int, call: Call) -> np.ndarray:
    """One scale, or one for each output channel."""
    if values.size not in (1, channels) or (values.size > 1 and axis != expected):
        raise call.refusal("scales should be one number, or one for each output channel", f"{values.size}, axis {axis}")
    return np.asarray(values.ravel(), np.float64)


def pair(call: Call, attribute: str) -> tuple[int, int]:
    """Of an attribute for each axis; axes that are missing have 1."""
    first, second, *_ = (*(int(each) for each in call.attributes.get(attribute, ())), 1, 1)
    if min(first, second) < 1 or max(first, second) > 1 << 15:
        raise call.damage(f"{attribute} should be 1..{1 << 15}", f"{first}, {second}")
    return first, second


def padding(
    call: Call, shape: Shape, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Sides:
    """(top, bottom, left, right), of explicit or automatic padding."""
    auto = call.attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sides: list[int] = []
        for size, taps, step, gap in zip(shape[:2], kernel, stride, dilation, strict=True):
            total = max((-(-size // step) - 1) * step + (taps - 1) * gap + 1 - size, 0)
            halves = [total // 2, total - total // 2]
            sides += halves if auto == "SAME_UPPER" else halves[::-1]
        return sides[0], sides[1], sides[2], sides[3]
    pads = [int(each) for each in call.attributes.get("pads", ())] if auto == "NOTSET" else []
    if len(pads) not in (0, 2, 4) or min(pads, default=0) < 0 or max(pads, default=0) > LARGEST:
        raise call.refusal("pads should be two numbers from 0 for each axis", str(pads))
    half = len(pads) // 2
    begins, ends = (*pads[:half], 0, 0), (*pads[half:], 0, 0)
    return begins[0], ends[0], begins[1], ends[1]


def _ungrouped(integers: np.ndarray, groups: int, call: Call) -> np.ndarray:
    """[c_out, c_in / groups, h, w] -> [c_out, c_in, h, w]: zeros for the channels that a filter does not read."""
    if groups == 1:
        return integers
    each, width = len(integers) // groups, integers.shape[1]
    if integers.size * groups > LARGEST:
        raise call.refusal(f"weights should have at most {LARGEST} numbers", f"{integers.size * groups}")
    spread = np.zeros((len(integers), width * groups, *integers.shape[2:]), np.int64)
    for group in range(groups):
        rows = slice(group * each, (group + 1) * each)
        spread[rows, group * width : (group + 1) * width] = integers[rows]
    return spread


def gemm(reader: Reader, call: Call) -> Sum:
    """Gemm with alpha and beta of 1. Inputs: x, weights, bias."""
    if (
        call.attributes.get("transA", 0)
        or call.attributes.get("alpha", 1.0) != 1
        or call.attributes.get("beta", 1.0) != 1
    ):
        raise call.refusal("transA should be 0, alpha and beta 1", str(call.attributes))
    weight = weight_of(reader, call, 1)
    return with_bias(
        multiplied(reader, call, reader.line(call), weight, bool(call.attributes.get("transB", 0))), reader, call, 2
    )


def matmul(reader: Reader, call: Call) -> Sum:
    """MatMul by a constant matrix."""
    return multiplied(reader, call, reader.line(call), weight_of(reader, call, 1), transposed=False)


def multiplied(reader: Reader, call: Call, x: Real, weight: Quantized, transposed: bool) -> Sum:
    """The last axis of x times a matrix [in, out], or [out, in] where `transposed`."""
    if weight.integers.ndim != 2:
        raise call.refusal("weights should be a matrix", str(weight.integers.shape))
    integers = weight.centred() if transposed else weight.centred().T
    inputs = views.sizes(x.view, x.tensor.shape)
    if not inputs or inputs[-1] != integers.shape[1]:
        raise call.damage("the matrix should fit the input", f"{inputs}, {weight.integers.shape}")
    axis = weight.axis % 2 if weight.scale.size > 1 else 0
    factor = (
        x.scale * per_channel(weight.scale, len(integers), axis, 0 if transposed else 1, call)
        if weight.scale.size > 1
        else x.scale * weight.scale.ravel()
    )
    if math.prod(inputs[:-1]) > 1:
        return _each_position(reader, call, x, integers, factor, weight.bits)
    stored = _reordered(integers, views.order(x.view), x.tensor.shape)
    shape = (1, 1, len(integers))
    view = (*((),) * (len(inputs) - 1), ("c",))
    return Sum.of(call, rows.LINEAR, (x,), shape, view, factor, weight=stored, bits=weight.bits)


def _reordered(integers: np.ndarray, labels: tuple[str, ...], shape: Shape) -> np.ndarray:
    """Columns in the order of `labels` -> in the order height, width, channels."""
    sizes = [views.size_of(label, shape) for label in labels]
    spread = integers.reshape(len(integers), *sizes)
    places = [0, *(1 + labels.index(label) for label in LABELS if label in labels)]
    return np.ascontiguousarray(spread.transpose(places).reshape(len(integers), -1))


def _each_position(reader: Reader, call: Call, x: Real, integers: np.ndarray, factor: np.ndarray, bits: int) -> Sum:
    """A matrix product at each of several positions: a convolution of 1 x 1."""
    *outer, last = x.view
    if len(outer) > 2:
        raise call.refusal("should have at most 4 dimensions", str(len(x.view) + 1))
    down, columns = (*outer, (), ())[:2]
    sizes = views.sizes((down, columns, last), x.tensor.shape)
    order = [label for axis in (down, columns, last) for label in axis]
    tensor = reader.build.arranged(x.tensor, order, (sizes[0], sizes[1], sizes[2]), reader.name_of(call))
    shape = (sizes[0], sizes[1], len(integers))
    view = (*(("h",), ("w",))[: len(outer)], ("c",))
    weight = integers[:, None, None, :]
    return Sum.of(call, rows.CONV, (replace(x, tensor=tensor),), shape, view, factor, weight=weight, bits=bits)


# Pools


def max_pool(reader: Reader, call: Call) -> Sum | Stored:
    """MaxPool, of real numbers or of integers."""
    value = reader.value(call)
    if isinstance(value, Stored):
        total = _maxima(call, reader.channels_first_of(value, call))
        raised = value.tensor.raised
        form = Form(1.0, -raised, value.tensor.lo - raised, value.tensor.hi - raised, raised)
        return Stored(
            reader.build.settle(replace(total, zeros=(form.graph_zero,)), form, reader.name_of(call)), total.view
        )
    return _maxima(call, reader.channels_first(call))


def _maxima(call: Call, x: Real) -> Sum:
    kernel, stride, pad, shape = _window(call, x)
    if pair(call, "dilations") != (1, 1):
        raise call.refusal("maxima should not be dilated", str(call.attributes["dilations"]))
    fields = {"window": kernel, "stride": stride, "pad": pad, "pad_value": x.tensor.lo if any(pad) else 0}
    return Sum.of(call, rows.MAX_POOL, (x,), shape, views.of_chw(len(x.view) + 1, shape), x.scale, fields=fields)


def average_pool(reader: Reader, call: Call) -> Sum:
    """AveragePool: the mean of a window, as a sum of products with weights of 1 where all windows are whole."""
    return averaged(call, reader.channels_first(call))


def averaged(call: Call, x: Real) -> Sum:
    """See `average_pool`."""
    kernel, stride, pad, shape = _window(call, x)
    view = views.of_chw(len(x.view) + 1, shape)
    if any(pad) and not call.attributes.get("count_include_pad", 0):
        fields = {"window": kernel, "stride": stride, "pad": pad}
        return Sum.of(call, rows.MEAN_POOL, (x,), shape, view, x.scale, fields=fields)
    if any(pad) and call.attributes.get("ceil_mode", 0):
        raise call.refusal("windows beyond the padding should not count", "ceil_mode with count_include_pad")
    return _ones(call, x, kernel, {"stride": stride, "pad": pad}, shape, view, math.prod(kernel))


def _ones(
    call: Call, x: Real, kernel: tuple[int, int], fields: dict[str, object], shape: Shape, view: views.View, count: int
) -> Sum:
    weight = np.ones((x.tensor.shape[2], *kernel), np.int64)
    return Sum.of(call, rows.DEPTHWISE, (x,), shape, view, x.scale / count, weight=weight, fields=fields)


def _window(call: Call, x: Real) -> tuple[tuple[int, int], tuple[int, int], Sides, Shape]:
    """(kernel, stride, pad, output shape); rounded up, the last windows leave the input."""
    kernel, stride = pair(call, "kernel_shape"), pair(call, "strides")
    shape = x.tensor.shape
    if math.prod(kernel) * shape[2] > LARGEST or max(kernel[0] - shape[0], kernel[1] - shape[1]) > LARGEST:
        raise call.damage("the window should fit the input", str(kernel))
    top, bottom, left, right = padding(call, shape, kernel, stride, (1, 1))
    if call.attributes.get("ceil_mode", 0):
        bottom += _beyond(shape[0] + top + bottom, kernel[0], stride[0], shape[0] + top)
        right += _beyond(shape[1] + left + right, kernel[1], stride[1], shape[1] + left)
    pad = (top, bottom, left, right)
    out = rows.out_shape(rows.MAX_POOL, shape, 0, kernel, stride, pad, (1, 1))
    if min(out) < 1:
        raise call.damage("windows should fit the input", f"an output of {out}")
    return kernel, stride, pad, out


def _beyond(size: int, taps: int, step: int, begin_limit: int) -> int:
    """How far the last window leaves the input when the output's size is rounded up."""
    more = -(size - taps) % step
    starts_inside = (size - taps) // step * step + step < begin_limit
    return more if more and starts_inside else 0


def global_average_pool(reader: Reader, call: Call) -> Sum:
    """GlobalAveragePool."""
    x = reader.line(call)
    return reduced(reader, call, x, tuple(range(2, len(x.view) + 1)), keep=True, mean=True)


def reduce(reader: Reader, call: Call) -> Sum:
    """ReduceMean and ReduceSum."""
    x = reader.line(call)
    rank = len(x.view) + 1
    axes = reader.numbers(call, "axes", 1)
    axes = tuple(sorted(axis % rank for axis in (range(rank) if axes is None else axes)))
    return reduced(reader, call, x, axes, bool(call.attributes.get("keepdims", 1)), call.op == "ReduceMean")


def reduced(reader: Reader, call: Call, x: Real, axes: tuple[int, ...], keep: bool, mean: bool) -> Sum:
    """The sum or the mean over axes of the file."""
    if 0 in axes or not axes:
        raise call.refusal("axes but the first should be reduced", str(axes))
    view = tuple(() if number + 1 in axes else axis for number, axis in enumerate(x.view))
    gone = [label for axis in axes for label in x.view[axis - 1]]
    kept = [axis for axis in view if axis]
    count = math.prod(views.size_of(label, x.tensor.shape) for label in gone)
    shown = view if keep else tuple(axis for number, axis in enumerate(view) if number + 1 not in axes)
    factor = x.scale / count if mean else x.scale
    spatial = [label for label in ("h", "w") if views.size_of(label, x.tensor.shape) > 1]
    if "c" not in gone and sorted(gone) == spatial:
        return Sum.of(call, rows.SUM_POOL, (x,), (1, 1, x.tensor.shape[2]), shown, factor)
    if len(kept) > 2 or not gone:
        raise call.refusal("one or two axes of three should be reduced", str(axes))
    first, last = (((), *kept)[-2:]) if kept else ((), ())
    sizes = (count, *views.sizes((first, last), x.tensor.shape))
    tensor = reader.build.arranged(
        x.tensor, [*gone, *first, *last], (sizes[0], sizes[1], sizes[2]), reader.name_of(call)
    )
    shape = (1, sizes[1], sizes[2])
    names = iter((("w",), ("c",)) if first else (("c",),))
    shown = tuple(next(names) if axis else () for axis in shown)
    total = _ones(call, replace(x, tensor=tensor), (count, 1), {"stride": (1, 1), "pad": (0, 0, 0, 0)}, shape, shown, 1)
    return replace(total, factor=np.full(shape[2], factor))


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Conv"): conv,
    ("", "Gemm"): gemm,
    ("", "MatMul"): matmul,
    ("", "MaxPool"): max_pool,
    ("", "AveragePool"): average_pool,
    ("", "GlobalAveragePool"): global_average_pool,
    ("", "ReduceMean"): reduce,
    ("", "ReduceSum"): reduce,
}
