"""Builds the nodes of the graph: the names of its ops stand here and nowhere else in this package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.ir import FIXED_POINT_BITS, INPUT, SIGNED, UNSIGNED, Node, Requant
from edgekws.graph.ops import OPS
from edgekws.graph.sums import ADD_SHIFT
from edgekws.importers._onnx import rounding, views
from edgekws.importers._onnx.values import Real, Sum, Tensor
from edgekws.importers._onnx.views import LABELS

CONV, DEPTHWISE, LINEAR, RESCALED_ADD, MUL = "conv2d", "depthwise_conv2d", "linear", "rescaled_add", "mul"
_TABLE, _SOFTMAX, _CONCAT, _SLICE, _TRANSPOSE, _RESHAPE = "table", "softmax", "concat", "slice", "transpose", "reshape"
_BASIC = [row for row in OPS.values() if row.is_basic and row.reach == "position"]
ADD = next(row.name for row in _BASIC if row.input_count == 2)
SCALE = next(row.name for row in _BASIC if row.input_count == 1)
SUM_POOL = next(row.name for row in OPS.values() if row.is_global_pool and row.is_basic)
MAX_POOL, MEAN_POOL = (
    next(row.name for row in OPS.values() if row.is_window_pool and row.sums is sums) for sums in (False, True)
)
_SOFTMAX_BITS = 26
"""Fraction bits of the distances that a softmax takes."""


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


def out_shape(
    op: str, shape: Shape, c_out: int, kernel: tuple[int, int], stride: tuple[int, int],
    pad: tuple[int, int, int, int], dilation: tuple[int, int],
) -> Shape:  # fmt: skip
    """Of an op with windows."""
    return OPS[op].out_shape(shape, c_out, kernel, stride, pad, dilation)


INTEGERS = Form(1.0, 0, -128, 127, 0)
"""Of files whose floats hold the integers themselves; the range is that of the sum's own bounds."""


