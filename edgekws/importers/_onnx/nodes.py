"""Builds the nodes of the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.ir import FIXED_POINT_BITS, INPUT, SIGNED, UNSIGNED, Node, Requant
from edgekws.importers._onnx import forms, rounding, rows, views
from edgekws.importers._onnx.file import LARGEST
from edgekws.importers._onnx.forms import Form
from edgekws.importers._onnx.values import Real, Sum, Tensor
from edgekws.importers._onnx.views import LABELS

_SOFTMAX_BITS = 26
"""Fraction bits of the distances that a softmax takes."""


@dataclass
class Builder:
    """nodes: in order. notes: what is not exact, by node. narrow: the bits of weights below 8, where they are known.

    rounded_twice: layers that our own exporter wrote for the rule fixed-point, with a bias raised by one after a ReLU.
    mean_zeros: of means, from which halves are rounded away; 128 for bytes 0..255, else 0.
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
    mean_zeros: dict[str, int] = field(default_factory=dict)

    def settle(self, total: Sum, form: Form, name: str) -> Tensor:
        """The node that computes `total` and stores it as `form` says."""
        if total.taken is not None:
            raise total.call.refusal("a constant should be one number, or one for each channel", "one a position")
        if total.op == rows.MAX_POOL:
            return self._settle_max(total, form, name)
        if total.op == rows.MEAN_POOL:
            return self._settle_mean(total, form, name)
        lo, hi = form.clipped(total.lo, total.hi)
        if lo == hi:
            raise total.call.refusal("outputs should not all be equal", f"{lo}..{hi}")
        if total.op == rows.RESCALED_ADD and forms.adds_plainly(total, form):
            return self._add(name, rows.ADD, total.tensors, Requant.identity(total.shape[2], lo, hi), total.shape, form)
        exact = forms.exact_floor(total, form, lo, hi) if self.in_floors or total.floored else None
        if exact is not None:
            total = forms.simplest(replace(total, weight=exact.weight, bits=forms.narrowest(exact.weight, total.bits)))
            return self._add_sum(name, total, exact.requant(lo, hi), form)
        return self._settle_nearest(total, form, name, (lo, hi))

    def _settle_nearest(self, total: Sum, form: Form, name: str, ends: tuple[int, int]) -> Tensor:
        factor, bias = total.factor / form.scale, forms.bias_of(total) / form.scale
        close = rounding.nearest(factor, bias, total.weight, forms.reach_of(total))
        if close is None:
            got = f"{factor.min():.3g}..{factor.max():.3g}, bias {np.abs(bias).max():.3g}"
            raise total.call.refusal("input scale * weight scale / output scale should be within 2^-31..2^30", got)
        if close.rounded > 1e-3:
            self.notes.append(f"{name}: bias rounded by up to {close.rounded:.2g} steps of the accumulator")
        total, requant = forms.simplest(replace(total, weight=close.weight)), close.requant(*ends, form.graph_zero)
        if name in self.rounded_twice:
            requant = forms.lowered(replace(requant, rule="fixed-point"))
        return self._add_sum(name, total, requant, form)

    def settle_floor(self, total: Sum, name: str) -> Tensor:
        """The node of a sum that the file rounds down and keeps as integers in floats."""
        if total.op == rows.MAX_POOL and (total.factor == 1).all() and not (total.offset.any() or total.bias.any()):
            return self._clipped_max(total, name)
        if total.step != 1 or total.taken is not None:
            raise total.call.refusal("a scaled output should be the last one", "a layer that reads it")
        total = self._without_add(total, name)
        lo, hi = forms.range_of(total)
        form = rounding.floored_form(total.factor, forms.bias_of(total), total.weight, total.parts)
        if form is None:
            got = f"multipliers {total.factor.min():.6g}..{total.factor.max():.6g}"
            raise total.call.refusal("should be offset, multiplier 1..255 and shift 0..31, in integers", got)
        whole = SIGNED if lo < 0 else UNSIGNED
        plain = total.op == rows.ADD
        requant = Requant.identity(total.shape[2], lo, hi) if plain else form.requant(*whole)
        total = replace(total, weight=form.weight, bits=self._bits(name, form))
        tensor = self._add_sum(name, total, requant, forms.INTEGERS)
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
        return self._add(name, rows.SOFTMAX, (real.tensor,), requant, real.tensor.shape, form, operands=(operand,))

    def clipped(self, tensor: Tensor, lo: int, hi: int, alone: bool, name: str) -> Tensor:
        """The tensor within lo..hi. alone: whether nothing else reads it, so that its own node can clip."""
        lo, hi = max(lo, tensor.lo), min(hi, tensor.hi)
        if (lo, hi) == (tensor.lo, tensor.hi):
            return tensor
        if lo >= hi:
            raise TargetError(f"{name}: outputs should not all be equal", got=f"{lo}..{hi}")
        node = next((node for node in self.nodes if node.name == tensor.name), None)
        if node is None or not (alone and (node.requant.is_fixed_point or node.requant.is_identity)):
            return self._clip(tensor, lo, hi, name)
        requant = replace(node.requant, lo=lo, hi=hi)
        if node.name in self.rounded_twice and node.requant.lo < requant.zero <= lo:
            requant = forms.lowered(requant)
        self.nodes = [replace(each, requant=requant) if each is node else each for each in self.nodes]
        return replace(tensor, lo=lo, hi=hi)

    def arranged(self, tensor: Tensor, labels: Sequence[str], shape: Shape, name: str) -> Tensor:
        """The values in the order of `labels`, in another shape."""
        if not views.in_order(labels):
            axes = views.permutation(labels)
            moved = tuple(tensor.shape[axis] for axis in axes)
            tensor = self._move(
                f"{name}_transpose", rows.TRANSPOSE, (tensor,), (moved[0], moved[1], moved[2]), axes=axes
            )
        return tensor if tensor.shape == shape else self._move(f"{name}_reshape", rows.RESHAPE, (tensor,), shape)

    def joined(self, tensors: tuple[Tensor, ...], label: str, name: str) -> Tensor:
        """One after the other along height, width or channels; all are stored alike."""
        axis = LABELS.index(label)
        shape = list(tensors[0].shape)
        shape[axis] = sum(each.shape[axis] for each in tensors)
        lo, hi = min(each.lo for each in tensors), max(each.hi for each in tensors)
        return self._move(
            name, rows.CONCAT, tensors, (shape[0], shape[1], shape[2]), replace(tensors[0], lo=lo, hi=hi), axes=(axis,)
        )

    def part(self, tensor: Tensor, begin: tuple[int, ...], shape: Shape, name: str) -> Tensor:
        """The part of `shape` that starts at `begin`."""
        return tensor if shape == tensor.shape else self._move(name, rows.SLICE, (tensor,), shape, begin=begin)

    def padded(self, tensor: Tensor, pad: tuple[int, int, int, int], value: int, name: str) -> Tensor:
        """With more rows and columns, all of them `value`: a convolution with one weight of 1."""
        height, width, channels = tensor.shape
        shape = height + pad[0] + pad[1], width + pad[2] + pad[3], channels
        weight = np.ones((channels, 1, 1), np.int8)
        return self._move(name, rows.DEPTHWISE, (tensor,), shape, weight=weight, pad=pad, pad_value=value)

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
        if forms.keeps_steps(total, form.scale) and zero == form.graph_zero:
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
        if not forms.keeps_steps(total, form.scale) or total.zeros[0] != form.graph_zero:
            raise total.call.refusal("a padded or rounded mean should keep the scale and the zero point of its input")
        made = self._add_pool(name, total, *form.clipped(total.lo, total.hi), form)
        self.mean_zeros[made.name] = total.fields.get("zero", 128 if made.lo >= 0 else 0)
        return made

    def _clipped_max(self, total: Sum, name: str) -> Tensor:
        (tensor,) = total.tensors
        lo, hi = (int(np.clip(end, tensor.lo, tensor.hi)) for end in (total.lo, total.hi))
        if lo == hi:
            raise total.call.refusal("outputs should not all be equal", f"{lo}..{hi}")
        return self._add_pool(name, total, lo, hi, forms.INTEGERS)

    def _add_pool(self, name: str, total: Sum, lo: int, hi: int, form: Form) -> Tensor:
        requant, fields = Requant.identity(total.shape[2], lo, hi), dict(total.fields)
        fields.pop("zero", None)
        return self._add(name, total.op, total.tensors, requant, total.shape, form, **fields)

    def _without_add(self, total: Sum, name: str) -> Sum:
        """The same sum; that of two tensors, where it is scaled, as a convolution of both, for an add only clips."""
        if total.op != rows.ADD or forms.keeps_steps(total, 1.0):
            return total
        if total.tensors[0].shape != total.tensors[1].shape or (total.tensors[0].lo < 0) != (total.tensors[1].lo < 0):
            raise total.call.refusal("tensors that are added and scaled should have one shape and one sign")
        channels = total.shape[2]
        joined = self.joined(total.tensors, "c", f"{name}_both")
        weight = np.concatenate([np.eye(channels, dtype=np.int64)] * 2, axis=1)[:, None, None]
        return replace(total, op=rows.CONV, tensors=(joined,), zeros=(0,), weight=weight, fields={})

    def _clip(self, tensor: Tensor, lo: int, hi: int, name: str) -> Tensor:
        byte = np.arange(256)
        entries = np.clip(byte if tensor.lo >= 0 else (byte + 128) % 256 - 128, lo, hi)[None]
        made = self._table(name, tensor, entries, self._form_of(tensor), unsigned=tensor.lo >= 0)
        return replace(made, lo=lo, hi=hi)

    def _form_of(self, tensor: Tensor) -> Form:
        """How its node, or the input, is stored."""
        node = next((node for node in self.nodes if node.name == tensor.name), None)
        scale, zero = (node.out_scale, node.out_zero) if node else (self.input_scale, self.input_zero)
        return Form(scale, zero - tensor.raised, 0, 0, tensor.raised)

    def _table(self, name: str, source: Tensor, entries: np.ndarray, form: Form, unsigned: bool) -> Tensor:
        requant = Requant.identity(source.shape[2], *(UNSIGNED if unsigned else SIGNED))
        weight = (entries & 255).astype(np.uint8).view(np.int8)
        return self._add(name, rows.TABLE, (source,), requant, source.shape, form, weight=weight)

    def _move(
        self, name: str, op: str, tensors: tuple[Tensor, ...], shape: Shape, like: Tensor | None = None, **fields: Any  # noqa: ANN401
    ) -> Tensor:  # fmt: skip
        """A node whose integers are those of its input."""
        like = like or tensors[0]
        channels = min(shape[2], LARGEST)  # more are refused below
        requant = Requant.identity(channels, *(SIGNED if like.lo < 0 else UNSIGNED))
        form = replace(self._form_of(tensors[0]), raised=like.raised)
        made = self._add(name, op, tensors, requant, shape, form, **fields)
        return replace(made, lo=like.lo, hi=like.hi)

    def _add_sum(self, name: str, total: Sum, requant: Requant, form: Form) -> Tensor:
        """With the zero points of the inputs in the offset, and the weights as the graph stores them."""
        fields, weight = dict(total.fields), total.weight
        if weight is not None:
            row = weight.reshape(len(weight), -1).sum(1)
            fields |= {"weight": weight.astype(np.int8), "weight_bits": total.bits}
        else:
            row = np.full(total.shape[2], math.prod(total.tensors[0].shape[:2]) if total.op == rows.SUM_POOL else 1)
        if total.op not in (rows.RESCALED_ADD, rows.MUL, rows.ADD):
            requant = replace(requant, offset=forms.moved_offset(total, requant.offset, total.zeros[0] * row))
        if fields.get("pad", (0, 0, 0, 0)) != (0, 0, 0, 0):
            fields["pad_value"] = total.zeros[0]
        return self._add(name, total.op, total.tensors, requant, total.shape, form, **fields)

    def _add(
        self, name: str, op: str, tensors: tuple[Tensor, ...], requant: Requant, shape: Shape, form: Form, **fields: Any  # noqa: ANN401
    ) -> Tensor:  # fmt: skip
        if math.prod(shape) > LARGEST:
            raise TargetError(f"{name}: tensors should have at most {LARGEST} numbers", got=f"{shape}")
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
