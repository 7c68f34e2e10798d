"""The exponential and the softmax of int8 scores in fixed point, with the integers of TFLite's reference kernel.

Formats are written Qi.f: i integer bits, f fraction bits, one sign bit. The exponential of a negative Q5.26 number is a
Taylor polynomial on the last quarter, times e^(-2^k) for each higher bit; the reciprocal is three Newton steps. Source:
gemmlowp's fixedpoint.h, which TFLite's quantized SOFTMAX uses.
"""

from __future__ import annotations

import numpy as np

from edgekws.graph.attributes import Operand

_INTEGER_BITS = 5
ONE = (1 << 31) - 1
"""1.0 in Q0.31, saturated."""
_EXP_OF_MINUS_EIGHTH, _THIRD = 1_895_147_668, 715_827_883
_EXP_OF_POWERS = {
    -2: 1_672_461_947,
    -1: 1_302_514_674,
    0: 790_015_084,
    1: 290_630_308,
    2: 39_332_535,
    3: 720_401,
    4: 242,
}
"""k: e^(-2^k) in Q0.31."""
SUM_INTEGER_BITS = 12
RECIPROCAL_LINE, NEWTON_STEPS = (1_515_870_810, 1_010_580_540), 3
"""48 / 17 and 32 / 17 in Q2.29: 48 / 17 - 32 / 17 * x is the line nearest to 1 / x for x within 1/2..1."""
OUT_BITS = 8


def exponentials(operand: Operand) -> np.ndarray:
    """e^(-d * scale) in Q0.31 for d = 0..255 steps below the largest score, int64 [256]. 0 beyond the range of Q5.26.

    operand: mult and shift scale a step to Q5.26; the shift is negative or 0.
    """
    steps = np.arange(256, dtype=np.int64)
    radius = ((1 << _INTEGER_BITS) - 1) * 2.0 ** (31 - _INTEGER_BITS + operand.shift)
    inside = steps <= int(radius)
    scaled = _product(-np.where(inside, steps, 0) << -operand.shift, np.int64(operand.mult))
    return np.where(inside, _exp(scaled), 0)


def softmax(x: np.ndarray, operand: Operand) -> np.ndarray:
    """x int [n, height, width, channels] -> int64 of its shape, -128..127: probabilities in steps of 1/256."""
    terms = exponentials(operand)[x.max(axis=3, keepdims=True) - x]
    total = divided(terms, SUM_INTEGER_BITS).sum(axis=3, keepdims=True)
    zeros = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    scale = _reciprocal((total << zeros) - (np.int64(1) << 31))
    places = SUM_INTEGER_BITS - zeros + 31 - OUT_BITS
    return np.asarray(np.clip(divided(_product(terms, scale), places) - 128, -128, 127))


def _exp(x: np.ndarray) -> np.ndarray:
    """x <= 0 in Q5.26 -> Q0.31."""
    quarter = np.int64(1) << (31 - _INTEGER_BITS - 2)
    last = (x & (quarter - 1)) - quarter
    y, rest = _exp_of_quarter(last << _INTEGER_BITS), last - x
    for power, factor in _EXP_OF_POWERS.items():
        bit = np.int64(1) << (31 - _INTEGER_BITS + power)
        y = np.where(rest & bit, _product(y, np.int64(factor)), y)
    return np.where(x == 0, ONE, y)


def _exp_of_quarter(x: np.ndarray) -> np.ndarray:
    """x within [-1/4, 0) in Q0.31 -> Q0.31, around -1/8."""
    d = x + (1 << 28)
    d2 = _product(d, d)
    d3, d4 = _product(d2, d), _product(d2, d2)
    rest = divided(_product(divided(d4, 2) + d3, np.int64(_THIRD)) + d2, 1)
    factor = np.int64(_EXP_OF_MINUS_EIGHTH)
    return np.asarray(factor + _product(d + rest, factor))


def _reciprocal(x: np.ndarray) -> np.ndarray:
    """1 / (1 + x) for x within [0, 1) in Q0.31."""
    half = np.asarray((x + ONE + 1) >> 1)
    first, slope = RECIPROCAL_LINE
    y = np.asarray(first - _product(half, np.int64(slope)))
    for _ in range(NEWTON_STEPS):
        y = np.asarray(y + (_product(y, (1 << 29) - _product(half, y)) << 2))
    return np.asarray(np.minimum(y << 1, ONE))


def _product(a: np.ndarray, b: np.ndarray | np.int64) -> np.ndarray:
    """The high half of the doubled product of 32-bit numbers; halves up."""
    return np.asarray((a * b + (1 << 30)) >> 31)


def divided(x: np.ndarray, places: int | np.ndarray) -> np.ndarray:
    """x / 2^places, halves away from zero."""
    mask = (np.int64(1) << places) - 1
    return np.asarray((x >> places) + ((x & mask) > (mask >> 1) + (x < 0)))
