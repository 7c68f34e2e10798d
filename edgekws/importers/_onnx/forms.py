"""How the file stores a tensor, and what the sums before it come to in these steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from edgekws.graph.ir import FIXED_POINT_BITS, SIGNED, UNSIGNED, Requant
from edgekws.graph.sums import ADD_SHIFT
from edgekws.importers._onnx import rounding, rows
from edgekws.importers._onnx.values import Sum


@dataclass(frozen=True)
class Form:
    """How the file stores a quantized tensor: real = scale * (q - zero), lo <= q <= hi.

    raised: what the graph adds to q, so that a tensor that holds no negative number is 0..255 with zero 0.
    """

    scale: float
    zero: int
    lo: int
    hi: int
    raised: int

    @classmethod
    def of(cls, scale: float, zero: int, unsigned: bool, final: bool) -> Form:
        """unsigned: uint8. final: of the scores, which are int8 in the graph."""
        lo, hi = UNSIGNED if unsigned else SIGNED
        if zero == lo and not final:
            return cls(scale, zero, lo, hi, -lo)
        return cls(scale, zero, lo, hi, SIGNED[0] - lo)

    @property
    def graph_zero(self) -> int:
        return self.zero + self.raised

    @property
    def graph_range(self) -> tuple[int, int]:
        return self.lo + self.raised, self.hi + self.raised

    def clipped(self, lo: float, hi: float) -> tuple[int, int]:
        """The range of the graph's integers for real values within lo..hi."""
        ends = [np.clip(np.round(value / self.scale) + self.zero, self.lo, self.hi) for value in (lo, hi)]
        return int(ends[0]) + self.raised, int(ends[1]) + self.raised


INTEGERS = Form(1.0, 0, -128, 127, 0)
"""Of files whose floats hold the integers themselves; the range is that of the sum's own bounds."""


def simplest(total: Sum) -> Sum:
    """The same sum without windows, where a window is the whole input or one value, and without weights of 1."""
    if total.weight is None or total.op not in (rows.CONV, rows.DEPTHWISE) or any(total.fields.get("pad", ())):
        return total
    (height, width, channels), kernel = total.tensors[0].shape, total.weight.shape[1:3]
    whole, single = kernel == (height, width), kernel == (1, 1) and total.fields.get("stride", (1, 1)) == (1, 1)
    ones = total.op == rows.DEPTHWISE and bool((total.weight == 1).all())
    if ones and (whole or single):
        return replace(total, op=rows.SUM_POOL if whole and not single else rows.SCALE, weight=None, fields={}, bits=8)
    if total.op == rows.CONV and whole:
        matrix = total.weight.reshape(len(total.weight), height * width * channels)
        return replace(total, op=rows.LINEAR, weight=matrix, fields={})
    return total


def narrowest(weight: np.ndarray | None, bits: int) -> int:
    """The bits of weights that the floor's rule allows: it has no lowest negative number."""
    if weight is None or bits == 8 or np.abs(weight).max(initial=0) < 1 << (bits - 1):
        return bits
    return 4 if np.abs(weight).max() < 8 else 8


def bias_of(total: Sum) -> np.ndarray:
    """What is added to factor * acc."""
    return np.asarray(total.factor * total.offset + total.bias)


def lowered(requant: Requant) -> Requant:
    """Our own exporter raises the bias of what is rounded twice and is not negative."""
    if requant.lo < requant.zero:
        return requant
    return replace(requant, offset=(requant.offset - (requant.shift > 0)).astype(np.int32))


def keeps_steps(total: Sum, scale: float) -> bool:
    """Whether one step of the sum is one of its output, and nothing is added."""
    return bool((total.factor == scale * total.step).all()) and not bias_of(total).any()


def exact_floor(total: Sum, form: Form, lo: int, hi: int) -> rounding.Form | None:
    """The floor that equals `total` for every input, or None. Raises TargetError for a floor of another kind."""
    plain = form.graph_zero == 0 and rounding.is_plain(lo, hi) and total.op not in (rows.RESCALED_ADD, rows.MUL)
    plain = plain and (total.weight is None or int(total.weight.min(initial=0)) > SIGNED[0])
    if not total.floored:
        return (
            rounding.floor_form(total.factor / form.scale, bias_of(total) / form.scale, total.weight) if plain else None
        )
    exact = rounding.floored_form(total.factor, bias_of(total), total.weight, total.parts) if plain else None
    if exact is None or total.step != form.scale:
        got = f"steps of {total.step}, then of {form.scale}"
        raise total.call.refusal("what is rounded down should have an offset, multiplier and shift in integers", got)
    return exact


def adds_plainly(total: Sum, form: Form) -> bool:
    """Whether a sum of two tensors only clips: scales are equal, and zero is 0 everywhere."""
    same = total.tensors[0].shape == total.tensors[1].shape
    halves = all((each.mult, each.shift) == (1 << (FIXED_POINT_BITS - 1), 0) for each in total.fields["operands"])
    one_step = bool((total.factor * 2.0 ** (ADD_SHIFT - 1) == form.scale).all()) and not bias_of(total).any()
    return same and halves and one_step and not (form.graph_zero or any(total.zeros))


def reach_of(total: Sum) -> np.ndarray:
    """The largest |acc| of each channel."""
    ranges = [max(each.hi - zero, zero - each.lo) for each, zero in zip(total.tensors, total.zeros, strict=True)]
    if total.weight is not None:
        return np.asarray(np.abs(total.weight).reshape(len(total.weight), -1).sum(1) * float(max(ranges)))
    many = math.prod(total.tensors[0].shape[:2]) if total.op == rows.SUM_POOL else 1
    most = math.prod(ranges) if total.op == rows.MUL else sum(ranges) * 2.0**ADD_SHIFT
    return np.full(total.shape[2], float(most if total.op in (rows.MUL, rows.RESCALED_ADD) else ranges[0] * many))


def range_of(total: Sum) -> tuple[int, int]:
    """The integers of a floored sum; where it is not clipped, what its inputs allow."""
    reach = reach_of(total) if total.op != rows.ADD else np.full(total.shape[2], 512.0)
    most = float(np.ceil((np.abs(total.factor) * reach + np.abs(bias_of(total))).max()))
    narrow = any(low <= total.lo and total.hi <= high for low, high in (SIGNED, UNSIGNED))
    lo, hi = (total.lo, total.hi) if narrow else (max(total.lo, -most), min(total.hi, most))
    fits = any(low <= lo and hi <= high for low, high in (SIGNED, UNSIGNED))
    if not fits or lo == hi:
        hint = "end the layer in a ReLU, or clip it to 8 bits"
        raise total.call.refusal("outputs should be clipped to -128..127 or 0..255", f"{lo:.0f}..{hi:.0f}", hint)
    return int(lo), int(hi)


def moved_offset(total: Sum, offset: np.ndarray, of_zeros: np.ndarray) -> np.ndarray:
    moved = offset.astype(np.int64) - of_zeros
    if np.abs(moved).max() >= 1 << 31:
        raise total.call.refusal("the offset should fit 32 bits", str(int(np.abs(moved).max())))
    return np.asarray(moved.astype(np.int32))
