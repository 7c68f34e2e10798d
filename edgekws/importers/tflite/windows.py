"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED, the pools, PAD and MEAN.

Convolutions round twice ("fixed-point"), FULLY_CONNECTED once. What the input's zero point adds to every sum is part of
the offset, and padding has the zero point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import Requant, Rule
from edgekws.importers.tflite import scales
from edgekws.importers.tflite.builder import ACROSS, DEPTHWISE, MAXIMUM, Builder, Value, laid_out
from edgekws.importers.tflite.schema import ELEMENTS_MAX, Operator

_SAME, _VALID = 0, 1
_WEIGHTS = ("INT8", "INT4", "INT2")
_STEP_MAX = 1 << 15


@dataclass(frozen=True)
class _Filters:
    """weight: int64 [c_out, ...]; bits: of its type. offset: int64 [c_out], with what the zero point adds."""

    weight: np.ndarray
    bits: int
    offset: np.ndarray
    requant: Requant


def conv(build: Builder, operator: Operator) -> None:
    """CONV_2D; one with groups is a convolution for each of them."""
    image, number, bias = build.inputs(operator, 2, 3)
    output, shape = build.output(operator), _image(build, operator, image)
    weight = _weight(build, operator, number)
    groups = shape[2] // weight.shape[3] if weight.shape[3] else 0
    if groups < 1 or shape[2] != groups * weight.shape[3] or weight.shape[0] % groups:
        got = f"{shape[2]} channels, filters of {weight.shape[3]}"
        raise ArtifactError(f"{operator.place}: filters should have the input's channels", got=got)
    filters = _filters(build, operator, (image, number, bias, output), weight, 0, "fixed-point")
    source, inside, pad = _unpadded(build, operator, image, shape)
    window = _window(operator, inside, weight.shape[1:3], _step(operator, "dilation"), build.zero(image), pad)
    out = (*window.out, weight.shape[0])
    if groups == 1:
        value = _convolution(build, operator, source, output, out, filters, window)
    else:
        value = _grouped(build, operator, source, output, out, filters, window, groups)
    build.give(operator, output, value, (1, *out))


def _convolution(
    build: Builder, operator: Operator, source: Value, output: int, out: Shape, filters: _Filters, window: _Window
) -> Value:
    fields = {"weight": filters.weight.astype(np.int8), "weight_bits": filters.bits, **window.fields}
    return build.node(operator, ACROSS, [source], output, out, filters.requant, prefix="conv", **fields)


def _grouped(
    build: Builder, operator: Operator, source: Value, output: int, out: Shape, filters: _Filters, window: _Window,
    groups: int,
) -> Value:  # fmt: skip
    """A slice of the channels and a convolution for each group, then one after the other."""
    height, width, channels = source.shape
    inner, outer, parts = channels // groups, out[2] // groups, []
    for group in range(groups):
        begin, part = (0, 0, group * inner), slice(group * outer, (group + 1) * outer)
        image = operator.inputs[0]
        taken = build.node(
            operator, "slice", [source], image, (height, width, inner), build.clip(source), prefix="slice", begin=begin
        )
        requant = filters.requant
        mine = Requant(
            requant.offset[part], requant.mult[part], requant.shift[part], requant.lo, requant.hi, requant.rule,
            requant.zero,
        )  # fmt: skip
        some = _Filters(filters.weight[part], filters.bits, filters.offset[part], mine)
        parts.append(_convolution(build, operator, taken, output, (*window.out, outer), some, window))
    return build.node(operator, "concat", parts, output, out, build.clip(parts[0]), prefix="concat", axes=(2,))


