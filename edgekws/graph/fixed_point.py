"""The fixed-point form that TFLite (quantization_util) gives real multipliers, for reading and writing its files."""

from __future__ import annotations

import math

from edgekws.graph.sums import FRACTION_BITS


def multiplier(real: float) -> tuple[int, int]:
    """(mult, shift): real is near mult / 2^31 / 2^shift, mult within 2^30..2^31-1; (0, 0) for one that is too small."""
    fraction, exponent = math.frexp(real)
    mult = math.floor(fraction * (1 << FRACTION_BITS) + 0.5)
    if mult == 1 << FRACTION_BITS:
        mult, exponent = mult // 2, exponent + 1
    if exponent < -31:
        return 0, 0
    return ((1 << FRACTION_BITS) - 1, -30) if exponent > 30 else (mult, -exponent)
