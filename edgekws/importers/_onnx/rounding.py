"""The requantization of a sum that the file rounds: exactly a floor where there is one, else the nearest multiplier.

QuantizeLinear rounds y = factor * acc + bias to the nearest integer, halves to even; the graph rounds halves away from
zero, or takes the floor. With factor = m / 2^n, and m odd, y is a half only where 2^(n + 1) * y is an odd multiple of
2^n: if 2^(n + 1) * bias is odd, or n is 0, it never is, and y rounded is the floor of y + 1/2 - 2^-(n + 1) for every
acc. Else the graph's multiplier is the one nearest to `factor`, and differs from the file where y is a half or next to
one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.graph.ir import FIXED_POINT_BITS, SIGNED, UNSIGNED, Requant

_MULT_MAX, _SHIFT_MAX, _OFFSET_MAX = 255, 31, (1 << 31) - 1
_MANTISSA_BITS = 53


@dataclass(frozen=True)
class Form:
    """weight: int64 [channels, ...] or None; offset, mult, shift: int64 [channels]."""

    weight: np.ndarray | None
    offset: np.ndarray
    mult: np.ndarray
    shift: np.ndarray

    def requant(self, lo: int, hi: int) -> Requant:
        """By the rule offset-scale-shift. lo, hi: the range of the outputs."""
        mult, shift = self.mult.astype(np.uint8), self.shift.astype(np.uint8)
        return Requant(self.offset.astype(np.int32), mult, shift, lo, hi)


def is_plain(lo: int, hi: int) -> bool:
    """Whether the rule offset-scale-shift has this range of outputs."""
    return (lo, hi) in (SIGNED, UNSIGNED)


def floor_form(factor: np.ndarray, bias: np.ndarray, weight: np.ndarray | None) -> Form | None:
    """The floor that equals factor * acc + bias rounded for every acc; None where there is none in some channel.

    factor, bias: float64 [channels]. Weights that are all even are halved where only that gives one.
    """
    form = _without_halves(factor, bias, weight)
    if weight is not None:
        even = (weight.reshape(len(weight), -1) % 2 == 0).all(1)
        halved = _without_halves(2 * factor, bias, weight // 2)
        form = _chosen(halved, form, np.asarray(~_is_good(form) & even))
        form = _chosen(_constant(bias, weight), form, np.asarray(~weight.reshape(len(weight), -1).any(1)))
    return form if _is_good(form).all() else None


def floored_form(
    factor: np.ndarray, bias: np.ndarray, weight: np.ndarray | None, parts: tuple[np.ndarray, ...]
) -> Form | None:
    """floor(factor * acc + bias) as the rule of TI's NPU; None where multipliers, shifts or offsets leave its ranges.

    parts: the multiplier and the power of two of the file, if there are just these.
    """
    sign = np.where(factor < 0, -1, 1)
    if weight is not None:
        weight = weight * sign.reshape(-1, *[1] * (weight.ndim - 1))
    elif (factor <= 0).any():
        return None
    mult, shift = _given(parts) or _dyadic(np.abs(factor))
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.floor(np.ldexp(bias, shift))
        offset = total / np.maximum(mult, 1)
    form = Form(weight, _integers(offset), mult, np.where(offset == np.floor(offset), shift, -1))
    if weight is not None:
        dead = (factor == 0) | ~weight.reshape(len(weight), -1).any(1)
        form = _chosen(_constant(np.floor(bias), weight), form, dead & ~_is_good(form))
    return form if _is_good(form).all() else None


@dataclass(frozen=True)
class Nearest:
    """weight as in Form; requantization by the rule fixed-point-once. rounded: the largest change of an offset."""

    weight: np.ndarray | None
    offset: np.ndarray
    mult: np.ndarray
    shift: np.ndarray
    rounded: float

    def requant(self, lo: int, hi: int, zero: int) -> Requant:
        """lo, hi: the range of the outputs; zero: what is added after rounding."""
        shift = self.shift.astype(np.int8 if (self.shift < 0).any() else np.uint8)
        return Requant(
            self.offset.astype(np.int32), self.mult.astype(np.int32), shift, lo, hi, "fixed-point-once", zero
        )


def nearest(factor: np.ndarray, bias: np.ndarray, weight: np.ndarray | None, reach: np.ndarray) -> Nearest | None:
    """The fixed-point multipliers nearest to factor * acc + bias; None where one leaves its range.

    reach: float64 [channels], the largest |acc|. A channel whose inputs change nothing becomes a constant.
    """
    margin = 0.5 - np.abs(bias - np.round(bias))
    constant = np.abs(factor) * reach < margin
    factor = np.where(constant, 1.0, factor)
    if weight is not None:
        weight = np.where(constant.reshape(-1, *[1] * (weight.ndim - 1)), 0, weight)
    elif constant.any():
        return None
    total = np.where(constant, np.round(bias), bias / factor)
    offset = np.round(total)
    fraction, exponent = np.frexp(factor)
    mult = np.round(np.ldexp(fraction, FIXED_POINT_BITS)).astype(np.int64)
    carried = mult >> FIXED_POINT_BITS
    mult, shift = mult >> carried, -(exponent + carried)
    fits = (factor > 0) & (np.abs(shift) < _SHIFT_MAX + 1) & (shift > -_SHIFT_MAX) & (np.abs(offset) <= _OFFSET_MAX)
    if not fits.all():
        return None
    return Nearest(
        weight, offset.astype(np.int64), np.asarray(mult), np.asarray(shift), float(np.abs(total - offset).max())
    )


def _without_halves(factor: np.ndarray, bias: np.ndarray, weight: np.ndarray | None) -> Form:
    """Channels without such a form have the shift -1."""
    mult, shift = _dyadic(factor)
    with np.errstate(over="ignore", invalid="ignore"):
        doubled = np.ldexp(bias, shift + 1)
        sound = (np.abs(doubled) < 2.0**_MANTISSA_BITS) & (doubled == np.floor(doubled))
    doubled = _integers(np.where(sound, doubled, 0))
    odd = shift > 0
    sound &= (doubled & 1) == odd
    half = np.where(odd, np.int64(1) << np.maximum(shift - 1, 0), 0)
    total = (doubled - odd) // 2 + half
    sound &= total % np.maximum(mult, 1) == 0
    return Form(weight, total // np.maximum(mult, 1), mult, np.where(sound, shift, -1))


def _dyadic(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mult, shift) with factor = mult / 2^shift, mult odd or shift 0; (0, 0) for what is no such number to 2^31."""
    mantissa, exponent = np.frexp(np.where(np.isfinite(factor) & (factor > 0), factor, 1.0))
    mult = np.ldexp(mantissa, _MANTISSA_BITS).astype(np.int64)
    twos = np.log2((mult & -mult).astype(np.float64)).astype(np.int64)
    mult, shift = mult >> twos, _MANTISSA_BITS - exponent - twos
    mult, shift = mult << np.clip(-shift, 0, 8), np.where(shift >= -8, np.maximum(shift, 0), _SHIFT_MAX + 1)
    fits = (factor > 0) & (mult <= _MULT_MAX) & (shift <= _SHIFT_MAX)
    return np.where(fits, mult, 0), np.where(fits, shift, 0)


