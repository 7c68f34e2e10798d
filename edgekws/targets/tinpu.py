"""The TI NPU's rule (TINPU: F28P55x, MSPM0G5187, AM13E2): offset, scale, shift, floor.

At 8-bit weights the multiplier is 1, so that only the ratio of scales matters:

    s_in * s_w[c] / s_out = 2 ** -shift[c]

The activation scales are therefore free (TI's own tool rounds them up to powers of two and loses
up to a bit); the weight scale of each channel is 2 ** -shift * s_out / s_in, the finest that holds
the channel's largest weight. Sources: TI neural network compiler guide 2.1 (layer patterns,
24-bit offset, 5-bit shift) and the layer rules of TI's NPU guidelines.
"""

from __future__ import annotations

import numpy as np

from edgekws.graph.ir import Node

NAME = "tinpu"
MAX_SHIFT = 31
OFFSET_BITS = 24


def weight_limit(bits: int, headroom_bits: int) -> int:
    """The largest weight integer; each bit of headroom halves it."""
    return (1 << (bits - 1 - headroom_bits)) - 1


def finest_shift(largest: np.ndarray, s_in: float, s_out: float, limit: int) -> np.ndarray:
    """The largest shift per channel, int [c], at which a weight of `largest` (real, [c]) is at most `limit`.

    Dead channels (largest = 0) get the shift of the layer's largest weight.
    """
    alive = np.where(largest > 0, largest, largest.max(initial=0) or 1.0)
    shift = np.floor(np.log2(limit * s_out / (s_in * alive))).astype(int)
    return np.asarray(np.clip(shift, 1, MAX_SHIFT))


def weight_scale(shift: np.ndarray, s_in: float, s_out: float) -> np.ndarray:
    """Real value of one weight step, float64 [c]."""
    return np.asarray(np.ldexp(s_out / s_in, -np.asarray(shift)))


def pool_shift(area: int) -> int:
    """The shift of a mean over `area` positions: the sum cannot saturate, the next layer takes up the rest.

    TI's exporter divides by the power of two below the area, 64 for 125, which doubles the mean and
    saturates; dividing by the one above keeps every value, and out_scale = s_in * 2**shift / area is exact.
    """
    return max(1, (area - 1).bit_length())


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
