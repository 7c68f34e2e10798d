"""Activations that stand alone, requantization, and constants that are added or multiplied: tables of 256 bytes.

LOGISTIC and TANH     float32 functions of the real value, rounded to steps of the output
RELU and its kind     a fixed-point product, then clipped
HARD_SWISH            16-bit fixed-point products
ADD, MUL              of a constant for all values, or for each channel

Indices are the bytes of the stored integers; entries are stored as the output's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.ir import Requant
from edgekws.graph.sums import rounded_twice
from edgekws.importers.tflite import scales
from edgekws.importers.tflite.builder import Builder, laid_out
from edgekws.importers.tflite.schema import Operator

_SLOPE_MAX = 16
CODES = np.arange(-128, 128, dtype=np.int64)
"""The int8 of the file, in the order of tables that are not stored yet."""


def emit(build: Builder, operator: Operator, number: int, output: int, entries: np.ndarray, prefix: str) -> None:
    """Tensor `output` is entries[channel or 0, x + 128] of the int8 x of tensor `number`; int64 [1 or c, 256], int8."""
    shape = build.shape(operator, number)
    stored = entries + build.lift(output)
    lift = build.lift(number)
    index = (CODES + lift) & 255
    weight = np.zeros(entries.shape, np.uint8)
    weight[:, index] = stored & 255
    source = build.source(operator, number, laid_out(shape))
    requant = Requant.identity(source.shape[2], build.lift(output) - 128, build.lift(output) + 127)
    value = build.node(
        operator, "table", [source], output, source.shape, requant, prefix=prefix, weight=weight.view(np.int8)
    )
    build.give(operator, output, value, shape)


def _function(name: str, function: Callable[[np.ndarray], np.ndarray], scale: float | None) -> Handler:
    """The handler of an operator that computes in float32. scale: that the output has to have; None for any."""

    def handle(build: Builder, operator: Operator) -> None:
        (number,) = build.inputs(operator, 1)
        output = build.output(operator)
        build.require_int8(operator, number, output)
        if scale is not None and build.scale(output) != np.float32(scale):
            got = f"{build.scale(output):.9g}"
            raise TargetError(f"{operator.place}: the output should have scale {scale}", got=got)
        real = build.scale(number) * (CODES - build.zero_point(number)).astype(np.float32)
        rounded = _round(function(real) * (np.float32(1) / build.scale(output)))
        entries = np.clip(rounded + build.zero_point(output), -128, 127)
        emit(build, operator, number, output, entries.astype(np.int64)[None], name)

    return handle


Handler = Callable[[Builder, Operator], None]


def _round(x: np.ndarray) -> np.ndarray:
    """Halves away from zero."""
    return np.asarray(np.copysign(np.floor(np.abs(x.astype(np.float64)) + 0.5), x))


def _logistic(x: np.ndarray) -> np.ndarray:
    """Each step is rounded to float32, the exponential correctly."""
    with np.errstate(over="ignore"):
        return np.asarray(np.float32(1) / (np.float32(1) + np.exp(-x.astype(np.float64)).astype(np.float32)))


def _tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(x.astype(np.float64)).astype(np.float32)


logistic = _function("logistic", _logistic, 1 / 256)
tanh = _function("tanh", _tanh, 1 / 128)
_RELUS: dict[str, tuple[float, float | None]] = {
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def relu(build: Builder, operator: Operator) -> None:
    """RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1."""
    (number,) = build.inputs(operator, 1)
    output = build.output(operator)
    build.require_int8(operator, number, output)
    low, high = _RELUS[operator.name]
    scale, zero = build.scale(output), build.zero_point(output)
    lo = max(-128, scales.quantized(low, scale, zero))
    hi = 127 if high is None else min(127, scales.quantized(high, scale, zero))
    entries = np.minimum(np.maximum(_rescaled(build, number, output, build.scale(number) / scale), lo), hi)
    emit(build, operator, number, output, entries[None], "relu")


def leaky_relu(build: Builder, operator: Operator) -> None:
    """LEAKY_RELU: values below zero by another fixed-point number."""
    (number,) = build.inputs(operator, 1)
    output = build.output(operator)
    build.require_int8(operator, number, output)
    alpha = np.float32(operator.options["alpha"])
    if not 0 <= alpha <= _SLOPE_MAX:
        raise TargetError(f"{operator.place}: a slope of 0 to {_SLOPE_MAX} was expected", got=str(alpha))
    above = build.scale(number) / build.scale(output)
    below = build.scale(number) * alpha / build.scale(output)
    positive, negative = (_rescaled(build, number, output, real) for real in (above, below))
    entries = np.where(build.zero_point(number) <= CODES, positive, negative)
    emit(build, operator, number, output, np.clip(entries, -128, 127)[None], "leaky")


def requantize(build: Builder, operator: Operator) -> None:
    """QUANTIZE of int8 to int8."""
    (number,) = build.inputs(operator, 1)
    output = build.output(operator)
    build.require_int8(operator, number, output)
    real = float(build.scale(number)) / float(build.scale(output))
    emit(build, operator, number, output, np.clip(_rescaled(build, number, output, real), -128, 127)[None], "requant")


def _rescaled(build: Builder, number: int, output: int, real: float | np.float32) -> np.ndarray:
    """Every int8 on the output's scale, int64 [256], not clipped."""
    return product(CODES - build.zero_point(number), float(real)) + build.zero_point(output)


