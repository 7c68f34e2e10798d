"""Floor written as round: the same integers for formats that can only round to nearest.

A node means `y = clip(floor(z / 2**n), lo, hi)` with the integer z = acc + offset. TFLite and
QuantizeLinear compute `round((x . weight + bias) * 2**-shift)` instead, and their kernels disagree
only where that value is a tie (exactly half way between two integers). Two rewritings:

doubled   weight 2w, bias 2*offset - 2**n + 1, shift n + 1
          (2z - 2**n + 1) / 2**(n+1) lies strictly within a half of floor(z / 2**n): its numerator is
          odd, so no tie exists and every way of rounding gives the floor. Needs |w| <= 63.
plain     weight w, bias offset - 2**(n-1), shift n
          a tie at every multiple of 2**n, which must be rounded up. Kernels that round halves away
          from zero do so for positive values; negative ones therefore are raised above zero.

For n = 0 nothing is rounded and both are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.ir import Node, accumulator_bounds

DOUBLED_LIMIT = 63
"""Largest |weight| whose double still is an int8 within -127..127."""
RAISE = 128
"""How far signed outputs are raised, so that none is negative."""
SPAN_LOG2 = 8
"""Every output range spans 2**8 integers, so values of 2**8 and more always clip."""


@dataclass(frozen=True)
class RoundForm:
    """`clip(round((x . weight + bias) * 2**-shift) - raised, lo, hi)` with x raised by `raised_input`.

    weight: int8 [c_out, k_h, k_w, c_in], or [c, k_h, k_w] for one filter per channel.
    bias, shift: int64 [c_out]; doubled, tie_free: bool [c_out].
    raised: how far the output is raised in the format, 0 or RAISE.
    """

    weight: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    doubled: np.ndarray
    raised: int

    @property
    def tie_free(self) -> np.ndarray:
        is_free: np.ndarray = self.doubled | (self.shift == 0)
        return is_free


def kernel(node: Node) -> np.ndarray:
    """The weights of any node as those of a convolution (int64): [c_out, k_h, k_w, c_in] or [c, k_h, k_w]."""
    height, width, channels = node.in_shape
    if node.weight is None:
        return np.ones((channels, height, width) if node.operation.reach == "all" else (channels, 1, 1), np.int64)
    weight = node.weight.astype(np.int64)
    return weight.reshape(-1, height, width, channels) if node.operation.is_dense else weight


def can_double(weight: np.ndarray) -> np.ndarray:
    """bool [c_out]: the channels whose doubled weights still fit int8."""
    fits: np.ndarray = np.abs(weight.reshape(len(weight), -1)).max(1) <= DOUBLED_LIMIT
    return fits


def round_form(node: Node, raised_input: int = 0) -> RoundForm:
    """Rewrite one node, doubling every channel that allows it.

    raised_input: how far the input of this node is raised in the format; 0 for padded nodes.
    Raises TargetError where no exact form is known.
    """
    weight, shift = kernel(node), _floor_shift(node)
    offset = node.requant.offset.astype(np.int64) - raised_input * weight.reshape(len(weight), -1).sum(1)
    doubled = can_double(weight)
    raised = RAISE if node.requant.lo < 0 and not (doubled | (shift == 0)).all() else 0
    centre = offset + (raised << shift)
    factor = 1 + doubled
    bias = np.where(doubled, 2 * centre - (1 << shift) + 1, centre - ((1 << shift) >> 1))
    scaled = (weight * factor.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
    return RoundForm(scaled, bias, shift + doubled, doubled, raised)


def check_bounds(node: Node, form: RoundForm, lo: int, hi: int, exact_log2: int) -> None:
    """Raise TargetError unless `form` fits int32 and every value that does not clip is below 2**exact_log2.

    lo, hi: range of the input as the format sees it. All ways of rounding are monotone and a value of
    2**(shift + SPAN_LOG2) clips, so larger accumulators need no exactness.
    """
    low, high = accumulator_bounds(_as_node(node, form), lo, hi)
    worst = np.maximum(np.abs(low), np.abs(high))
    if worst.max() >= 1 << 31 or np.abs(form.bias).max() >= 1 << 31:
        raise TargetError(
            f"{node.name}: the rewritten accumulator must fit 32 bits",
            got=f"{int(max(worst.max(), np.abs(form.bias).max()))} is possible",
            hint="reduce the weights or the offset of this layer",
        )
    largest = np.minimum(worst, np.int64(1) << (form.shift + SPAN_LOG2))
    if largest.max() > 1 << exact_log2:
        channel = int(largest.argmax())
        raise TargetError(
            f"{node.name}: accumulators that do not clip must stay within 2^{exact_log2} to be rounded exactly",
            got=f"{int(largest[channel])} is possible in channel {channel} (shift {int(form.shift[channel])})",
            hint="use a smaller shift or smaller weights in this layer",
        )


def _as_node(node: Node, form: RoundForm) -> Node:
    return replace(node, weight=form.weight, requant=replace(node.requant, offset=form.bias))


def _floor_shift(node: Node) -> np.ndarray:
    """n of floor(z / 2**n), int64 [c]. Raises TargetError unless mult / 2**shift is 2**-n."""
    mult, shift = node.requant.mult.astype(np.int64), node.requant.shift.astype(np.int64)
    power = np.round(np.log2(mult)).astype(np.int64)
    wrong = np.flatnonzero((1 << power != mult) | (power > shift))
    if wrong.size:
        channel = int(wrong[0])
        raise TargetError(
            f"{node.name}: this format expresses the floor exactly only for a scale of 2^-n, n >= 0",
            got=f"{int(mult[channel])} / 2^{int(shift[channel])} in channel {channel}",
            hint="quantize this layer to 8-bit weights (multiplier 1), or export onnx_tinpu or c",
        )
    return shift - power