@dataclass
class Builder:
    """nodes: in order. notes: what is not exact, by node. narrow: the bits of weights below 8, where they are known.

    rounded_twice: layers that our own exporter wrote for the rule fixed-point, with a bias raised by one after a ReLU.
    in_floors: whether layers that a floor equals are written so.
    """

    nodes: list[Node] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=lambda: {INPUT})
    input_scale: float = 1.0
    input_zero: int = 0
    narrow: dict[str, int] | None = None
    rounded_twice: frozenset[str] = frozenset()
    in_floors: bool = True

    def settle(self, total: Sum, form: Form, name: str) -> Tensor:
        """The node that computes `total` and stores it as `form` says."""
        if total.op == MAX_POOL:
            return self._settle_max(total, form, name)
        if total.op == MEAN_POOL:
            return self._settle_mean(total, form, name)
        lo, hi = form.clipped(total.lo, total.hi)
        if lo == hi:
            raise total.call.refusal("outputs should not all be equal", f"{lo}..{hi}")
        if total.op == RESCALED_ADD and _adds_plainly(total, form):
            return self._add(name, ADD, total.tensors, Requant.identity(total.shape[2], lo, hi), total.shape, form)
        exact = _exact(total, form, lo, hi) if self.in_floors or total.floored else None
        if exact is not None:
            total = _simplest(replace(total, weight=exact.weight, bits=_narrowest(exact.weight, total.bits)))
            return self._add_sum(name, total, exact.requant(lo, hi), form)
        return self._settle_nearest(total, form, name, (lo, hi))

    def _settle_nearest(self, total: Sum, form: Form, name: str, ends: tuple[int, int]) -> Tensor:
        factor, bias = total.factor / form.scale, _bias(total) / form.scale
        close = rounding.nearest(factor, bias, total.weight, _reach(total))
        if close is None:
            got = f"{factor.min():.3g}..{factor.max():.3g}, bias {np.abs(bias).max():.3g}"
            raise total.call.refusal("input scale * weight scale / output scale should be within 2^-31..2^30", got)
        if close.rounded > 1e-3:
            self.notes.append(f"{name}: bias rounded by up to {close.rounded:.2g} steps of the accumulator")
        total, requant = _simplest(replace(total, weight=close.weight)), close.requant(*ends, form.graph_zero)
        if name in self.rounded_twice:
            offset = requant.offset - ((requant.shift > 0) & (requant.lo == 0))
            requant = replace(requant, rule="fixed-point", offset=offset.astype(np.int32))
        return self._add_sum(name, total, requant, form)

    def settle_floor(self, total: Sum, name: str) -> Tensor:
        """The node of a sum that the file rounds down and keeps as integers in floats."""
        if total.op == MAX_POOL and (total.factor == 1).all() and not (total.offset.any() or total.bias.any()):
            return self._clipped_max(total, name)
        if total.step != 1:
            raise total.call.refusal("a scaled output should be the last one", "a layer that reads it")
        total = self._without_add(total, name)
        lo, hi = _range_of(total)
        form = rounding.floored_form(total.factor, _bias(total), total.weight, total.parts)
        if form is None:
            got = f"multipliers {total.factor.min():.6g}..{total.factor.max():.6g}"
            raise total.call.refusal("should be offset, multiplier 1..255 and shift 0..31, in integers", got)
        whole = SIGNED if lo < 0 else UNSIGNED
        plain = total.op == ADD
        requant = Requant.identity(total.shape[2], lo, hi) if plain else form.requant(*whole)
        total = replace(total, weight=form.weight, bits=self._bits(name, form))
        tensor = self._add_sum(name, total, requant, INTEGERS)
        return tensor if plain or (lo, hi) == whole else self._clip(tensor, lo, hi, f"{name}_range")

    def table(self, real: Real, form: Form, name: str) -> Tensor:
        """A function of one tensor, by its 256 values."""
        with np.errstate(all="ignore"):
            entries = np.round(real.line() / np.float32(form.scale)) + form.zero
        if np.isnan(entries).any():
            raise TargetError(f"{name}: a function of one tensor should be a number everywhere", got="NaN")
        entries = (np.clip(entries, form.lo, form.hi) + form.raised).astype(np.int64)
        return self._table(name, real.tensor, entries, form, form.graph_range == UNSIGNED)

    def softmax(self, real: Real, form: Form, name: str) -> Tensor:
        """TFLite's int8 softmax over the channels."""
        scale = min(real.scale * 2.0**_SOFTMAX_BITS, 2.0**31 - 1)
        fraction, exponent = math.frexp(scale)
        operand = Operand(0, min(round(fraction * 2**FIXED_POINT_BITS), (1 << 31) - 1), -max(exponent, 0))
        requant = Requant.identity(real.tensor.shape[2], *SIGNED)
        return self._add(name, _SOFTMAX, (real.tensor,), requant, real.tensor.shape, form, operands=(operand,))

    def arranged(self, tensor: Tensor, labels: Sequence[str], shape: Shape, name: str) -> Tensor:
        """The values in the order of `labels`, in another shape."""
        if not views.in_order(labels):
            axes = views.permutation(labels)
            moved = tuple(tensor.shape[axis] for axis in axes)
            tensor = self._move(f"{name}_transpose", _TRANSPOSE, (tensor,), (moved[0], moved[1], moved[2]), axes=axes)
        return tensor if tensor.shape == shape else self._move(f"{name}_reshape", _RESHAPE, (tensor,), shape)

    def joined(self, tensors: tuple[Tensor, ...], label: str, name: str) -> Tensor:
        """One after the other along height, width or channels; all are stored alike."""
        axis = LABELS.index(label)
        shape = list(tensors[0].shape)
        shape[axis] = sum(each.shape[axis] for each in tensors)
        lo, hi = min(each.lo for each in tensors), max(each.hi for each in tensors)
        return self._move(
            name, _CONCAT, tensors, (shape[0], shape[1], shape[2]), replace(tensors[0], lo=lo, hi=hi), axes=(axis,)
        )

    def part(self, tensor: Tensor, begin: tuple[int, ...], shape: Shape, name: str) -> Tensor:
        """The part of `shape` that starts at `begin`."""
        return tensor if shape == tensor.shape else self._move(name, _SLICE, (tensor,), shape, begin=begin)

    def padded(self, tensor: Tensor, pad: tuple[int, int, int, int], value: int, name: str) -> Tensor:
        """With more rows and columns, all of them `value`: a convolution with one weight of 1."""
        height, width, channels = tensor.shape
        shape = height + pad[0] + pad[1], width + pad[2] + pad[3], channels
        weight = np.ones((channels, 1, 1), np.int8)
        return self._move(name, DEPTHWISE, (tensor,), shape, weight=weight, pad=pad, pad_value=value)

    def free_name(self, name: str) -> str:
        """`name`, or with a number where it is taken."""
        name = name or "node"
        tries = (name, *(f"{name}_{number}" for number in range(2, len(self.taken) + 3)))
        chosen = next(each for each in tries if each not in self.taken)
        self.taken.add(chosen)
        return chosen

    def _bits(self, name: str, form: rounding.Form) -> int:
        """Of the weights of a file that holds them as floats: on TI's NPU, a multiplier belongs to narrow ones."""
        if self.narrow is not None:
            return self.narrow.get(name, 8)
        if form.weight is None or (form.mult == 1).all():
            return 8
        return next(bits for bits in (2, 4, 8) if bits == 8 or np.abs(form.weight).max() < 1 << (bits - 1))

    def _settle_max(self, total: Sum, form: Form, name: str) -> Tensor:
        (tensor,), (zero,) = total.tensors, total.zeros
        if _keeps_steps(total, form.scale) and zero == form.graph_zero:
            lo, hi = form.clipped(total.lo, total.hi)
            return self._add_pool(name, total, lo, hi, form)
        scale = float(total.factor[0]) * total.step
        if total.offset.any() or total.bias.any() or not (total.factor == total.factor[0]).all():
            raise total.call.refusal("maxima should be quantized before they are scaled", "another scale or offset")
        largest = self._add_pool(f"{name}_max", total, tensor.lo, tensor.hi, replace(form, raised=tensor.raised))
        real = Real(largest, (), scale, zero)
        line = np.clip(real.line(), total.lo, total.hi)
        return self.table(replace(real, curve=line), form, name)

    def _settle_mean(self, total: Sum, form: Form, name: str) -> Tensor:
        if not _keeps_steps(total, form.scale) or total.zeros[0] != form.graph_zero:
            raise total.call.refusal("a padded or rounded mean should keep the scale and the zero point of its input")
        return self._add_pool(name, total, *form.clipped(total.lo, total.hi), form)

    def _clipped_max(self, total: Sum, name: str) -> Tensor:
        (tensor,) = total.tensors
        lo, hi = (int(np.clip(end, tensor.lo, tensor.hi)) for end in (total.lo, total.hi))
        if lo == hi:
            raise total.call.refusal("outputs should not all be equal", f"{lo}..{hi}")
        return self._add_pool(name, total, lo, hi, INTEGERS)

    def _add_pool(self, name: str, total: Sum, lo: int, hi: int, form: Form) -> Tensor:
        requant = Requant.identity(total.shape[2], lo, hi)
        return self._add(name, total.op, total.tensors, requant, total.shape, form, **total.fields)

    def _without_add(self, total: Sum, name: str) -> Sum:
        """The same sum; that of two tensors, where it is scaled, as a convolution of both, for an add only clips."""
        if total.op != ADD or _keeps_steps(total, 1.0):
            return total
        if total.tensors[0].shape != total.tensors[1].shape or (total.tensors[0].lo < 0) != (total.tensors[1].lo < 0):
            raise total.call.refusal("tensors that are added and scaled should have one shape and one sign")
        channels = total.shape[2]
        joined = self.joined(total.tensors, "c", f"{name}_both")
        weight = np.concatenate([np.eye(channels, dtype=np.int64)] * 2, axis=1)[:, None, None]
        return replace(total, op=CONV, tensors=(joined,), zeros=(0,), weight=weight, fields={})

    def _clip(self, tensor: Tensor, lo: int, hi: int, name: str) -> Tensor:
        byte = np.arange(256)
        entries = np.clip(byte if tensor.lo >= 0 else (byte + 128) % 256 - 128, lo, hi)[None]
        return self._table(name, tensor, entries, replace(INTEGERS, raised=tensor.raised), unsigned=tensor.lo >= 0)

    def _table(self, name: str, source: Tensor, entries: np.ndarray, form: Form, unsigned: bool) -> Tensor:
        requant = Requant.identity(source.shape[2], *(UNSIGNED if unsigned else SIGNED))
        weight = (entries & 255).astype(np.uint8).view(np.int8)
        return self._add(name, _TABLE, (source,), requant, source.shape, form, weight=weight)

    def _move(
        self, name: str, op: str, tensors: tuple[Tensor, ...], shape: Shape, like: Tensor | None = None, **fields: Any  # noqa: ANN401
    ) -> Tensor:  # fmt: skip
        """A node whose integers are those of its input."""
        like = like or tensors[0]
        source = next((node for node in self.nodes if node.name == tensors[0].name), None)
        scale, zero = (source.out_scale, source.out_zero) if source else (self.input_scale, self.input_zero)
        requant = Requant.identity(shape[2], *(SIGNED if like.lo < 0 else UNSIGNED))
        made = self._add(
            name, op, tensors, requant, shape, Form(scale, zero - like.raised, 0, 0, like.raised), **fields
        )
        return replace(made, lo=like.lo, hi=like.hi)

    def _add_sum(self, name: str, total: Sum, requant: Requant, form: Form) -> Tensor:
        """With the zero points of the inputs in the offset, and the weights as the graph stores them."""
        fields, weight = dict(total.fields), total.weight
        if weight is not None:
            row = weight.reshape(len(weight), -1).sum(1)
            fields |= {"weight": weight.astype(np.int8), "weight_bits": total.bits}
        else:
            row = np.full(total.shape[2], math.prod(total.tensors[0].shape[:2]) if total.op == SUM_POOL else 1)
        if total.op not in (RESCALED_ADD, MUL, ADD):
            requant = replace(requant, offset=_offset(total, requant.offset, total.zeros[0] * row))
        if fields.get("pad", (0, 0, 0, 0)) != (0, 0, 0, 0):
            fields["pad_value"] = total.zeros[0]
        return self._add(name, total.op, total.tensors, requant, total.shape, form, **fields)

    def _add(
        self, name: str, op: str, tensors: tuple[Tensor, ...], requant: Requant, shape: Shape, form: Form, **fields: Any  # noqa: ANN401
    ) -> Tensor:  # fmt: skip
        name = self.free_name(name)
        shapes = tuple(each.shape for each in tensors)
        others = shapes[1:] if any(each != shapes[0] for each in shapes[1:]) else ()
        zero = form.graph_zero if -128 <= form.graph_zero <= 255 else 0
        self.nodes.append(
            Node(
                name,
                op,
                tuple(each.name for each in tensors),
                requant,
                shapes[0],
                shape,
                out_scale=form.scale,
                out_zero=zero,
                other_shapes=others,
                **fields,
            )
        )
        return Tensor(name, shape, requant.lo, requant.hi, form.raised)


