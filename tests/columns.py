"""Networks whose rows have one column: depthwise convolutions over time and matrices, as wake-word networks have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekws.features.spec import UnknownFeatures
from edgekws.graph.ir import SIGNED, UNSIGNED, Graph, Requant, Rule
from tests.general_nodes import Nodes, Pair

_TAPS = (3, 1, 10, 2, 5, 9)
_LEAST = -127
"""Of weights that are quantized symmetrically."""


def column_network(
    rule: Rule, seed: int, taps: Sequence[int] = _TAPS, channels: Sequence[int] = (8, 4, 16), inputs: int = 8
) -> Graph:
    """A depthwise and another convolution for each of `taps`, without padding; the latter have `channels` in turn."""
    build = _Columns(np.random.default_rng(seed), frozenset(), (8,), UnknownFeatures((sum(taps), 1), inputs))
    build.rule = rule
    for number, rows in enumerate(taps):
        build.conv("depthwise_conv2d", (rows, 1), 0)
        wide = build.shape[2] % 8 == 0
        build.conv("conv2d", (1 if wide else 2, 1), channels[number % len(channels)])
    build.pool()
    build.linear(4, signed=True)
    graph = build.graph()
    graph.check()
    return graph


class _Columns(Nodes):
    """Whole ranges of a byte, weights above -128, no zero point where outputs are unsigned."""

    rule: Rule = "fixed-point"

    def pad(self, kernel: Pair, dilation: Pair) -> tuple[int, int, int, int]:
        return 0, 0, 0, 0

    def _range(self, signed: bool = False) -> tuple[int, int, int]:
        if not signed and self.rng.random() < 0.5:
            return *UNSIGNED, 0
        return *SIGNED, int(self.rng.integers(-100, 100)) if self.rule == "fixed-point" else 0

    def _requant(
        self, factor: np.ndarray, offset: np.ndarray, lo: int, hi: int, zero: int, rule: Rule | None = None
    ) -> Requant:
        if self.rule == "fixed-point":
            return super()._requant(np.minimum(factor, 0.49), offset, lo, hi, zero, self.rule)
        shift = np.clip(np.floor(np.log2(200 / factor)), 9, 16).astype(np.uint8)
        mult = np.clip(np.round(factor * 2.0**shift), 1, 255).astype(np.uint8)
        return Requant(np.round(offset).astype(np.int32), mult, shift, lo, hi)

    def _add(self, *given: Any, **more: Any) -> None:
        if more.get("weight") is not None:
            more["weight"] = np.maximum(more["weight"], _LEAST)
        super()._add(*given, **more)
