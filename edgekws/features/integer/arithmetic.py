"""Products, magnitudes and logarithms of the fixed-point front end.

One multiplication serves all stages: floor(a * c / 2^16), a int32 and c int16. It is one instruction on Armv7E-M
(SMULWB, Arm DDI 0403E.e, A7.7.150), and exact on every other core: the upper half of a 32 x 32 bit product with
c << 16 (MVE VMULH, RISC-V MULH), or two 16-bit products. Nothing saturates and nothing rounds to nearest, because
cores differ in both.
"""

from __future__ import annotations

import numpy as np

SQRT_SHIFT, LOG_BITS = 24, 6
_FRACTION, _REST_BITS = 0xFFFF, 16 - LOG_BITS


def q15(values: np.ndarray) -> np.ndarray:
    """Real -1..1 -> int16 in 1/32768, halves to even; 1.0 becomes 32767."""
    return np.asarray(np.clip(np.rint(np.asarray(values) * 32768.0), -32767, 32767), np.int16)


SQRT = np.rint(np.sqrt(np.arange(129) * float(1 << SQRT_SHIFT))).astype(np.int32)
"""sqrt(i * 2^24), int32 [129]; entries 16 to 128 are read, and entry 0 for a bin that is 0."""
_STEPS = np.arange((1 << LOG_BITS) + 1) / (1 << LOG_BITS)
LOG = np.rint(65536 * (np.log2(1 + _STEPS) - _STEPS)).astype(np.int32)
"""log2(1 + t) - t at t = i / 64, in 1/65536, int32 [65]; below 2^13."""


def mul(a: np.ndarray, c: np.ndarray) -> np.ndarray:
    """floor(a * c / 2^16): int32 x int16 (shapes broadcast) -> int32."""
    return np.asarray(np.multiply(a, c, dtype=np.int64) >> 16, np.int32)


def bits(values: np.ndarray) -> np.ndarray:
    """Bits of each value >= 0, int32: 0 for 0, 31 for 2^30 to 2^31 - 1; 32 less the leading zeros of a core's CLZ."""
    return np.asarray(np.frexp(values.astype(np.float64))[1], np.int32)


def ones_magnitude(values: np.ndarray) -> np.ndarray:
    """v where v >= 0, -v - 1 where v < 0: the magnitude that one exclusive or gives, which cannot overflow."""
    return np.asarray(values ^ (values >> (8 * values.itemsize - 1)))


def magnitude(real: np.ndarray, imaginary: np.ndarray, guard: int) -> np.ndarray:
    """floor(sqrt(re^2 + im^2) / 2^(1 + guard)), to 1.3e-4 of the value or 2 units; int32 of any shape, guard 0 to 8.

    Both parts are shifted left until the larger fills 31 bits, and their upper halves squared; the root of the sum,
    2^28 to 2^31, is read from SQRT with linear interpolation.
    """
    real, imaginary = ones_magnitude(real), ones_magnitude(imaginary)
    left = 31 - np.maximum(bits(real | imaginary), 1)
    a, b = (real << left) >> 16, (imaginary << left) >> 16
    square = a * a + b * b
    at, fraction = square >> SQRT_SHIFT, (square >> (SQRT_SHIFT - 16)) & _FRACTION
    root = (SQRT[at] << (15 - guard)) + ((SQRT[at + 1] - SQRT[at]) * fraction >> (1 + guard))
    return np.asarray(root >> left, np.int32)


def log2(values: np.ndarray) -> np.ndarray:
    """log2 of int32 values 1 to 2^31 - 1 in 1/65536, int32; below the true value by at most 4 units.

    Linear between 65 entries; the fraction is that of the leading bit.
    """
    exponent = bits(values) - 1
    fraction = ((values.astype(np.int64) << 16 >> exponent) & _FRACTION).astype(np.int32)
    at, rest = fraction >> _REST_BITS, fraction & ((1 << _REST_BITS) - 1)
    curve = LOG[at] + ((LOG[at + 1] - LOG[at]) * rest >> _REST_BITS)
    return np.asarray((exponent << 16) + fraction + curve, np.int32)