def _simplest(total: Sum) -> Sum:
    """The same sum without windows, where a window is the whole input or one value, and without weights of 1."""
    if total.weight is None or total.op not in (CONV, DEPTHWISE) or any(total.fields.get("pad", ())):
        return total
    (height, width, channels), kernel = total.tensors[0].shape, total.weight.shape[1:3]
    whole, single = kernel == (height, width), kernel == (1, 1) and total.fields.get("stride", (1, 1)) == (1, 1)
    ones = total.op == DEPTHWISE and bool((total.weight == 1).all())
    if ones and (whole or single):
        return replace(total, op=SUM_POOL if whole and not single else SCALE, weight=None, fields={}, bits=8)
    if total.op == CONV and whole:
        rows = total.weight.reshape(len(total.weight), height * width * channels)
        return replace(total, op=LINEAR, weight=rows, fields={})
    return total


def _narrowest(weight: np.ndarray | None, bits: int) -> int:
    """The bits of weights that the floor's rule allows: it has no lowest negative number."""
    if weight is None or bits == 8 or np.abs(weight).max(initial=0) < 1 << (bits - 1):
        return bits
    return 4 if np.abs(weight).max() < 8 else 8


def _bias(total: Sum) -> np.ndarray:
    """What is added to factor * acc."""
    return np.asarray(total.factor * total.offset + total.bias)


