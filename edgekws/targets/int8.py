"""The rule of TFLite's int8 kernels and of CMSIS-NN: 32-bit fixed-point multipliers, rounded.

r[c] = s_in * s_w[c] / s_out is mult / 2^31 / 2^shift with 31 significant bits, so no scale is restricted.
Sources: TensorFlow Lite 8-bit quantization specification; gemmlowp's fixed-point arithmetic.

Cycles of the Cortex-M device are those of CMSIS-NN on a DS-CNN, counted as instructions under an emulator
and weighted by a model of the core that agrees with silicon within a quarter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgekws.graph.ir import FIXED_POINT_BITS, Graph, Node, Rule
from edgekws.targets import _estimate
from edgekws.targets._device import CORTEX_M4, Device, Figure

NAME = "int8"
RULE: Rule = "fixed-point"
WEIGHT_BITS: tuple[int, ...] = (8, 4)
MAX_SHIFT = 31
MAX_FACTOR = 0.999
ACCELERATOR = "CPU"

DEVICES = {
    "cortex-m": Device(
        "cortex-m",
        "any Cortex-M with DSP instructions (M4, M33), no limits",
        cpu=CORTEX_M4,
        clock_hz=Figure(100e6, "assumed: cycles are the figure to compare by"),
    ),
}


def weight_limit(bits: int, headroom_bits: int) -> int:  # noqa: ARG001  (rounding is the hardware's own)
    """The largest weight integer."""
    return (1 << (bits - 1)) - 1


def quantize_multiplier(factor: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001
    """(mult, shift), int64 [c]: the fixed-point number below 1 that is nearest to `factor` (float64 [c], > 0)."""
    fraction, exponent = np.frexp(np.minimum(factor, 1 - 2.0**-FIXED_POINT_BITS))
    mult = np.asarray(np.round(np.ldexp(fraction, FIXED_POINT_BITS)), np.int64)
    carried = mult == 1 << FIXED_POINT_BITS
    shift = np.asarray(-(exponent + carried), np.int64)
    return np.where(carried, mult >> 1, mult), np.clip(shift, 0, MAX_SHIFT)


def offset_limit(bits: int) -> int:  # noqa: ARG001
    """The largest magnitude of an offset: biases have 32 bits."""
    return (1 << 31) - 1


def pool_factor(area: int) -> float:
    """What the sum over `area` positions is multiplied by: a mean."""
    return 1 / area


def legal(node: Node, graph: Graph | None = None) -> str | None:  # noqa: ARG001  (no rule on neighbours)
    """None, or the rule that `node` breaks, with the number."""
    if node.weight_bits not in WEIGHT_BITS:
        return f"weight-bits: weights of 8 or 4 bits, not {node.weight_bits}"
    if not node.requant.is_fixed_point and not node.requant.is_identity:
        return f"rounding: requantization is {RULE} or fixed-point-once, not {node.requant.rule}"
    return None


def cycles(node: Node, device: Device) -> float:
    """Estimated CPU cycles; narrow weights are unpacked once, which is left out (about 1 %)."""
    return _estimate.cpu_cycles(node, device.cpu)


if TYPE_CHECKING:
    from edgekws.targets import Target, int8  # noqa: PLW0406

    _: Target = int8  # this module implements the Target protocol
