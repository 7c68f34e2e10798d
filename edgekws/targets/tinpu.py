"""The TI NPU's rule (TINPU: F28P55x, MSPM0G5187, AM13E2): offset, scale, shift, floor.

With r[c] = s_in * s_w[c] / s_out the hardware computes r as mult / 2^shift: mult is 1 for 8-bit weights, so that
r is a power of two, and an unsigned 8-bit number for 4- and 2-bit weights. Only this ratio is bound to a
grid. The activation scales are free (TI's own tool rounds them up to powers of two at 8 bits and loses up
to a bit); the weight scale of each channel is r * s_out / s_in with the r that the hardware computes.
Sources: TI neural network compiler guide 2.1 (layer patterns, offsets of 24 and 16 bits, 5-bit shift)
and the layer rules of TI's NPU guidelines.
"""

from __future__ import annotations

import numpy as np

from edgekws.graph.ir import Node, Rule

NAME = "tinpu"
RULE: Rule = "offset-scale-shift"
WEIGHT_BITS = (8, 4, 2)
MAX_SHIFT = 31
OFFSET_BITS = 24
EXACT_SHIFT = 16
"""Products beyond 2^24 are not exact in float32, but clip for certain when shifted by no more than this."""
_MULT_BITS = 7
"""Multipliers start with 7 of their 8 bits, so that training can double a scale."""


def weight_limit(bits: int, headroom_bits: int) -> int:
    """The largest weight integer. A bit of headroom halves it, at 8 bits only."""
    return (1 << (bits - 1 - (headroom_bits if bits == 8 else 0))) - 1


def stage(factor: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(mult, shift), int64 [c]: how the hardware multiplies by `factor` (float64 [c], 0 < factor <= 1).

    At 8 bits the power of two that is not below `factor`, so that no weight leaves its range; at 4 and 2
    bits the nearest fraction.
    """
    exponent = np.ceil(np.log2(factor)).astype(np.int64)
    if bits == 8:
        return np.ones_like(exponent), np.clip(-exponent, 0, MAX_SHIFT)
    shift = np.clip(_MULT_BITS - exponent, 0, EXACT_SHIFT)
    return np.clip(np.round(np.ldexp(factor, shift)), 1, 255).astype(np.int64), shift


def pool_factor(area: int) -> float:
    """What the sum over `area` positions is multiplied by; the next layer takes up the rest.

    TI's exporter divides by the power of two below the area, 64 for 125, which doubles the mean and
    saturates; dividing by the one above keeps every value, and out_scale = s_in / (area * factor) is exact.
    """
    return float(2.0 ** -(area - 1).bit_length())


def legal(node: Node) -> str | None:
    """None, or the rule of the NPU that `node` breaks, with the number."""
    for rule in (_stage_rule, _channel_rule, _kernel_rule):
        reason = rule(node)
        if reason:
            return reason
    return None


def _stage_rule(node: Node) -> str | None:
    worst = int(np.abs(node.requant.offset.astype(np.int64)).max())
    if worst >= 1 << (OFFSET_BITS - 1):
        return f"offset-width: offsets are signed {OFFSET_BITS} bit, {worst} is not"
    if int(node.requant.shift.max()) > MAX_SHIFT:
        return f"shift-width: shifts are 5 bit, {int(node.requant.shift.max())} is not"
    if node.weight_bits == 8 and node.op != "global_sum_pool" and np.any(node.requant.mult != 1):
        return "unit-multiplier: layers of 8-bit weights have multiplier 1"
    return None


def _channel_rule(node: Node) -> str | None:
    if node.op == "linear":
        inputs = node.in_shape[0] * node.in_shape[1] * node.in_shape[2]
        return None if inputs >= 16 else f"linear-inputs: at least 16 inputs, not {inputs}"
    c_in, c_out = node.in_shape[2], node.out_shape[2]
    if c_out % 4:
        return f"channels: multiples of 4, not {c_out}"
    if node.op == "conv2d" and c_in != 1 and c_in % 4:
        return f"channels: 1 or a multiple of 4 inputs, not {c_in}"
    return None


def _kernel_rule(node: Node) -> str | None:
    if node.op == "global_sum_pool":
        area = node.in_shape[0] * node.in_shape[1]
        return None if area > 2 else f"pool-area: more than 2 positions, not {area}"
    if node.weight is None or node.op == "linear":
        return None
    k_h, k_w = node.weight.shape[1:3]
    if node.op == "depthwise_conv2d":
        return None if k_w <= 7 else f"depthwise-width: kernels at most 7 wide, not {k_w}"
    if node.in_shape[2] == 1:
        return None if k_w <= 8 else f"first-width: kernels at most 8 wide, not {k_w}"
    if (k_h, k_w) == (1, 1):
        return None if node.stride == (1, 1) else f"pointwise-stride: stride 1, not {node.stride}"
    return None if k_h <= 7 or k_w == 1 else f"kernel-height: at most 7 rows, not {k_h}"