def _given(parts: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """The multipliers and shifts of the file, where it has the two factors of the rule."""
    if len(parts) != 2:
        return None
    mult, shift = parts[0], np.round(-np.log2(np.where(parts[1] > 0, parts[1], 1.0)))
    whole = (mult == np.round(mult)) & (mult >= 1) & (mult <= _MULT_MAX)
    if not (whole & (np.exp2(-shift) == parts[1]) & (shift >= 0) & (shift <= _SHIFT_MAX)).all():
        return None
    return mult.astype(np.int64), shift.astype(np.int64)


def _constant(bias: np.ndarray, weight: np.ndarray) -> Form:
    ones = np.ones(len(bias), np.int64)
    return Form(np.zeros_like(weight), _integers(np.clip(np.round(bias), -_OFFSET_MAX, _OFFSET_MAX)), ones, ones * 0)


def _chosen(first: Form, second: Form, mask: np.ndarray) -> Form:
    """`first` in the channels of `mask`."""
    weight = first.weight
    if weight is not None and second.weight is not None:
        weight = np.where(mask.reshape(-1, *[1] * (weight.ndim - 1)), weight, second.weight)
    pairs = ((first.offset, second.offset), (first.mult, second.mult), (first.shift, second.shift))
    offset, mult, shift = (np.where(mask, a, b) for a, b in pairs)
    return Form(weight, offset, mult, shift)


def _is_good(form: Form) -> np.ndarray:
    return np.asarray((form.shift >= 0) & (form.mult > 0) & (np.abs(form.offset) <= _OFFSET_MAX))


def _integers(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.nan_to_num(values), -(2.0**62), 2.0**62), np.int64)
