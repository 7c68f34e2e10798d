"""The TI NPU's rule (TINPU: F28P55x, MSPM0G5187, AM13E2): offset, scale, shift, floor.

With r[c] = s_in * s_w[c] / s_out the hardware computes r as mult / 2^shift: mult is 1 for 8-bit weights, so that
r is a power of two, and an unsigned 8-bit number for 4- and 2-bit weights. Only this ratio is
restricted. The activation scales are free (TI's own tool rounds them up to powers of two at 8 bits and loses up
to a bit); the weight scale of each channel is r * s_out / s_in with the r that the hardware computes.
Sources: TI neural network compiler guide 2.1 (layer patterns, offsets of 24 and 16 bits, 5-bit shift)
and the layer rules of TI's NPU guidelines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgekws.graph.ir import Graph, Node, Rule
from edgekws.targets import _estimate
from edgekws.targets._device import Device
from edgekws.targets.tinpu import devices, rules

NAME = "tinpu"
RULE: Rule = "offset-scale-shift"
WEIGHT_BITS = rules.WEIGHT_BITS
DEVICES = devices.DEVICES
ACCELERATOR = "NPU"
MAX_SHIFT = rules.MAX_SHIFT
MAX_FACTOR = 255.0
EXACT_SHIFT = 16
"""Products beyond 2^24 are not exact in float32, but always clip when shifted by no more than this."""
_MULT_BITS = 7
"""Multipliers start with 7 of their 8 bits, so that training can double a scale."""


def weight_limit(bits: int, headroom_bits: int) -> int:
    """The largest weight integer. A bit of headroom halves it, at 8 bits only."""
    return (1 << (bits - 1 - (headroom_bits if bits == 8 else 0))) - 1


def quantize_multiplier(factor: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(mult, shift), int64 [c]: the hardware's form of `factor` (float64 [c], > 0), or of the largest that it can.

    At 8 bits the power of two that is not below `factor`, so that no weight leaves its range; at 4 and 2
    bits the nearest fraction.
    """
    exponent = np.ceil(np.log2(factor)).astype(np.int64)
    if bits == 8:
        return np.ones_like(exponent), np.clip(-exponent, 0, MAX_SHIFT)
    shift = np.clip(_MULT_BITS - exponent, 0, EXACT_SHIFT)
    return np.clip(np.round(np.ldexp(factor, shift)), 1, 255).astype(np.int64), shift


def offset_limit(bits: int) -> int:
    """The largest magnitude of an offset of a layer whose weights have so many bits."""
    return (1 << (rules.OFFSET_BITS[bits] - 1)) - 1


def pool_factor(area: int) -> float:
    """What the sum over `area` positions is multiplied by; the next layer takes up the rest.

    TI's exporter divides by the power of two below the area, 64 for 125, which doubles the mean and
    saturates; dividing by the one above keeps every value, and out_scale = s_in / (area * factor) is exact.
    """
    return float(2.0 ** -(area - 1).bit_length())


def legal(node: Node, graph: Graph | None = None) -> str | None:
    """None, or the rule of the NPU that `node` breaks, with the number; `rules` lists them.

    graph: also check the inputs of a residual addition.
    """
    return rules.broken(node) or (rules.illegal_input(node, graph) if graph else None)


def cycles(node: Node, device: Device) -> float:
    """Estimated CPU clock cycles: on the NPU, or on the CPU for a node that is not legal."""
    if device.npu is None or legal(node):
        return _estimate.cpu_cycles(node, device.cpu)
    return _estimate.npu_cycles(node, device.npu)


if TYPE_CHECKING:
    from edgekws.targets import Target, tinpu

    _: Target = tinpu  # this module implements the Target protocol