def depthwise(build: Builder, operator: Operator) -> None:
    """DEPTHWISE_CONV_2D; filter k of channel c is number c * multiplier + k."""
    image, number, bias = build.inputs(operator, 2, 3)
    output, shape = build.output(operator), _image(build, operator, image)
    stored = _weight(build, operator, number)
    channels = stored.shape[3]
    multiplier = channels // shape[2]
    if stored.shape[0] != 1 or multiplier < 1 or channels != multiplier * shape[2]:
        got = f"filters {list(stored.shape)} for {shape[2]} channels"
        raise ArtifactError(f"{operator.place}: filters should be [1, height, width, n * channels]", got=got)
    weight = stored[0].transpose(2, 0, 1)
    filters = _filters(build, operator, (image, number, bias, output), weight, 3, "fixed-point")
    source, inside, pad = _unpadded(build, operator, image, shape)
    window = _window(operator, inside, weight.shape[1:3], _step(operator, "dilation"), build.zero(image), pad)
    op, data = DEPTHWISE, filters.weight
    if multiplier > 1 and shape[2] == 1:
        op, data = ACROSS, filters.weight[..., None]
    elif multiplier > 1:
        source = _repeated(build, operator, source, image, multiplier)
    out = (*window.out, channels)
    fields = {"weight": np.ascontiguousarray(data).astype(np.int8), "weight_bits": filters.bits, **window.fields}
    prefix = "conv" if op == ACROSS else "dw"
    value = build.node(operator, op, [source], output, out, filters.requant, prefix=prefix, **fields)
    build.give(operator, output, value, (1, *out))


def _repeated(build: Builder, operator: Operator, source: Value, image: int, count: int) -> Value:
    """Each channel `count` times: values one behind the other are joined along a new axis of size 1."""
    height, width, channels = source.shape
    spread = (height * width, channels, 1)
    flat = build.node(operator, "reshape", [source], image, spread, build.clip(source), prefix="reshape")
    joined = build.node(
        operator, "concat", [flat] * count, image, (*spread[:2], count), build.clip(source), prefix="concat", axes=(2,)
    )
    out = (height, width, channels * count)
    return build.node(operator, "reshape", [joined], image, out, build.clip(source), prefix="reshape")


def fully_connected(build: Builder, operator: Operator) -> None:
    """FULLY_CONNECTED: a matrix times the whole input, or times each of several rows."""
    image, number, bias = build.inputs(operator, 2, 3)
    output = build.output(operator)
    build.require_int8(operator, image, output)
    shape = build.shape(operator, image)
    weight = _weight(build, operator, number, rank=2)
    if operator.options["format"]:
        raise TargetError(f"{operator.place}: weights should have the default format", got="shuffled weights")
    count, inner = weight.shape
    rows = math.prod(shape) // inner if inner else 0
    if rows < 1 or rows * inner != math.prod(shape):
        got = f"an input of {list(shape)}, weights {list(weight.shape)}"
        raise ArtifactError(f"{operator.place}: the input should be rows of the weights' width", got=got)
    filters = _filters(build, operator, (image, number, bias, output), weight, 0, "fixed-point-once")
    data = filters.weight.astype(np.int8)
    fields: dict[str, Any] = {"weight_bits": filters.bits, "prefix": "fc"}
    if rows == 1:
        source, out = build.source(operator, image), (1, 1, count)
        value = build.node(operator, "linear", [source], output, out, filters.requant, weight=data, **fields)
    else:
        before = laid_out(shape) if laid_out(shape)[2] == inner else (rows, 1, inner)
        source, out = build.source(operator, image, before), (*before[:2], count)
        kernel = data[:, None, None]
        value = build.node(operator, ACROSS, [source], output, out, filters.requant, weight=kernel, **fields)
    keeps = operator.options["keep_dims"] and laid_out(shape)[2] == inner
    build.give(operator, output, value, (*shape[:-1], count) if keeps else (rows, count))


def _weight(build: Builder, operator: Operator, number: int, rank: int = 4) -> np.ndarray:
    """int8 weights. Raises TargetError where they are computed or of another type."""
    tensor, value = build.tensor(number), build.constant(number)
    if value is None or tensor.type not in _WEIGHTS:
        got = f"{tensor.name}, {'computed' if tensor.type in _WEIGHTS and not len(tensor.scale) else tensor.type}"
        hint = "convert it with full-integer int8 quantization and a representative data set"
        raise TargetError(f"{operator.place}: weights should be constants of type INT8 or INT4", got=got, hint=hint)
    if value.ndim != rank or not value.size:
        raise ArtifactError(f"{operator.place}: weights should have {rank} axes", got=str(list(value.shape)))
    return value


