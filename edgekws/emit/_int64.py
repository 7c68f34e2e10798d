"""int64 arithmetic in ONNX operators: requantization and the softmax, as the graph defines them.

ONNX divides integers toward zero. So a floor lifts its dividend by a multiple of the divisor until none is negative,
and lowers the quotient by as much; where negative quotients clip anyway, it need not. Bounds are Python integers: they
prove that no step leaves 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekws.emit._onnx import Builder
from edgekws.errors import TargetError
from edgekws.graph import exponential
from edgekws.graph.attributes import Operand
from edgekws.graph.ir import FIXED_POINT_BITS, Node, Requant, accumulator_bounds

_LARGEST = (1 << 63) - 1
_CHANNELS = 1
"""The axis of [n, c, h, w]."""


@dataclass(frozen=True)
class Steps:
    """The operators of one node. Tensors are named after the node; arrays and numbers among inputs become constants."""

    build: Builder
    name: str

    def op(self, kind: str, *inputs: str | np.ndarray | int, **attributes: object) -> str:
        """Numbers are int64."""
        names = [each if isinstance(each, str) else self.constant(np.asarray(each)) for each in inputs]
        return self.build.add(kind, names, self.build.free(f"{self.name}/{kind}"), **attributes)

    def constant(self, value: np.ndarray, label: str = "value", kind: str = "") -> str:
        """kind: as of Builder.constant. Equal constants are one: copies of a layer share their weights."""
        return self.build.shared_constant(f"{self.name}/{label}", value, kind)

    def cast(self, source: str, kind: type[np.generic]) -> str:
        from onnx import helper

        return self.op("Cast", source, to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))


def per_channel(values: np.ndarray) -> np.ndarray:
    """Integers [c] -> int64 [1, c, 1, 1], or a scalar where all are the same."""
    same = bool((values == values.flat[0]).all())
    return np.asarray(values.flat[0] if same else values.reshape(1, -1, 1, 1), np.int64)


def requantized(steps: Steps, acc: str, node: Node, bounds: tuple[int, int]) -> str:
    """acc: int64 [n, c, h, w] without the offset -> int64 before the clip. bounds: the lowest and highest input."""
    requant = node.requant
    if requant.is_identity:
        return acc
    factor = _exact(requant.mult)
    if requant.rule == "fixed-point":
        factor = factor << np.maximum(-_exact(requant.shift), 0)
    offset = _exact(requant.offset) * factor
    low, high = (_exact(each) * factor for each in _sums(node, bounds))
    product = acc if (factor == 1).all() else steps.op("Mul", acc, per_channel(factor))
    quotient = _RULES[requant.rule](steps, product, _Sums(requant, offset, low, high))
    return quotient if requant.zero == 0 else steps.op("Add", quotient, requant.zero)


def _exact(values: np.ndarray) -> np.ndarray:
    """As Python integers, which do not overflow."""
    return values.astype(np.int64).astype(object)


def _sums(node: Node, bounds: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sum of each channel, without the offset."""
    return accumulator_bounds(replace(node, requant=replace(node.requant, offset=0 * node.requant.offset)), *bounds)


@dataclass(frozen=True)
class _Sums:
    """Products of sums and multipliers. offset: that of the product; low, high: bounds without it. Objects [c]."""

    requant: Requant
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def has_negatives(self) -> bool:
        """Whether negative quotients are more than the lower end of the range."""
        return self.requant.lo < self.requant.zero and bool((self.low + self.offset < 0).any())


def _floor(steps: Steps, product: str, sums: _Sums) -> str:
    divisor = 1 << _exact(sums.requant.shift)
    return _floor_quotient(steps, product, sums, sums.offset, sums.offset, divisor)


def _rounded_once(steps: Steps, product: str, sums: _Sums) -> str:
    """Halves away from zero: a half more or less by the sign, divided toward zero."""
    divisor = 1 << (FIXED_POINT_BITS + _exact(sums.requant.shift))
    half = divisor >> 1
    less = half if sums.has_negatives else -half
    lowered = _by_sign(steps, product, -sums.offset, sums.offset - less, sums.offset + half)
    return _divided(steps, lowered, divisor)


def _rounded_twice(steps: Steps, product: str, sums: _Sums) -> str:
    """floor((floor((p + 2^30) / 2^31) + half) / 2^shift), with a half less one for negative numbers, as one division by
    2^(31 + shift). Raises TargetError for sums of so many values that their range has more than 32 bits.
    """
    right = np.maximum(_exact(sums.requant.shift), 0)
    half, nudge = (1 << right) >> 1, 1 << (FIXED_POINT_BITS - 1)
    near = sums.offset + nudge
    above = near + (half << FIXED_POINT_BITS)
    below = above - ((right > 0).astype(object) << FIXED_POINT_BITS if sums.has_negatives else 0)
    divisor = 1 << (right + FIXED_POINT_BITS)
    largest = (sums.high + above + _lift(sums, below, divisor) * divisor).max()
    if largest > _LARGEST:
        expected, hint = f"{steps.name}: what is divided should fit 64 bits", "export c"
        raise TargetError(expected, got=f"{largest} is possible", hint=hint)
    return _floor_quotient(steps, product, sums, above, below, divisor, -near)


