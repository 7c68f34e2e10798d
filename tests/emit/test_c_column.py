"""Weights of rows of one column are in the order that Arm's DSP instructions multiply them in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekws.emit.c.stream import column
from edgekws.graph.ir import SIGNED, Node
from tests.columns import column_network

_FIXED = column_network("fixed-point", 0, taps=(5, 2))
_NODES = {node.name: node for node in _FIXED.nodes}


def halves(word: np.ndarray) -> np.ndarray:
    """int8 [..., 4] -> int64 [..., 2], two's complement of 16 bits each."""
    return np.ascontiguousarray(word).view("<i2").astype(np.int64)


def low_bytes(word: np.ndarray, rotated: int = 0) -> np.ndarray:
    """SXTB16."""
    return word[..., rotated::2].astype(np.int64)


def dense_sums(ordered: np.ndarray, inputs: np.ndarray, filters: int) -> np.ndarray:
    """As dsp_column.h adds them up: [filters]"""
    words = ordered.reshape(filters // 4, len(inputs) // 8, 2, 4, 4)
    x = inputs.reshape(-1, 2, 2, 2).transpose(0, 1, 3, 2).reshape(-1, 1, 4, 2)
    both, second = ((part(words) * x).sum(axis=(1, 3, 4)) for part in (halves, low_bytes))
    return np.stack(((both - second) / 256, second), axis=-1).reshape(-1)


def depthwise_sums(ordered: np.ndarray, rows: np.ndarray) -> np.ndarray:
    taps, channels = rows.shape
    sums = np.zeros((channels // 4, 4), np.int64)
    for block, weights in zip(range(channels // 4), ordered.reshape(channels // 4, -1), strict=True):
        x = rows[:, 4 * block : 4 * block + 4].astype(np.int64)
        for pair in range(taps // 2):
            words = weights[8 * pair :][:8].reshape(2, 4)
            for channel in range(4):
                two = low_bytes(words[channel // 2], channel % 2)
                sums[block, channel] += two @ x[2 * pair : 2 * pair + 2, channel]
        if taps % 2:
            sums[block] += weights[-4:].astype(np.int64) * x[-1]
    return sums.reshape(-1)


def dense() -> Node:
    return next(node for node in _NODES.values() if node.op == "conv2d")


def test_convolutions() -> None:
    node = dense()
    assert node.weight is not None
    inputs = np.random.default_rng(0).integers(-128, 128, node.weight[0].size)
    expected = node.weight.reshape(len(node.weight), -1).astype(int) @ inputs
    assert np.array_equal(dense_sums(column.ordered(node), inputs, len(node.weight)), expected)


@pytest.mark.parametrize("node", [node for node in _NODES.values() if node.operation.is_depthwise])
def test_depthwise_convolutions(node: Node) -> None:
    assert node.weight is not None
    rows = np.random.default_rng(0).integers(-128, 128, (node.kernel[0], node.in_shape[2]))
    expected = (node.weight.reshape(len(node.weight), -1).T.astype(int) * rows).sum(axis=0)
    assert np.array_equal(depthwise_sums(column.ordered(node), rows), expected)


def test_what_the_kernels_cannot_compute_is_left_to_others() -> None:
    node = dense()
    assert node.weight is not None and column.is_column(node, SIGNED)
    least = node.weight.copy()
    least[0, 0, 0, 0] = -128
    large = np.full_like(node.requant.offset, 1 << 22)
    assert not column.is_column(replace(node, weight=least), SIGNED)
    assert not column.is_column(replace(node, requant=replace(node.requant, offset=large)), SIGNED)
    assert not column.is_column(replace(node, requant=replace(node.requant, shift=node.requant.shift * 0)), SIGNED)
    assert not column.is_column(replace(node, weight_bits=4, weight=np.clip(least, -7, 7)), SIGNED)
