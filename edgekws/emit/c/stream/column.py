"""Weights of rows of one column in the order of firmware_io/firmware/kernels/cores/dsp_column.h, which explains it.

Only cores with Arm's DSP extension read them so; for all others the C has the usual order.
"""

from __future__ import annotations

import numpy as np

from edgekws.emit.c.extended import Range
from edgekws.emit.c.kernels import is_general, is_near
from edgekws.graph.ir import SIGNED, Node, accumulator_bounds

COLUMN = "_column"
"""The form of kernels in firmware/kernels/stream for them."""
CORE = "EKW_DSP"
_FILTERS, _TAPS = 4, 8
_LIMIT = 1 << 22
"""Sums of a convolution are multiplied by 512."""


def is_column(node: Node, values: Range) -> bool:
    """Whether the kernels of this form compute a convolution of one row. values: range of its input."""
    if node.weight is None or node.weight_bits != 8 or not node.operation.is_convolution or node.dilation != (1, 1):
        return False
    is_one = node.in_shape[1] == node.out_shape[1] == node.kernel[1] == 1
    if not is_one or node.out_shape[2] % _FILTERS or not _is_scaled(node, values[0] < 0):
        return False
    return node.operation.is_depthwise or _is_dense(node, values)


def _is_scaled(node: Node, signed: bool) -> bool:
    """Whether the requantization is one of those that it has code for."""
    requant = node.requant
    if requant.is_identity:
        return False
    if requant.rule == "fixed-point":
        return is_near(node, (signed,)) and int(requant.shift.min()) > 0
    factors = requant.mult.astype(int) << 1 < 1 << requant.shift.astype(int)
    return not is_general(node, (signed,)) and bool(factors.all())


def _is_dense(node: Node, values: Range) -> bool:
    assert node.weight is not None
    low, high = accumulator_bounds(node, *values)
    is_small = max(int(-low.min()), int(high.max())) < _LIMIT
    return is_small and node.weight[0].size % _TAPS == 0 and int(node.weight.min()) >= -SIGNED[1]


def ordered(node: Node) -> np.ndarray:
    """The weights of a node that `is_column` takes, int8, as many as it has."""
    assert node.weight is not None
    weight = node.weight.reshape(len(node.weight), -1).astype(np.int16)
    return (_depthwise if node.operation.is_depthwise else _dense)(weight).astype(np.int8)


def _dense(weight: np.ndarray) -> np.ndarray:
    """[filters, taps], no value below -127, in bytes."""
    filters, taps = weight.shape
    pairs = weight.reshape(filters // _FILTERS, 2, 2, taps)
    first, second = pairs[:, :, 0], pairs[:, :, 1]
    both = np.stack((second, first - (second < 0)), axis=-1)
    fours = both.reshape(filters // _FILTERS, 2, taps // _TAPS, 2, 2, 2, 2)
    return fours.transpose(0, 2, 1, 3, 5, 4, 6).reshape(-1)


def _depthwise(weight: np.ndarray) -> np.ndarray:
    """[channels, taps]"""
    channels, taps = weight.shape
    blocks = weight.reshape(channels // _FILTERS, _FILTERS, taps)
    even = blocks[:, :, : taps // 2 * 2].reshape(len(blocks), 2, 2, taps // 2, 2)
    pairs = even.transpose(0, 3, 1, 4, 2).reshape(len(blocks), -1)
    return np.concatenate((pairs, blocks[:, :, taps // 2 * 2 :].reshape(len(blocks), -1)), axis=1).reshape(-1)