_RULES = {"offset-scale-shift": _floor, "fixed-point": _rounded_twice, "fixed-point-once": _rounded_once}


def _lift(sums: _Sums, addend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """By how many divisors the dividend must be lifted."""
    lacking = np.maximum(-(sums.low + addend), 0) if sums.has_negatives else 0 * divisor
    return np.asarray(-(-lacking // divisor))


def _floor_quotient(
    steps: Steps, product: str, sums: _Sums, above: np.ndarray, below: np.ndarray, divisor: np.ndarray,
    threshold: np.ndarray | None = None,
) -> str:  # fmt: skip
    """floor((product + above) / divisor), with `below` where product is less than the threshold."""
    lift = _lift(sums, below, divisor)
    dividend = _by_sign(steps, product, threshold, below + lift * divisor, above + lift * divisor)
    quotient = _divided(steps, dividend, divisor)
    return steps.op("Sub", quotient, per_channel(lift)) if lift.any() else quotient


def _by_sign(steps: Steps, value: str, threshold: np.ndarray | None, below: np.ndarray, above: np.ndarray) -> str:
    """value + below where it is less than the threshold, else value + above."""
    if threshold is None or (below == above).all():
        return steps.op("Add", value, per_channel(above)) if above.any() else value
    is_less = steps.op("Less", value, per_channel(threshold))
    return steps.op("Add", value, steps.op("Where", is_less, per_channel(below), per_channel(above)))


def _divided(steps: Steps, dividend: str, divisor: np.ndarray) -> str:
    return dividend if (divisor == 1).all() else steps.op("Div", dividend, per_channel(divisor))


def softmax(steps: Steps, x: str, operand: Operand) -> str:
    """x: int64 [n, c, h, w] -> int64, before the clip: the steps of edgekws.graph.exponential.softmax.

    The exponentials of the 256 distances and their share of the sum are tables.
    """
    terms = exponential.exponentials(operand)
    axis = np.array([_CHANNELS])
    distance = steps.op("Sub", steps.op("ReduceMax", x, axis), x)
    shares = steps.op("Gather", exponential.divided(terms, exponential.SUM_INTEGER_BITS), distance)
    total = steps.op("ReduceSum", shares, axis)
    powers = 1 << np.arange(32, dtype=np.int64)
    reached = steps.op("GreaterOrEqual", total, powers.reshape(1, -1, 1, 1))
    bits = steps.op("ReduceSum", steps.cast(reached, np.int64), axis)
    zeros = steps.op("Sub", 32, bits)
    normal = steps.op("Mul", total, steps.op("Gather", powers, zeros))
    scale = _reciprocal(steps, steps.op("Sub", normal, 1 << 31))
    divisors = exponential.SUM_INTEGER_BITS + FIXED_POINT_BITS - exponential.OUT_BITS - np.arange(32, dtype=np.int64)
    halves = steps.op("Gather", 1 << (divisors - 1), zeros)
    share = _product(steps, steps.op("Gather", terms, distance), scale, lift=0)
    quotient = steps.op("Div", steps.op("Add", share, halves), steps.op("Add", halves, halves))
    return steps.op("Sub", quotient, 128)


def _reciprocal(steps: Steps, x: str) -> str:
    one = exponential.ONE
    half = steps.op("Div", steps.op("Add", x, one + 1), 2)
    first, slope = exponential.RECIPROCAL_LINE
    y = steps.op("Sub", first, _product(steps, half, slope))
    for _ in range(exponential.NEWTON_STEPS):
        error = steps.op("Sub", 1 << 29, _product(steps, half, y))
        y = steps.op("Add", y, steps.op("Mul", _product(steps, y, error), 4))
    return steps.op("Min", steps.op("Mul", y, 2), one)


def _product(steps: Steps, a: str, b: str | int, lift: int = 1 << 31) -> str:
    """floor((a * b + 2^30) / 2^31) of 32-bit numbers. lift: 0 where no product is negative."""
    dividend = steps.op("Add", steps.op("Mul", a, b), (1 << 30) + (lift << 31))
    quotient = steps.op("Div", dividend, 1 << 31)
    return steps.op("Sub", quotient, lift) if lift else quotient
