"""ADD, MUL and SOFTMAX; activations that stand alone are tables (edgekws.importers.tflite.tables)."""

from __future__ import annotations

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.ir import Requant
from edgekws.graph.sums import ADD_SHIFT
from edgekws.importers.tflite import scales, tables
from edgekws.importers.tflite.builder import Builder, laid_out
from edgekws.importers.tflite.schema import Operator

_SCORE_SCALE, _INTEGER_BITS = 1 / 256, 5
_TABLES_MAX = 2048
"""Channels with tables of their own: half a megabyte."""


def add(build: Builder, operator: Operator) -> None:
    """ADD: both inputs on a scale of twice the larger one's, then to the output's."""
    first, second = build.inputs(operator, 2)
    output = build.output(operator)
    build.require_int8(operator, first, second, output)
    wide = 2 * max(float(build.scale(first)), float(build.scale(second)))
    factors = {each: float(build.scale(each)) / wide for each in (first, second)}
    real = wide / (float(1 << ADD_SHIFT) * float(build.scale(output)))
    _binary(build, operator, "rescaled_add", factors, real)


def mul(build: Builder, operator: Operator) -> None:
    """MUL: the product, to the output's scale."""
    first, second = build.inputs(operator, 2)
    output = build.output(operator)
    build.require_int8(operator, first, second, output)
    real = float(build.scale(first)) * float(build.scale(second)) / float(build.scale(output))
    _binary(build, operator, "mul", dict.fromkeys((first, second), 0.5), real)


def _binary(build: Builder, operator: Operator, op: str, factors: dict[int, float], real: float) -> None:
    output = build.output(operator)
    numbers = list(operator.inputs)
    known = [each for each in numbers if build.constant(each) is not None]
    if len(known) == 1:
        _with_constant(build, operator, op, factors, real, known[0])
        return
    shapes = {each: build.shape(operator, each) for each in numbers}
    shape = _broadcast(operator, *(shapes[each] for each in numbers))
    if shapes[numbers[0]] != shape:
        numbers.reverse()
    if laid_out(shapes[numbers[0]]) != laid_out(shape):
        raise TargetError(f"{operator.place}: one input should have the output's shape", got=str(list(shapes.values())))
    sources = [build.source(operator, each, _aligned(shapes[each], len(shape))) for each in numbers]
    operands = tuple(_operand(build, operator, each, factors[each]) for each in numbers)
    value = build.node(
        operator, op, sources, output, laid_out(shape), _requant(build, operator, output, sources[0].shape[2], real),
        prefix="sum" if op == "rescaled_add" else "mul", operands=operands,
    )  # fmt: skip
    build.give(operator, output, value, shape)


def _with_constant(
    build: Builder, operator: Operator, op: str, factors: dict[int, float], real: float, known: int
) -> None:
    """A table of what the constant makes of every int8; one for each channel where it differs between channels."""
    output = build.output(operator)
    (number,) = (each for each in operator.inputs if each != known)
    shape, constant = build.shape(operator, number), np.asarray(build.constant(known), np.int64)
    last = constant.shape[-1] if constant.ndim else 1
    fits = (
        last in (1, laid_out(shape)[2]) and last <= _TABLES_MAX and _broadcast(operator, shape, constant.shape) == shape
    )
    if constant.size != last or not fits:
        expected = f"{operator.place}: a constant for all values or for each channel was expected"
        raise TargetError(expected, got=f"{list(constant.shape)} for {list(shape)}")
    build.count(operator, (last, 256))
    x = tables.CODES - build.zero_point(number)
    other = constant.reshape(-1, 1) - build.zero_point(known)
    sides = [tables.product(side << ADD_SHIFT, factors[each]) for side, each in ((x, number), (other, known))]
    total = x * other if op == "mul" else sides[0] + sides[1]
    lo, hi = build.activation_range(operator, output)
    entries = np.clip(tables.product(total, real) + build.zero_point(output), lo, hi)
    tables.emit(build, operator, number, output, entries, "constant")


def _aligned(shape: tuple[int, ...], rank: int) -> Shape:
    """Of an input that is repeated: its axes are the last ones. Repeating height and batch apart is refused later."""
    return laid_out((1,) * (rank - len(shape)) + shape)


def _broadcast(operator: Operator, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(first, second))
    except ValueError as error:
        got = f"{list(first)} and {list(second)}"
        raise ArtifactError(f"{operator.place}: the inputs should have fitting shapes", got=got) from error


def _operand(build: Builder, operator: Operator, number: int, factor: float) -> Operand:
    mult, shift = scales.multiplier(factor)
    if not mult:
        raise TargetError(f"{operator.place}: input scales should be within 2^31 of each other", got=f"{factor:.3g}")
    return Operand(build.zero(number), mult, shift)


def _requant(build: Builder, operator: Operator, output: int, channels: int, real: float) -> Requant:
    mult, shift = scales.multiplier(real)
    if not mult:
        raise TargetError(f"{operator.place}: the output's scale should be within 2^31 of the sum's", got=f"{real:.3g}")
    zero, lift = build.zero_point(output), build.lift(output)
    lo, hi = build.activation_range(operator, output)
    return Requant(
        np.zeros(channels, np.int32), np.full(channels, mult, np.int32), np.full(channels, shift, np.int8), lo + lift,
        hi + lift, "fixed-point", zero + lift,
    )  # fmt: skip


def softmax(build: Builder, operator: Operator) -> None:
    """SOFTMAX over the last axis; probabilities in steps of 1/256 from -128."""
    (number,) = build.inputs(operator, 1)
    output = build.output(operator)
    build.require_int8(operator, number, output)
    if build.scale(output) != np.float32(_SCORE_SCALE) or build.zero_point(output) != -128:
        got = f"{build.scale(output):.9g}, {build.zero_point(output)}"
        raise TargetError(f"{operator.place}: the output should have scale 1/256 and zero point -128", got=got)
    shape = build.shape(operator, number)
    steps = float(operator.options["beta"]) * float(build.scale(number)) * 2.0 ** (31 - _INTEGER_BITS)
    if not steps > 1:
        raise TargetError(f"{operator.place}: beta and the input's scale should be larger", got=f"{steps:.3g}")
    mult, shift = scales.multiplier(min(steps, 2.0**31 - 1))
    source = build.source(operator, number, laid_out(shape))
    requant = Requant.identity(source.shape[2], -128, 127)
    operands = (Operand(build.zero(number), mult, shift),)
    value = build.node(
        operator, "softmax", [source], output, source.shape, requant, prefix="softmax", operands=operands
    )
    build.give(operator, output, value, shape)
