"""MEAN, PAD and PADV2.

MEAN multiplies the sum of (x - zero point) by a fixed-point number, rounded down, of the scales' ratio over the count.
"""

from __future__ import annotations

import math

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.ir import Requant
from edgekws.importers.tflite import scales
from edgekws.importers.tflite.builder import DEPTHWISE, Builder, Padding, laid_out
from edgekws.importers.tflite.schema import Operator

_PAD_MAX = 1 << 15


def mean(build: Builder, operator: Operator) -> None:
    """MEAN over axes that lie side by side."""
    number, where = build.inputs(operator, 2)
    output, shape = build.output(operator), build.shape(operator, number)
    build.require_int8(operator, number, output)
    axes = _axes(build, operator, where, len(shape))
    before, count, after = _around(operator, shape, axes)
    requant = _mean(build, operator, number, output, count, after)
    source = build.source(operator, number)
    if before == 1:
        if source.shape[2] != after:
            source = build.source(operator, number, (1, count, after))
        value = build.node(operator, "global_sum_pool", [source], output, (1, 1, after), requant, prefix="mean")
    else:
        source = build.source(operator, number, (before, count, after))
        ones = np.ones((after, 1, count), np.int8)
        value = build.node(
            operator, DEPTHWISE, [source], output, (before, 1, after), requant, prefix="mean", weight=ones
        )
    keep = bool(operator.options["keep_dims"])
    rest = tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)
    build.give(operator, output, value, rest)


def _axes(build: Builder, operator: Operator, where: int, rank: int) -> set[int]:
    axes = {axis + rank * (axis < 0) for axis in build.integers(operator, where, "the axes")}
    if not axes or not all(0 <= axis < rank for axis in axes):
        raise ArtifactError(f"{operator.place}: axes below {rank} were expected", got=str(sorted(axes)))
    return axes


def _around(operator: Operator, shape: tuple[int, ...], axes: set[int]) -> tuple[int, int, int]:
    """How many values are before, in and after the axes. Raises TargetError where others lie between them."""
    first, last = min(axes), max(axes) + 1
    inside = math.prod(shape[first:last])
    if inside != math.prod(shape[axis] for axis in axes):
        raise TargetError(f"{operator.place}: the axes should lie side by side", got=str(sorted(axes)))
    return math.prod(shape[:first]), inside, math.prod(shape[last:])


def _mean(build: Builder, operator: Operator, number: int, output: int, count: int, channels: int) -> Requant:
    mult, right = scales.multiplier(float(build.scale(number)) / float(build.scale(output)))
    left = min(count.bit_length() - 1, 32, 31 - right)
    mult, right = (mult << left) // count, right + left
    offset = -build.zero(number) * count
    if mult < 1 << 29 or abs(offset) >= 1 << 31:
        got = f"{mult} / 2^{31 + right}, {count} values"
        raise TargetError(f"{operator.place}: a mean of fewer values, or closer scales, was expected", got=got)
    lift = build.lift(output)
    return Requant(
        np.full(channels, offset, np.int32), np.full(channels, mult, np.int32), np.full(channels, right, np.int8),
        lift - 128, lift + 127, "fixed-point", build.zero_point(output) + lift,
    )  # fmt: skip


def pad(build: Builder, operator: Operator) -> None:
    """PAD with the zero point, PADV2 with a constant. A convolution that reads it may take it over."""
    number, where, *more = build.inputs(operator, 2 if operator.name == "PAD" else 3)
    output, shape = build.output(operator), build.shape(operator, number)
    build.require_int8(operator, number, output)
    build.require_same(operator, number, output)
    amounts = build.constant(where)
    if amounts is None or amounts.dtype.kind != "i" or amounts.shape != (len(shape), 2):
        got = "computed" if amounts is None else str(list(amounts.shape))
        raise TargetError(f"{operator.place}: a constant amount before and behind each axis was expected", got=got)
    pairs = [(int(low), int(high)) for low, high in amounts]
    if not all(0 <= each < _PAD_MAX for pair in pairs for each in pair):
        raise ArtifactError(f"{operator.place}: padding of 0 to {_PAD_MAX - 1} was expected", got=str(pairs))
    value = _pad_value(build, operator, output, more)
    sides = [(0, 0)] * 3 + pairs
    if len(shape) > 3 and (any(map(any, sides[:-3])) or math.prod(shape[:-3]) > 1):
        raise TargetError(f"{operator.place}: only the last three axes should be padded", got=str(pairs))
    padded = tuple(size + low + high for size, (low, high) in zip(shape, pairs, strict=True))
    build.fix(operator, output, padded)
    build.padded[output] = Padding(operator, number, laid_out(shape), tuple(sides[-3:]), value + build.lift(output))


def _pad_value(build: Builder, operator: Operator, output: int, more: list[int]) -> int:
    """The int8 of the file."""
    if not more:
        return build.zero_point(output)
    value = build.constant(more[0])
    if value is None or value.size != 1 or build.tensor(more[0]).type != "INT8":
        got = build.tensor(more[0]).type
        raise TargetError(f"{operator.place}: the value of the padding should be a constant of type INT8", got=got)
    return int(value.reshape(-1)[0])
