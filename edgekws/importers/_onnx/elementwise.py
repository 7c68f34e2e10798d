"""Operations at each position: affine ones join the sum before them, the others are functions of one tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edgekws.graph.attributes import Operand
from edgekws.graph.ir import FIXED_POINT_BITS
from edgekws.graph.sums import ADD_SHIFT
from edgekws.importers._onnx import rows, views
from edgekws.importers._onnx.file import Call
from edgekws.importers._onnx.layers import plus
from edgekws.importers._onnx.reader import Handler, Raw, Reader
from edgekws.importers._onnx.values import Quantized, Real, Sized, Softmax, Stored, Sum, Value

Function = Callable[[np.ndarray], np.ndarray]


def arithmetic(reader: Reader, call: Call) -> Value:
    """Add, Sub, Mul, Div: with a constant, or of two tensors."""
    first, second = reader.value(call, 0), reader.value(call, 1)
    if isinstance(first, Sized) or isinstance(second, Sized):
        return _of_sized(call, first, second)
    if _is_constant(second):
        return _with_constant(reader, call, first, reader.array(call, 1), second)
    if _is_constant(first):
        if call.op == "Div" or (call.op == "Sub" and not isinstance(second, Real)):
            raise call.refusal("the constant should be the second input", call.inputs[0])
        if call.op == "Sub":
            return _curved(reader, call, second, reader.array(call, 0), lambda line, value: value - line)
        return _with_constant(reader, call, second, reader.array(call, 0), first)
    return _of_two(reader, call, reader.as_real(first, call), reader.as_real(second, call))


def _is_constant(value: Value | Raw) -> bool:
    return isinstance(value, np.ndarray | Quantized)


_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide,
}  # fmt: skip


def _with_constant(
    reader: Reader, call: Call, value: Value | Raw, array: np.ndarray | None, given: Value | Raw
) -> Value:
    assert array is not None
    if isinstance(value, Real) and reader.in_integers:
        value = replace(Sum.of(call, rows.SCALE, (value,), value.tensor.shape, value.view, 1.0), view=value.view)
    if not isinstance(value, Sum):
        return _curved(reader, call, value, array, _FUNCTIONS[call.op])
    if call.op == "Sub" and array.ndim == 4 and array.shape[:2] == (1, 1) and array.size > 1:
        return value.without(np.asarray(array[0, 0], np.float64))
    constant = channel_constant(call, array, value.view, value.shape)
    if not np.isfinite(constant).all() or (call.op == "Div" and not constant.all()):
        raise call.damage("constants should be finite, divisors not 0")
    if call.op in ("Mul", "Div"):
        return value.scaled(constant if call.op == "Mul" else 1 / constant)
    if isinstance(given, Quantized) and call.op == "Add":
        return plus(value, given)
    return value.added(constant if call.op == "Add" else -constant)


def channel_constant(call: Call, array: np.ndarray, view: views.View, shape: tuple[int, int, int]) -> np.ndarray:
    """float64 [1] or [channels] of a constant that is broadcast to [n, *view]."""
    array = np.asarray(array, np.float64)
    if array.size == 1:
        return array.ravel()
    padded = array.reshape(*[1] * (len(view) + 1 - array.ndim), *array.shape) if array.ndim <= len(view) + 1 else array
    wide = [axis for axis, size in enumerate(padded.shape) if size > 1]
    if (
        padded.ndim != len(view) + 1
        or len(wide) != 1
        or wide[0] == 0
        or view[wide[0] - 1] != ("c",)
        or array.size != shape[2]
    ):
        raise call.refusal("a constant should be one number, or one for each channel", str(array.shape))
    return array.ravel()


def _curved(reader: Reader, call: Call, value: Value | Raw, array: np.ndarray | None, function: Any) -> Real:  # noqa: ANN401
    real = reader.as_real(value, call)
    assert array is not None
    constant = channel_constant(call, array, real.view, real.tensor.shape).astype(np.float32)[:, None]
    with np.errstate(all="ignore"):
        return replace(real, curve=np.asarray(function(real.line(), constant), np.float32))


def _of_two(reader: Reader, call: Call, first: Real, second: Real) -> Value:
    if first.tensor == second.tensor and first.view == second.view and not reader.in_integers:
        with np.errstate(all="ignore"):
            return replace(first, curve=np.asarray(_FUNCTIONS[call.op](first.line(), second.line()), np.float32))
    if call.op not in ("Add", "Mul") or first.curve is not None or second.curve is not None:
        hint = "quantize both inputs"
        raise call.refusal("two quantized tensors should be added or multiplied", call.op, hint)
    return combined(reader, call, first, second)


def combined(reader: Reader, call: Call, first: Real, second: Real) -> Sum:
    """The sum or the product of two tensors; one of them may be repeated along axes where it is 1."""
    first, second = _aligned(reader, call, first, second)
    if call.op.endswith("Mul"):
        operands = (Operand(first.zero), Operand(second.zero))
        factor = first.scale * second.scale
        return Sum.of(
            call, rows.MUL, (first, second), first.tensor.shape, first.view, factor, fields={"operands": operands}
        )
    if reader.in_integers:
        return Sum.of(call, rows.ADD, (first, second), first.tensor.shape, first.view, 1.0)
    twice = 2 * max(first.scale, second.scale)
    operands = tuple(_operand(each.zero, each.scale / twice) for each in (first, second))  # type: ignore[assignment]
    factor = twice / 2.0**ADD_SHIFT
    return Sum.of(
        call, rows.RESCALED_ADD, (first, second), first.tensor.shape, first.view, factor, fields={"operands": operands}
    )


def _operand(zero: int, factor: float) -> Operand:
    fraction, exponent = math.frexp(factor)
    mult = round(fraction * 2**FIXED_POINT_BITS)
    return (
        Operand(zero, mult, min(-exponent, 31)) if mult < 1 << 31 else Operand(zero, mult >> 1, min(-exponent - 1, 31))
    )


def _aligned(reader: Reader, call: Call, first: Real, second: Real) -> tuple[Real, Real]:
    """Both with the same labels on the same axes, the larger one first."""
    if math.prod(first.tensor.shape) < math.prod(second.tensor.shape):
        first, second = second, first
    rank = len(first.view)
    if len(second.view) > rank:
        raise call.refusal("inputs should have the same dimensions", f"{rank + 1} and {len(second.view) + 1}")
    padded = (*((),) * (rank - len(second.view)), *second.view)
    if all(b in (a, ()) for a, b in zip(first.view, padded, strict=True)):
        pair = first, replace(second, view=first.view)
    else:
        pair = tuple(
            replace(each, tensor=reader.laid_out(each.tensor, view, call))
            for each, view in ((first, first.view), (second, padded))
        )  # type: ignore[assignment]
        pair = tuple(replace(each, view=views.of_chw(rank + 1, pair[0].tensor.shape)) for each in pair)  # type: ignore[assignment]
    for a, b in zip(pair[0].tensor.shape, pair[1].tensor.shape, strict=True):
        if b not in (a, 1):
            raise call.refusal(
                "inputs should have one shape, or 1 where they differ", f"{first.tensor.shape}, {second.tensor.shape}"
            )
    return pair


# Clipping and rounding


def relu(reader: Reader, call: Call) -> Value:
    """Relu."""
    return _clip(reader, call, 0.0, math.inf)


def clip(reader: Reader, call: Call) -> Value:
    """Clip, with bounds as attributes or inputs."""
    ends = []
    for name, number, default in (("min", 1, -math.inf), ("max", 2, math.inf)):
        array = reader.array(call, number)
        if array is not None and array.size != 1:
            raise call.damage("bounds should be single numbers", str(array.shape))
        ends.append(float(call.attributes.get(name, default) if array is None else array.ravel()[0]))
    if math.isnan(ends[0]) or math.isnan(ends[1]) or ends[0] > ends[1]:
        raise call.damage("bounds should be in order", f"{ends}")
    return _clip(reader, call, ends[0], ends[1])


def _clip(reader: Reader, call: Call, lo: float, hi: float) -> Value:
    value = reader.value(call)
    if isinstance(value, Sum):
        return value.clipped(lo, hi)
    if isinstance(value, Stored):
        return _clip_integers(reader, call, value, lo, hi)
    real = reader.as_real(value, call)
    if reader.in_integers:
        if lo <= real.tensor.lo - real.tensor.raised and hi >= real.tensor.hi - real.tensor.raised:
            return real
        total = replace(Sum.of(call, rows.SCALE, (real,), real.tensor.shape, real.view, 1.0), floored=True)
        return total.clipped(lo, hi)
    return replace(real, curve=np.clip(real.line(), np.float32(lo), np.float32(hi)))


def _clip_integers(reader: Reader, call: Call, value: Stored, lo: float, hi: float) -> Stored:
    """Clip of the integers that QuantizeLinear made."""
    raised = value.tensor.raised
    ends = [int(np.clip(end, -(1 << 20), 1 << 20)) + raised for end in (np.ceil(lo), np.floor(hi))]
    alone = sum(each.inputs.count(call.inputs[0]) for each in reader.file.calls) == 1
    return replace(value, tensor=reader.build.clipped(value.tensor, ends[0], ends[1], alone, reader.name_of(call)))


def floor(reader: Reader, call: Call) -> Value:
    """Floor."""
    value = reader.value(call)
    if isinstance(value, Sized):
        return replace(value, floored=True)
    if isinstance(value, Sum):
        return value.to_floor()
    return _function(np.floor)(reader, call)


def rounded(reader: Reader, call: Call) -> Value:
    """Round: of a mean times its count it gives the sum again; integers stay what they are."""
    value = reader.value(call)
    if not isinstance(value, Sum):
        return value if reader.in_integers and isinstance(value, Real) else _function(np.round)(reader, call)
    whole = np.round(value.factor)
    offsets = value.bias.any() or (value.offset != np.round(value.offset)).any()
    if value.floored and value.step == 1:
        return value
    if offsets or value.floored or (whole < 1).any() or (np.abs(value.factor / whole - 1) > 1e-6).any():
        raise call.refusal("only sums of integers should be rounded to the nearest", f"factors {value.factor[:1]}")
    return replace(value, factor=whole, parts=())


def _function(function: Function) -> Callable[[Reader, Call], Real]:
    """A handler of a function of one tensor."""

    def handler(reader: Reader, call: Call) -> Real:
        real = reader.as_real(reader.value(call), call)
        with np.errstate(all="ignore"):
            return replace(real, curve=np.asarray(function(real.line()), np.float32))

    return handler


def sigmoid(x: np.ndarray) -> np.ndarray:
    """float32, of any magnitude."""
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), np.float32)


def _leaky(reader: Reader, call: Call) -> Real:
    slope = np.float32(call.attributes.get("alpha", 0.01))
    return leaky(reader.as_real(reader.value(call), call), slope)


def leaky(real: Real, slope: np.float32) -> Real:
    """LeakyRelu of a tensor."""
    line = real.line()
    return replace(real, curve=np.where(line >= 0, line, line * slope))


def _prelu(reader: Reader, call: Call) -> Real:
    real, array = reader.as_real(reader.value(call), call), reader.array(call, 1)
    assert array is not None
    slope = channel_constant(call, array, real.view, real.tensor.shape).astype(np.float32)[:, None]
    line = real.line()
    return replace(real, curve=np.where(line >= 0, line, line * slope))


def _hard_sigmoid(reader: Reader, call: Call) -> Real:
    alpha, beta = (np.float32(call.attributes.get(key, value)) for key, value in (("alpha", 0.2), ("beta", 0.5)))
    return _function(lambda x: np.clip(alpha * x + beta, 0, 1))(reader, call)


def _elu(reader: Reader, call: Call) -> Real:
    alpha = np.float32(call.attributes.get("alpha", 1.0))
    return _function(lambda x: np.where(x >= 0, x, alpha * np.expm1(x)))(reader, call)


def _batch_norm(reader: Reader, call: Call) -> Value:
    """With constant statistics: a factor and a constant for each channel."""
    gain, shift, mean, variance = (
        np.asarray(reader.array(call, number), np.float64).ravel() for number in (1, 2, 3, 4)
    )
    gain = gain / np.sqrt(variance + float(call.attributes.get("epsilon", 1e-5)))
    if not np.isfinite(gain).all():
        raise call.damage("variances should be above 0")
    value = reader.value(call)
    constants = gain, shift - mean * gain
    if isinstance(value, Sum):
        if {each.size for each in constants} != {value.shape[2]}:
            raise call.damage("there should be one number for each channel")
        return value.scaled(constants[0]).added(constants[1])
    shaped = [each.reshape(-1, *[1] * (len(reader.sizes(value)) - 1)) for each in constants]
    real = _curved(reader, call, value, shaped[0], np.multiply)
    return _curved(reader, call, real, shaped[1], np.add)


def softmax(reader: Reader, call: Call) -> Softmax:
    """Softmax over all values of a vector."""
    real = reader.line(call)
    sizes = [size for size in reader.sizes(real) if size > 1]
    axis = int(call.attributes.get("axis", -1)) % (len(real.view) + 1)
    if (
        len(sizes) > 1
        or real.tensor.shape[:2] != (1, 1)
        or (sizes and axis and reader.sizes(real)[axis - 1] != sizes[0])
    ):
        raise call.refusal("a softmax should be over the scores", str(reader.sizes(real)))
    return Softmax(call, real)


# The mean that edgekws writes: floor((2 |d| + n) / 2n), with the sign of d


def _sized(reader: Reader, call: Call) -> Value:
    value = reader.value(call)
    if isinstance(value, Sum) and not value.floored:
        return Sized(value, is_sign=call.op == "Sign")
    return _function(np.abs if call.op == "Abs" else np.sign)(reader, call)


def _of_sized(call: Call, first: Value | Raw, second: Value | Raw) -> Value:
    if isinstance(first, Sized) and isinstance(second, Sized):
        return _mean(call, first, second)
    if not isinstance(first, Sized) or not isinstance(second, np.ndarray) or first.floored or call.op == "Sub":
        raise call.refusal(_OWN_MEAN)
    number = positions(second)
    if number is None or not (np.isfinite(number) & (number > 0)).all():
        raise call.refusal(_OWN_MEAN)
    if call.op == "Add":
        return replace(first, bias=first.bias + number)
    part = number if call.op == "Mul" else 1 / number
    return replace(first, factor=first.factor * part, bias=first.bias * part)


_OWN_MEAN = "should be the rounding of a mean that edgekws writes"


def positions(array: np.ndarray) -> np.ndarray | None:
    """float64 [] or [height, width] of a constant that is alike in all channels; None for others."""
    values = np.asarray(array, np.float64)
    if values.size == 1 or (values.size and (values == values.flat[0]).all()):
        return np.asarray(values.ravel()[0])
    return np.asarray(values[0, 0]) if values.ndim == 4 and values.shape[:2] == (1, 1) else None


def _mean(call: Call, first: Sized, second: Sized) -> Sum:
    """A mean of the positions inside, halves away from where the constant before says that 0 is stored."""
    size, sign = (second, first) if first.is_sign else (first, second)
    total, weight = size.source, size.source.weight
    ones = total.op == rows.DEPTHWISE and weight is not None and bool((weight == 1).all())
    is_mean = (
        size.floored and sign.is_sign and sign.source is total and call.op == "Mul" and bool(np.all(size.bias == 0.5))
    )
    if not (ones and is_mean and not total.bias.any()):
        raise call.refusal(_OWN_MEAN)
    assert weight is not None
    count, taken = _inside(total), total.offset[0] if total.taken is None else -total.taken
    zero = -np.unique(np.round(np.broadcast_to(taken, count.shape) / count, 9))
    equal = bool(
        np.allclose(total.factor[0] * size.factor * count, 1, rtol=1e-6) and (total.factor == total.factor[0]).all()
    )
    if not equal or zero.size != 1 or zero[0] + total.zeros[0] not in (0, 128):
        raise call.refusal(_OWN_MEAN)
    stored = int(zero[0]) + total.zeros[0]
    fields = {"window": weight.shape[1:], "stride": total.fields["stride"], "pad": total.fields["pad"], "zero": stored}
    source = Real(total.tensors[0], (), 1.0, total.zeros[0])
    made = Sum.of(total.call, rows.MEAN_POOL, (source,), total.shape, total.view, 1.0, fields=fields)
    return replace(made, offset=np.full(total.shape[2], -float(zero[0])))


def _inside(total: Sum) -> np.ndarray:
    """float64 [height, width]: how many positions of each window lie inside the input."""
    assert total.weight is not None
    top, _, left, _ = total.fields["pad"]
    inside = []
    for axis, before in enumerate((top, left)):
        begin = np.arange(total.shape[axis]) * total.fields["stride"][axis] - before
        end = np.minimum(begin + total.weight.shape[1 + axis], total.tensors[0].shape[axis])
        inside.append(np.maximum(end - np.maximum(begin, 0), 0).astype(np.float64))
    return np.asarray(inside[0][:, None] * inside[1])


HANDLERS: dict[tuple[str, str], Handler] = {
    **{("", op): arithmetic for op in _FUNCTIONS},
    ("", "Relu"): relu,
    ("", "Clip"): clip,
    ("", "Floor"): floor,
    ("", "Round"): rounded,
    ("", "Sigmoid"): _function(sigmoid),
    ("", "Tanh"): _function(np.tanh),
    ("", "Exp"): _function(np.exp),
    ("", "Neg"): _function(np.negative),
    ("", "HardSwish"): _function(lambda x: x * np.clip(x / np.float32(6) + np.float32(0.5), 0, 1)),
    ("", "HardSigmoid"): _hard_sigmoid,
    ("", "LeakyRelu"): _leaky,
    ("", "PRelu"): _prelu,
    ("", "Elu"): _elu,
    ("", "Abs"): _sized,
    ("", "Sign"): _sized,
    ("", "BatchNormalization"): _batch_norm,
    ("", "Softmax"): softmax,
}