def _keeps_steps(total: Sum, scale: float) -> bool:
    """Whether one step of the sum is one of its output, and nothing is added."""
    return bool((total.factor == scale * total.step).all()) and not _bias(total).any()


def _exact(total: Sum, form: Form, lo: int, hi: int) -> rounding.Form | None:
    """The floor that equals `total` for every input, or None. Raises TargetError for a floor of another kind."""
    plain = form.graph_zero == 0 and rounding.is_plain(lo, hi) and total.op not in (RESCALED_ADD, MUL)
    plain = plain and (total.weight is None or int(total.weight.min(initial=0)) > SIGNED[0])
    if not total.floored:
        return (
            rounding.floor_form(total.factor / form.scale, _bias(total) / form.scale, total.weight) if plain else None
        )
    exact = rounding.floored_form(total.factor, _bias(total), total.weight, total.parts) if plain else None
    if exact is None or total.step != form.scale:
        got = f"steps of {total.step}, then of {form.scale}"
        raise total.call.refusal("what is rounded down should have an offset, multiplier and shift in integers", got)
    return exact


def _adds_plainly(total: Sum, form: Form) -> bool:
    """Whether a sum of two tensors only clips: scales are equal, and zero is 0 everywhere."""
    same = total.tensors[0].shape == total.tensors[1].shape
    halves = all((each.mult, each.shift) == (1 << (FIXED_POINT_BITS - 1), 0) for each in total.fields["operands"])
    one_step = bool((total.factor * 2.0 ** (ADD_SHIFT - 1) == form.scale).all()) and not _bias(total).any()
    return same and halves and one_step and not (form.graph_zero or any(total.zeros))


