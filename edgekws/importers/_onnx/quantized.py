"""QuantizeLinear and DequantizeLinear, and the operations that have both inside: QLinearConv and its like."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgekws.importers._onnx import elementwise, layers, moves
from edgekws.importers._onnx.file import Call
from edgekws.importers._onnx.forms import Form
from edgekws.importers._onnx.reader import Handler, Reader
from edgekws.importers._onnx.values import Quantized, Real, Softmax, Stored, Sum, Value

MICROSOFT = "com.microsoft"
_BYTES = {"int8": False, "uint8": True}
_WIDTHS = {"int8": 8, "uint8": 8, "int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "int32": 32}
_TYPES = {3: "int8", 2: "uint8"}
"""Numbers of ONNX types."""


def quantize(reader: Reader, call: Call) -> Value:
    """QuantizeLinear."""
    value = reader.value(call)
    if call.attributes.get("block_size", 0):
        raise call.refusal("scales should be for all values, or for each channel", "blocks")
    if isinstance(value, np.ndarray):
        return _quantized_constant(reader, call, value)
    return reader.quantize(value, form_of(reader, call, 1, 2), call)


def form_of(reader: Reader, call: Call, scale_input: int, zero_input: int) -> Form:
    """How the output of `call` is quantized."""
    scale, zero, kind = _parameters(reader, call, scale_input, zero_input)
    if kind not in _BYTES:
        raise call.refusal("activations should be int8 or uint8", kind, "quantize activations to 8 bits")
    if scale.size != 1 or zero.size != 1:
        raise call.refusal("activations should have one scale and one zero point", f"{scale.size}")
    return reader.form(float(scale.ravel()[0]), int(zero.ravel()[0]), _BYTES[kind], call.outputs[0])


def _parameters(reader: Reader, call: Call, scale_input: int, zero_input: int) -> tuple[np.ndarray, np.ndarray, str]:
    """(scale float64, zero int64, the type of the integers)"""
    scale, zero = reader.array(call, scale_input), reader.array(call, zero_input)
    if scale is None or scale.dtype.kind not in "f":
        raise call.damage("a scale should be given", "none" if scale is None else str(scale.dtype))
    numbers = np.asarray(scale, np.float64)
    if numbers.size == 0 or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise call.refusal("scales should be finite numbers above 0", f"{numbers.ravel()[:4]}")
    kind = _TYPES.get(int(call.attributes.get("output_dtype", 0)), "uint8")
    if zero is None:
        return numbers, np.zeros(numbers.shape, np.int64), kind
    if zero.size != numbers.size:
        got = f"{zero.size} and {numbers.size}"
        raise call.damage("there should be as many zero points as scales", got)
    if zero.dtype.kind not in "iu" and zero.dtype.name not in _WIDTHS:
        raise call.damage("zero points should be integers", str(zero.dtype))
    return numbers, np.asarray(zero, np.int64), zero.dtype.name


def _quantized_constant(reader: Reader, call: Call, value: np.ndarray) -> np.ndarray:
    scale, zero, kind = _parameters(reader, call, 1, 2)
    if kind not in _BYTES or value.dtype.kind != "f" or not np.isfinite(value).all():
        raise call.refusal(
            "constants should be finite floats that are quantized to int8 or uint8", f"{value.dtype}, {kind}"
        )
    axis = int(call.attributes.get("axis", 1)) % max(value.ndim, 1)
    spread = [-1 if each == axis else 1 for each in range(value.ndim)] if scale.size > 1 else [1] * value.ndim
    with np.errstate(all="ignore"):  # beyond float32: clipped below
        steps = value.astype(np.float32) / scale.astype(np.float32).reshape(spread)
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.round(steps) + zero.reshape(spread), limits.min, limits.max).astype(kind))


def dequantize(reader: Reader, call: Call) -> Value:
    """DequantizeLinear of a tensor or of a constant."""
    value = reader.value(call)
    if call.attributes.get("block_size", 0):
        raise call.refusal("scales should be for all values, or for each channel", "blocks")
    if isinstance(value, np.ndarray):
        return constant_of(reader, call, 0, 1, 2, int(call.attributes.get("axis", 1)))
    if not isinstance(value, Stored):
        raise call.refusal("should read integers", type(value).__name__.lower())
    return real_of(reader, call, 0, 1, 2)


def constant_of(reader: Reader, call: Call, number: int, scale_input: int, zero_input: int, axis: int) -> Quantized:
    """A quantized constant."""
    integers = reader.value(call, number)
    if not isinstance(integers, np.ndarray) or integers.dtype.name not in _WIDTHS:
        got = integers.dtype.name if isinstance(integers, np.ndarray) else "no constant"
        raise call.refusal(f"input {number} should be constant integers of 8, 4 or 2 bits, or a bias of 32", got)
    scale, zero, _ = _parameters(reader, call, scale_input, zero_input)
    bits = min(_WIDTHS[integers.dtype.name], 8)
    if integers.ndim and not -integers.ndim <= axis < integers.ndim and scale.size > 1:
        raise call.damage("the axis should be one of the tensor", str(axis))
    axis = axis % integers.ndim if integers.ndim and scale.size > 1 else 0
    if scale.size > 1 and (integers.ndim == 0 or integers.shape[axis] != scale.size):
        raise call.damage(f"there should be a scale for each of {integers.shape}", str(scale.size))
    if scale.size == 1:
        scale, zero = scale.reshape(()), zero.reshape(())
    wide = integers.astype(np.int64)
    return Quantized(
        wide, scale.ravel() if scale.size > 1 else scale, zero.ravel() if zero.size > 1 else zero, axis, bits
    )


def real_of(reader: Reader, call: Call, number: int, scale_input: int, zero_input: int) -> Real:
    """An integer tensor as real numbers."""
    value = reader.value(call, number)
    if not isinstance(value, Stored):
        raise call.refusal(f"input {number} should be a quantized tensor", type(value).__name__.lower())
    scale, zero, _ = _parameters(reader, call, scale_input, zero_input)
    if scale.size != 1:
        raise call.refusal("activations should have one scale and one zero point", f"{scale.size}")
    real = replace(reader.dequantized(value), scale=float(scale.ravel()[0]))
    real = replace(real, zero=int(zero.ravel()[0]) + value.tensor.raised)
    if not -128 <= real.zero <= 255:
        raise call.damage("the zero point should be one of the tensor's type", str(int(zero.ravel()[0])))
    reader.note_input_scale(real, call)
    return real


# Operations with both inside


def _qlinear_conv(reader: Reader, call: Call) -> Value:
    x = real_of(reader, call, 0, 1, 2)
    x = replace(x, tensor=reader.laid_out(x.tensor, x.view, call), view=reader.chw(x, call))
    total = layers.convolved(call, x, _weights(reader, call, 3, 0))
    return reader.quantize(_with_integers(reader, call, total, 8), form_of(reader, call, 6, 7), call)


def _weights(reader: Reader, call: Call, number: int, axis: int) -> Quantized:
    weight = constant_of(reader, call, number, number + 1, number + 2, axis)
    centred = weight.centred()
    if centred.size == 0 or centred.min() < -128 or centred.max() > 127:
        hint = "quantize weights symmetrically to int8 (weight_symmetric, QInt8)"
        raise call.refusal("weights less their zero point should be -128..127", "wider weights", hint)
    return weight


def _with_integers(reader: Reader, call: Call, total: Sum, number: int) -> Sum:
    """With a bias in the steps of the accumulator."""
    bias = reader.array(call, number)
    if bias is None:
        return total
    if bias.size not in (1, total.shape[2]):
        raise call.damage(f"the bias should have {total.shape[2]} numbers", str(bias.size))
    return replace(total, offset=total.offset + np.asarray(bias, np.float64).ravel())


def _qlinear_matmul(reader: Reader, call: Call) -> Value:
    weight = _weights(reader, call, 3, -1)
    total = layers.multiplied(reader, call, real_of(reader, call, 0, 1, 2), weight, transposed=False)
    return reader.quantize(total, form_of(reader, call, 6, 7), call)


def _qgemm(reader: Reader, call: Call) -> Value:
    if call.attributes.get("transA", 0) or call.attributes.get("alpha", 1.0) != 1:
        raise call.refusal("transA should be 0 and alpha 1", str(call.attributes))
    transposed = bool(call.attributes.get("transB", 0))
    weight = _weights(reader, call, 3, 0 if transposed else -1)
    total = layers.multiplied(reader, call, real_of(reader, call, 0, 1, 2), weight, transposed)
    if not reader.given(call, 7):
        raise call.refusal("the output should be quantized", "real numbers")
    return reader.quantize(_with_integers(reader, call, total, 6), form_of(reader, call, 7, 8), call)


def _qlinear_binary(reader: Reader, call: Call) -> Value:
    first, second = real_of(reader, call, 0, 1, 2), real_of(reader, call, 3, 4, 5)
    return reader.quantize(elementwise.combined(reader, call, first, second), form_of(reader, call, 6, 7), call)


def _qlinear_unary(reader: Reader, call: Call) -> Value:
    x = real_of(reader, call, 0, 1, 2)
    if call.op == "QLinearSigmoid":
        curved = replace(x, curve=elementwise.sigmoid(x.line()))
    else:
        curved = elementwise.leaky(x, np.float32(call.attributes.get("alpha", 0.01)))
    return reader.quantize(curved, form_of(reader, call, 3, 4), call)


def _qlinear_pool(reader: Reader, call: Call) -> Value:
    if call.attributes.get("channels_last", 0):
        raise call.refusal("channels should be the second axis", "channels_last")
    x = real_of(reader, call, 0, 1, 2)
    if call.op == "QLinearAveragePool":
        x = replace(x, tensor=reader.laid_out(x.tensor, x.view, call), view=reader.chw(x, call))
        total = layers.averaged(call, x)
    else:
        total = layers.reduced(reader, call, x, tuple(range(2, len(x.view) + 1)), keep=True, mean=True)
    return reader.quantize(total, form_of(reader, call, 3, 4), call)


def _qlinear_reduce(reader: Reader, call: Call) -> Value:
    x = real_of(reader, call, 0, 1, 2)
    rank = len(x.view) + 1
    axes = tuple(sorted(int(axis) % rank for axis in call.attributes.get("axes", range(rank))))
    total = layers.reduced(reader, call, x, axes, bool(call.attributes.get("keepdims", 1)), mean=True)
    return reader.quantize(total, form_of(reader, call, 3, 4), call)


def _qlinear_concat(reader: Reader, call: Call) -> Value:
    count = (len(call.inputs) - 2) // 3
    reals = [real_of(reader, call, number, number + 1, number + 2) for number in range(2, 2 + 3 * count, 3)]
    joined = moves.joined(reader, call, reals, int(call.attributes.get("axis", 1)))
    return reader.quantize(joined, form_of(reader, call, 0, 1), call)


def _qlinear_softmax(reader: Reader, call: Call) -> Value:
    x = real_of(reader, call, 0, 1, 2)
    if x.tensor.shape[:2] != (1, 1) or math.prod(reader.sizes(x)) != x.tensor.shape[2]:
        raise call.refusal("a softmax should be over the scores", str(reader.sizes(x)))
    return reader.quantize(Softmax(call, x), form_of(reader, call, 3, 4), call)


HANDLERS: dict[tuple[str, str], Handler] = {
    **{(domain, "QuantizeLinear"): quantize for domain in ("", MICROSOFT)},
    **{(domain, "DequantizeLinear"): dequantize for domain in ("", MICROSOFT)},
    ("", "QLinearConv"): _qlinear_conv,
    ("", "QLinearMatMul"): _qlinear_matmul,
    (MICROSOFT, "QGemm"): _qgemm,
    (MICROSOFT, "QLinearAdd"): _qlinear_binary,
    (MICROSOFT, "QLinearMul"): _qlinear_binary,
    (MICROSOFT, "QLinearSigmoid"): _qlinear_unary,
    (MICROSOFT, "QLinearLeakyRelu"): _qlinear_unary,
    (MICROSOFT, "QLinearAveragePool"): _qlinear_pool,
    (MICROSOFT, "QLinearGlobalAveragePool"): _qlinear_pool,
    (MICROSOFT, "QLinearReduceMean"): _qlinear_reduce,
    (MICROSOFT, "QLinearConcat"): _qlinear_concat,
    (MICROSOFT, "QLinearSoftmax"): _qlinear_softmax,
}