def _filters(
    build: Builder, operator: Operator, numbers: tuple[int, int, int, int], weight: np.ndarray, axis: int, rule: Rule
) -> _Filters:
    """numbers: of the input, weights, bias (-1 for none) and output. axis: of the stored weights' scales."""
    image, number, bias, output = numbers
    scale, count = _weight_scales(build, operator, number, len(weight), axis), len(weight)
    real = np.float64(build.scale(image)) * scale.astype(np.float64) / np.float64(build.scale(output))
    mult, shift = scales.multipliers(real)
    alive = mult > 0
    data = weight.astype(np.int64) * alive.reshape(-1, *[1] * (weight.ndim - 1))
    total = data.reshape(count, -1).sum(1)
    offset = _bias(build, operator, bias, count) * alive - build.zero(image) * total
    if np.abs(offset).max() >= 1 << 31:
        got = str(int(np.abs(offset).max()))
        raise TargetError(f"{operator.place}: bias and zero point should fit 32 bits", got=got)
    lift, zero = build.lift(output), build.zero_point(output)
    lo, hi = build.activation_range(operator, output)
    requant = Requant(
        offset.astype(np.int32), np.where(alive, mult, 1 << 30).astype(np.int32), shift.astype(np.int8), lo + lift,
        hi + lift, rule, zero + lift,
    )  # fmt: skip
    return _Filters(data, build.tensor(number).bits, offset, requant)


def _weight_scales(build: Builder, operator: Operator, number: int, count: int, axis: int) -> np.ndarray:
    """float32 [count]. Raises ArtifactError for another number of scales, or zero points that are not 0."""
    tensor = build.tensor(number)
    if len(tensor.scale) not in (1, count) or (len(tensor.scale) > 1 and tensor.axis != axis):
        got = f"{len(tensor.scale)} along axis {tensor.axis}"
        raise ArtifactError(f"{operator.place}: weights should have one scale, or {count} along axis {axis}", got=got)
    if tensor.zero.any() or len(tensor.zero) not in (0, len(tensor.scale)):
        got = f"{tensor.zero[np.argmax(np.abs(tensor.zero))]} of {len(tensor.zero)}"
        raise TargetError(f"{operator.place}: zero points of weights should be 0, one for each scale", got=got)
    return np.broadcast_to(tensor.scale, count)


def _bias(build: Builder, operator: Operator, number: int, count: int) -> np.ndarray:
    """int64 [count]; zeros where there is none."""
    if number < 0:
        return np.zeros(count, np.int64)
    value = build.constant(number)
    if value is None or build.tensor(number).type != "INT32":
        got = f"{build.tensor(number).name}, {build.tensor(number).type}"
        raise TargetError(f"{operator.place}: the bias should be a constant of type INT32", got=got)
    if value.size != count:
        raise ArtifactError(f"{operator.place}: a bias for each of {count} channels was expected", got=f"{value.size}")
    return value.reshape(-1).astype(np.int64)


def _image(build: Builder, operator: Operator, number: int) -> Shape:
    """Height, width and channels of an int8 input of one clip; the output is int8 too."""
    build.require_int8(operator, number, build.output(operator))
    shape = build.shape(operator, number)
    if len(shape) != 4 or shape[0] != 1:
        raise TargetError(f"{operator.place}: the input should be [1, height, width, channels]", got=str(list(shape)))
    return shape[1], shape[2], shape[3]


def _step(operator: Operator, what: str) -> tuple[int, int]:
    down, right = int(operator.options[f"{what}_h"]), int(operator.options[f"{what}_w"])
    if not (0 < down < _STEP_MAX and 0 < right < _STEP_MAX):
        raise ArtifactError(f"{operator.place}: {what} should be at least 1", got=f"{down}, {right}")
    return down, right