def _reach(total: Sum) -> np.ndarray:
    """The largest |acc| of each channel."""
    ranges = [max(each.hi - zero, zero - each.lo) for each, zero in zip(total.tensors, total.zeros, strict=True)]
    if total.weight is not None:
        return np.asarray(np.abs(total.weight).reshape(len(total.weight), -1).sum(1) * float(max(ranges)))
    many = math.prod(total.tensors[0].shape[:2]) if total.op == SUM_POOL else 1
    most = math.prod(ranges) if total.op == MUL else sum(ranges) * 2.0**ADD_SHIFT
    return np.full(total.shape[2], float(most if total.op in (MUL, RESCALED_ADD) else ranges[0] * many))


def _range_of(total: Sum) -> tuple[int, int]:
    """The integers of a floored sum; where it is not clipped, what its inputs allow."""
    reach = _reach(total) if total.op != ADD else np.full(total.shape[2], 512.0)
    most = float(np.ceil((np.abs(total.factor) * reach + np.abs(_bias(total))).max()))
    narrow = any(low <= total.lo and total.hi <= high for low, high in (SIGNED, UNSIGNED))
    lo, hi = (total.lo, total.hi) if narrow else (max(total.lo, -most), min(total.hi, most))
    fits = any(low <= lo and hi <= high for low, high in (SIGNED, UNSIGNED))
    if not fits or lo == hi:
        hint = "end the layer in a ReLU, or clip it to 8 bits"
        raise total.call.refusal("outputs should be clipped to -128..127 or 0..255", f"{lo:.0f}..{hi:.0f}", hint)
    return int(lo), int(hi)


def _offset(total: Sum, offset: np.ndarray, of_zeros: np.ndarray) -> np.ndarray:
    moved = offset.astype(np.int64) - of_zeros
    if np.abs(moved).max() >= 1 << 31:
        raise total.call.refusal("the offset should fit 32 bits", str(int(np.abs(moved).max())))
    return np.asarray(moved.astype(np.int32))