def product(x: np.ndarray, real: float) -> np.ndarray:
    """x * real as TFLite's fixed-point product gives it."""
    mult, shift = scales.multiplier(real)
    return rounded_twice(x, np.int64(mult), np.int64(shift))


def hard_swish(build: Builder, operator: Operator) -> None:
    """HARD_SWISH: x * relu6(x + 3) / 6 by products of 16-bit numbers."""
    (number,) = build.inputs(operator, 1)
    output = build.output(operator)
    build.require_int8(operator, number, output)
    fine = build.scale(number) * np.float32(1 / 128)
    out_mult, out_shift = _narrow(float(fine / build.scale(output)))
    gate_mult, gate_shift = _narrow(float(fine / np.float32(3 / 32768)))
    if out_shift < 0:
        got = f"{build.scale(number):.3g} and {build.scale(output):.3g}"
        raise TargetError(f"{operator.place}: the output's scale should be at least 1/128 of the input's", got=got)
    x = (CODES - build.zero_point(number)) * 128
    gate = _gate(x, gate_mult, -gate_shift)
    y = _toward_zero(gate * _high(x, out_mult), 15)
    entries = _divided(y, out_shift) + build.zero_point(output)
    emit(build, operator, number, output, np.clip(entries, -128, 127)[None], "swish")


def _gate(x: np.ndarray, mult: int, exponent: int) -> np.ndarray:
    """relu6(x + 3) / 6 in Q0.15, within 0..32767."""
    if exponent > 0:
        x = _saturated(x * 2 ** (exponent - 1))
    y = _high(x, mult)
    y = _saturated(y * 2) if exponent > 0 else _divided(y, -exponent)
    return np.asarray((y + (1 << 15)) >> 1)


def _narrow(real: float) -> tuple[int, int]:
    """(16-bit multiplier, right shift)."""
    mult, shift = scales.multiplier(real)
    return (32767 if mult >= (1 << 31) - 1 - (1 << 15) else (mult + (1 << 15)) >> 16), shift


def _high(a: np.ndarray, mult: int) -> np.ndarray:
    """The high half of the doubled product, rounded to nearest, halves up for the magnitude's sign."""
    twice = a * mult
    return _toward_zero(twice + np.where(twice >= 0, 1 << 14, 1 - (1 << 14)), 15)


def _toward_zero(x: np.ndarray, places: int) -> np.ndarray:
    return np.asarray(np.sign(x) * (np.abs(x) >> places))


def _divided(x: np.ndarray, places: int) -> np.ndarray:
    """x / 2^places, halves away from zero."""
    mask = (1 << places) - 1
    return np.asarray((x >> places) + ((x & mask) > (mask >> 1) + (x < 0)))


def _saturated(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(x, -32768, 32767))
