"""The numbers that TFLite's kernels prepare from float32 scales: multipliers, shifts and ranges of activations.

Source: TensorFlow Lite's quantization_util and kernel_util, whose results the tests compare.
"""

from __future__ import annotations

import math

import numpy as np

from edgekws.graph.fixed_point import multiplier

__all__ = ["ACTIVATIONS", "activation_range", "multiplier", "multipliers", "quantized"]

ACTIVATIONS = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""NONE, RELU, RELU_N1_TO_1 and RELU6: lowest and highest real value."""


def multipliers(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `multiplier`, of each: int64 [c], int64 [c]."""
    pairs = [multiplier(float(each)) for each in real]
    return np.array([mult for mult, _ in pairs], np.int64), np.array([shift for _, shift in pairs], np.int64)


def quantized(value: float, scale: np.float32, zero: int) -> int:
    """The integer of a real value, not clipped; float32 division, halves away from zero."""
    ratio = float(np.float32(value) / scale)
    return zero + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio)) if math.isfinite(ratio) else zero


def activation_range(activation: int, scale: np.float32, zero: int) -> tuple[int, int]:
    """The lowest and highest int8 that a fused activation leaves."""
    low, high = ACTIVATIONS[activation]
    lo = -128 if low is None else max(-128, quantized(low, scale, zero))
    hi = 127 if high is None else min(127, quantized(high, scale, zero))
    return lo, hi