@dataclass(frozen=True)
class _Window:
    """out: rows and columns; fields: of the node."""

    out: tuple[int, int]
    fields: dict[str, Any]


def _unpadded(
    build: Builder, operator: Operator, image: int, shape: Shape
) -> tuple[Value, Shape, tuple[int, int, int, int]]:
    """(source, its shape, padding): a PAD of the zero point before a convolution without padding is part of that."""
    padding = build.padded.get(image)
    if padding is None or image in build.values or operator.options["padding"] != _VALID:
        return build.source(operator, image, shape), shape, (0, 0, 0, 0)
    rows, columns, channels = padding.sides
    if any(channels) or padding.value != build.zero(image):
        return build.source(operator, image, shape), shape, (0, 0, 0, 0)
    return build.source(operator, padding.source, padding.shape), padding.shape, (*rows, *columns)


def _window(
    operator: Operator, shape: Shape, kernel: tuple[int, ...], dilation: tuple[int, int], pad_value: int,
    given: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> _Window:  # fmt: skip
    """How windows move over the input; SAME padding has the larger half behind. given: padding before that."""
    stride, padding = _step(operator, "stride"), operator.options["padding"]
    if padding not in (_SAME, _VALID):
        raise ArtifactError(f"{operator.place}: padding should be SAME or VALID", got=str(padding))
    out, pad = [], []
    for inside, taps, step, move, ends in zip(shape, kernel, dilation, stride, (given[:2], given[2:]), strict=False):
        extent, size = (taps - 1) * step + 1, inside + sum(ends)
        count = -(-size // move) if padding == _SAME else (size - extent) // move + 1
        total = max((count - 1) * move + extent - size, 0) if padding == _SAME else 0
        if count < 1:
            raise ArtifactError(f"{operator.place}: windows should fit the input", got=f"{extent} in {size}")
        out.append(count)
        pad += [ends[0] + total // 2, ends[1] + total - total // 2]
    padded = (shape[0] + sum(pad[:2])) * (shape[1] + sum(pad[2:])) * shape[2]
    if padded > ELEMENTS_MAX:
        got = f"{padded} with its padding"
        raise ArtifactError(f"{operator.place}: at most {ELEMENTS_MAX} values were expected", got=got)
    fields: dict[str, Any] = {"stride": stride, "pad": tuple(pad), "pad_value": pad_value if any(pad) else 0}
    if dilation != (1, 1):
        fields["dilation"] = dilation
    return _Window((out[0], out[1]), fields)


def max_pool(build: Builder, operator: Operator) -> None:
    """MAX_POOL_2D; padding takes no part, for it is the lowest value."""
    _pool(build, operator, MAXIMUM)


def average_pool(build: Builder, operator: Operator) -> None:
    """AVERAGE_POOL_2D, over the positions inside; halves away from the zero of the file's int8."""
    _pool(build, operator, "average_pool")


def _pool(build: Builder, operator: Operator, op: str) -> None:
    (image,) = build.inputs(operator, 1)
    output, shape = build.output(operator), _image(build, operator, image)
    build.require_same(operator, image, output)
    kernel = (int(operator.options["height"]), int(operator.options["width"]))
    if min(kernel) < 1:
        raise ArtifactError(f"{operator.place}: windows should be at least 1 high and wide", got=str(kernel))
    source, lift = build.source(operator, image, shape), build.lift(output)
    lowest = source.lo if op == MAXIMUM else 0
    window = _window(operator, shape, kernel, (1, 1), lowest)
    lo, hi = build.activation_range(operator, output)
    out = (*window.out, shape[2])
    whole = (lift - 128, lift + 127)
    clipped = (lo + lift, hi + lift)
    apart = op == "average_pool" and not lift and lo >= 0  # its halves would round relative to 128
    requant = Requant.identity(shape[2], *(whole if apart else clipped))
    value = build.node(operator, op, [source], output, out, requant, prefix="pool", window=kernel, **window.fields)
    if apart:
        value = build.clipped(operator, value, output, *clipped)
    build.give(operator, output, value, (1, *out))
