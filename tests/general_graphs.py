"""Random graphs of the target int8 as importers make them: every op of the table, zero points, padding values, parts of
ranges, both fixed-point rules, shifts below 0, dilation, gates, residuals of two scales, and moved values.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph.ir import Graph
from edgekws.graph.ops import Op
from tests.general_nodes import Nodes


def random_general(
    seed: int, without: Collection[Op] = (), bits: tuple[int, ...] = (8, 4), channels: tuple[int, ...] = (1, 1, 3)
) -> Graph:
    """A graph of 5 to about 20 nodes, proven by Graph.check.

    without: rows that are not drawn. bits: widths of weights. channels: of the input, one is drawn; more than one go
    with an unknown front end.
    """
    rng = np.random.default_rng(seed)
    build = _Network(rng, frozenset(without), bits, _features(rng, int(rng.choice(channels))))
    build.first()
    segments = [getattr(build, name) for name in _SEGMENTS if not frozenset(_SEGMENTS[name]) & build.without]
    for _ in range(rng.integers(2, 6)):
        segments[rng.integers(len(segments))]()
    build.head(12)
    graph = build.graph()
    graph.check()
    return graph


def _features(rng: np.random.Generator, channels: int) -> FeatureSpec | UnknownFeatures:
    if channels == 1 and rng.random() < 0.5:
        return FeatureSpec()
    return UnknownFeatures((int(rng.integers(6, 20)), int(rng.integers(3, 12))), channels)


_SEGMENTS: dict[str, tuple[Op, ...]] = {
    "separable": ("depthwise_conv2d", "conv2d"),
    "dilated": ("conv2d",),
    "residual": ("rescaled_add",),
    "plain_residual": ("add",),
    "gate": ("global_sum_pool", "linear", "table", "mul"),
    "swish": ("table", "mul"),
    "activation": ("table",),
    "amplified": ("scale",),
    "pooled": ("max_pool", "average_pool"),
    "joined": ("concat",),
    "split": ("slice", "concat"),
    "turned": ("transpose",),
    "shuffled": ("reshape", "transpose"),
    "folded": ("reshape",),
    "normalized": ("softmax",),
}
"""The parts of a network, and the rows that each needs."""


class _Network(Nodes):
    """The segments of a network; each goes on from the tensor `at`."""

    def first(self) -> None:
        kernel = (int(self.rng.integers(1, 6)), int(self.rng.integers(1, 5)))
        self.conv("conv2d", kernel, int(self.rng.choice([3, 4, 8])), stride=(2, int(self.rng.integers(1, 3))))

    def separable(self) -> None:
        kernel = [(3, 3), (5, 1), (1, 3)][self.rng.integers(3)]
        self.conv("depthwise_conv2d", kernel, 0, dilation=self.dilation())
        self.conv("conv2d", (1, 1), int(self.rng.choice([3, 4, 8, 12])))

    def dilated(self) -> None:
        kernel = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
        self.conv("conv2d", kernel, int(self.rng.integers(2, 9)), dilation=self.dilation())

    def residual(self) -> None:
        """With another tensor of the shape, or with one value for each channel."""
        source, is_pooled = self.at, self.rng.random() < 0.3 and "global_sum_pool" not in self.without
        if is_pooled:
            self.pool()
        self.conv("conv2d", (1, 1), self.shape[2])
        first = is_pooled or self.rng.random() < 0.5
        self.rescaled_add((source, self.at) if first else (self.at, source))

    def plain_residual(self) -> None:
        """Both inputs have one scale: clipped values of one tensor."""
        source = self.at
        self.unscaled("max_pool", window=(1, 1))
        self.unscaled("add", (source, self.at))

    def gate(self) -> None:
        """Squeeze and excitation: one factor for each channel."""
        source, channels = self.at, self.shape[2]
        self.pool()
        self.linear(max(channels // 2, 1))
        self.linear(channels)
        self.table()
        self.mul((source, self.at))

    def swish(self) -> None:
        source = self.at
        self.table()
        self.mul((source, self.at))

    def activation(self) -> None:
        self.table()

    def amplified(self) -> None:
        self.scaled()

    def pooled(self) -> None:
        height, width, _ = self.shape
        window = (min(int(self.rng.integers(1, 4)), height), min(int(self.rng.integers(1, 4)), width))
        pad = self.pad(window, (1, 1))
        op = ("max_pool", "average_pool")[self.rng.integers(2)]
        value = self.range_of(self.at)[0] if op == "max_pool" and any(pad) else 0
        self.unscaled(op, window=window, stride=(min(2, height), 1), pad=pad, pad_value=value)

    def joined(self) -> None:
        """Two to four parts of one scale along one axis."""
        source, axis = self.at, int(self.rng.integers(3))
        parts = [source]
        for _ in range(self.rng.integers(1, 4)):
            self.at = source
            self.unscaled("max_pool", window=(1, 1))
            parts.append(self.at)
        self.concat(parts, axis)

    def split(self) -> None:
        """Two parts in the other order."""
        axis = int(self.rng.integers(3))
        if self.shape[axis] < 2:
            return self.joined()
        source, size = self.at, self.shape[axis]
        cut = int(self.rng.integers(1, size))
        first = self.sliced(source, axis, 0, cut)
        second = self.sliced(source, axis, cut, size - cut)
        return self.concat([second, first], axis)

    def turned(self) -> None:
        self.transpose(tuple(int(axis) for axis in self.rng.permutation(3)))

    def shuffled(self) -> None:
        """Channels in another order, as ShuffleNet has them."""
        height, width, channels = self.shape
        groups = next((each for each in (4, 3, 2) if channels % each == 0), 1)
        self.reshape((height * width, groups, channels // groups))
        self.transpose((0, 2, 1))
        self.reshape((height, width, channels))

    def folded(self) -> None:
        """Another shape of the same values."""
        count = math.prod(self.shape)
        channels = int(self.rng.choice([each for each in range(1, 25) if count % each == 0]))
        height = int(self.rng.choice([each for each in range(1, 9) if count // channels % each == 0]))
        self.reshape((height, count // channels // height, channels))

    def normalized(self) -> None:
        self.softmax()

    def head(self, labels: int) -> None:
        """Scores int8, at times probabilities."""
        rng = self.rng
        if rng.random() < 0.8 and "global_sum_pool" not in self.without:
            self.pool()
        if rng.random() < 0.3 and self.shape[:2] == (1, 1):
            self.conv("conv2d", (1, 1), labels, signed=True)
        else:
            self.linear(labels, signed=True)
        if rng.random() < 0.4 and "softmax" not in self.without:
            self.softmax()
