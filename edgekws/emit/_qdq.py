"""How one layer is written with QuantizeLinear, and whether float32 is exact then; `onnx_qdq` explains the forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from edgekws.emit._rounding import can_double, kernel
from edgekws.errors import TargetError
from edgekws.graph.ir import SIGNED, Node, accumulator_bounds
from edgekws.graph.ops import OPS

EXACT = 1 << 24
"""float32 holds every integer up to here."""


class Form(Enum):
    """The forms of a layer; the values are those in the metadata."""

    INSIDE = "bias-inside"
    OUTSIDE = "bias-outside"
    FLOOR = "floor"
    STANDARD = "standard"
    UNSCALED = "unscaled"


@dataclass(frozen=True)
class Layer:
    """weight: int64 [c_out, k_h, k_w, c_in] or [c, k_h, k_w], as stored. weight_scale, bias_scale: float64 [c_out].

    The real value is `(x . weight * weight_scale + bias * bias_scale)` steps of the output, with x in steps of
    the input; bias: int64 [c_out]. stored: the ONNX type of the weights. exact: shown to equal the graph.
    in_zero: the zero point of the input, which the offset and pad_value of `node` here are relative to; lowest: the
    lowest integer of the input above it.
    """

    node: Node
    form: Form
    exact: bool
    weight: np.ndarray
    weight_scale: np.ndarray
    bias: np.ndarray
    bias_scale: np.ndarray
    stored: str = "INT8"
    in_zero: int = 0
    lowest: int = 0


def stored_type(node: Node) -> str:
    """The narrowest ONNX type that holds the weights of `node` and is known to the installed onnx."""
    from onnx import TensorProto

    known = "INT2" if hasattr(TensorProto, "INT2") else "INT4"
    return {8: "INT8", 4: "INT4", 2: known}[node.weight_bits]


def require_form(node: Node, kind: str) -> None:
    """Raises TargetError for ops that are neither a convolution of their one input nor between QuantizeLinear."""
    known = [name for name, row in OPS.items() if row.is_basic or row.reach == "moved"]
    if node.op not in known:
        expected = f"{node.name}: {kind} should have a form of {node.op}"
        raise TargetError(expected, got="none", hint=f"export onnx-integer; {kind} expresses {', '.join(known)}")


def stored_below(node: Node) -> int:
    """How far the stored int8 is below the integer of the graph."""
    return 128 if node.requant.hi > SIGNED[1] else 0


def zero_after(node: Node, zeros: Sequence[int]) -> int:
    """The integer that is real zero in the output. zeros: those of the inputs. Raises TargetError if they differ."""
    if node.operation.is_scaled:
        return node.requant.zero
    if node.operation.sums and node.operation.reach == "position":
        return sum(zeros)
    if len(set(zeros)) > 1:
        hint = "export onnx-integer"
        raise TargetError(f"{node.name}: inputs should have one zero point", got=str(list(zeros)), hint=hint)
    return zeros[0]


def stored_zero(node: Node, zero: int) -> int:
    """The zero point in the file. Raises TargetError where int8 does not hold it."""
    stored = zero - stored_below(node)
    if not SIGNED[0] <= stored <= SIGNED[1]:
        hint = "export onnx-integer"
        raise TargetError(f"{node.name}: the zero point should be an int8", got=str(stored), hint=hint)
    return stored


def _centred(node: Node, zero: int) -> Node:
    """The node of inputs less their zero point. Raises TargetError for an offset beyond int32."""
    if not node.operation.is_scaled:
        return replace(node, pad_value=node.pad_value - zero)
    weight = kernel(node)
    offset = node.requant.offset + zero * weight.reshape(len(weight), -1).sum(1)
    if int(np.abs(offset).max()) >= 1 << 31:
        expected = f"{node.name}: the offset of inputs less their zero point must fit 32 bits"
        raise TargetError(expected, got=str(int(np.abs(offset).max())), hint="export onnx-integer")
    requant = replace(node.requant, offset=offset.astype(np.int32))
    return replace(node, requant=requant, pad_value=node.pad_value - zero if any(node.pad) else 0)


def form_of(node: Node, bounds: tuple[int, int], zero: int = 0) -> Layer:
    """The best form for `node`; bounds: lowest and highest integer of its inputs, zero: that which is real zero.

    Raises TargetError for a bias beyond int32.
    """
    bounds = bounds[0] - zero, bounds[1] - zero
    layer = _form_of(_centred(node, zero) if zero else node, bounds)
    return replace(layer, in_zero=zero, lowest=bounds[0])


def _form_of(node: Node, bounds: tuple[int, int]) -> Layer:
    if not node.operation.is_scaled:
        nothing = np.zeros(0, np.int64)
        return Layer(node, Form.UNSCALED, True, nothing, nothing, nothing, nothing)
    if node.requant.is_fixed_point:
        return _standard(node)
    half_steps = _half_steps(node)
    if _exact_in_any_order(half_steps, bounds):
        return half_steps
    if _exact_floor(node, bounds):
        return _floor(node)
    worst = int(np.abs(half_steps.bias).max())
    if worst >= 1 << 31:
        expected = f"{node.name}: the bias in half steps must fit 32 bits"
        raise TargetError(
            expected, got=f"{worst} is possible", hint="use smaller offsets in this layer, or export onnx-integer"
        )
    return replace(half_steps, exact=False)


def _standard(node: Node) -> Layer:
    """One rounding instead of two: with f = mult / 2^31, a positive value is raised by 1 / (2f), 0.5 to 1, steps."""
    requant = node.requant
    is_raised = requant.rule == "fixed-point" and requant.lo >= requant.zero
    bias = requant.offset.astype(np.int64) + ((requant.shift > 0) & is_raised)
    return Layer(node, Form.STANDARD, False, kernel(node), requant.factor, bias, requant.factor, stored_type(node))


def _half_steps(node: Node) -> Layer:
    """round((2m acc + bias) / 2^(n+1)) with an odd bias, or with n = 0."""
    weight, mult, shift = kernel(node), *_reduced(node)
    bias = 2 * mult * node.requant.offset.astype(np.int64) - (1 << shift) + 1
    inside = bool((mult == 1).all() and can_double(weight).all()) and node.weight_bits == 8
    weight_scale, half = np.ldexp(mult.astype(np.float64), -shift - inside), np.ldexp(1.0, -shift - 1)
    form = Form.INSIDE if inside else Form.OUTSIDE
    return Layer(node, form, True, weight << int(inside), weight_scale, bias, half, stored_type(node))


def _reduced(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """mult and shift, int64 [c], without the factors of two that they share."""
    mult, shift = node.requant.mult.astype(np.int64), node.requant.shift.astype(np.int64)
    twos = np.minimum(np.log2(mult & -mult).astype(np.int64), shift)
    return mult >> twos, shift - twos


def _exact_in_any_order(layer: Layer, bounds: tuple[int, int]) -> bool:
    """Whether every partial sum, in half steps of the product, is an integer that float32 holds."""
    mult, _ = _reduced(layer.node)
    doubled = 2 * kernel(layer.node) * mult.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return int(_magnitude(layer.node, doubled, layer.bias, bounds).max()) <= EXACT


def _exact_floor(node: Node, bounds: tuple[int, int]) -> bool:
    """Whether acc and offset are exact in float32, and every product beyond it clips (`onnx_tinpu` has the proof)."""
    requant, weight = node.requant, kernel(node)
    offset, mult = requant.offset.astype(np.int64), requant.mult.astype(np.int64)
    sums = _magnitude(node, weight, np.zeros_like(offset), bounds)
    products = _magnitude(node, weight, offset, bounds) * mult
    clips = (EXACT >> requant.shift.astype(np.int64)) >= max(requant.hi, -requant.lo)
    held = offset.astype(np.float32).astype(np.int64) == offset
    return bool(((sums <= EXACT) & held & ((products <= EXACT) | clips)).all())


def _magnitude(node: Node, weight: np.ndarray, offset: np.ndarray, bounds: tuple[int, int]) -> np.ndarray:
    low, high = accumulator_bounds(replace(node, weight=weight, requant=replace(node.requant, offset=offset)), *bounds)
    magnitude: np.ndarray = np.maximum(np.abs(low), np.abs(high))
    return magnitude


def _floor(node: Node) -> Layer:
    """acc in steps of one: neither scale nor bias at Conv."""
    ones = np.ones(len(node.requant.offset))
    return Layer(node, Form.FLOOR, True, kernel(node), ones, np.zeros(len(ones), np.int64), ones, stored_type(node))
