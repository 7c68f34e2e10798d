"""The interface that each target module implements."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgekws.graph.ir import Graph, Node, Rule
from edgekws.targets._device import Device


class Target(Protocol):
    """A module: the arithmetic of a kind of hardware, and the layers that it refuses.

    NAME: the module's own. RULE: how it requantizes sums. WEIGHT_BITS: widths, widest first.
    DEVICES: by name; the first is the default.
    MAX_FACTOR: the largest factor of a requantization with a multiplier.
    ACCELERATOR: what runs legal layers, "NPU"; or "CPU", where every layer runs.
    """

    NAME: str
    RULE: Rule
    WEIGHT_BITS: tuple[int, ...]
    DEVICES: dict[str, Device]
    MAX_FACTOR: float
    ACCELERATOR: str

    def weight_limit(self, bits: int, headroom_bits: int) -> int:
        """The largest weight integer."""

    def quantize_multiplier(self, factor: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """(mult, shift), int64 [c]: the hardware's form of `factor`, float64 [c] > 0, or of the largest that it can."""

    def offset_limit(self, bits: int) -> int:
        """The largest magnitude of an offset of a layer whose weights have so many bits."""

    def pool_factor(self, area: int) -> float:
        """What the sum over `area` positions is multiplied by."""

    def legal(self, node: Node, graph: Graph | None = None) -> str | None:
        """None, or the reason: "rule: what is allowed, not what the node has"; such a node runs on the CPU, if at all.

        Rules about the inputs of a node are checked only where `graph` is given.
        """

    def cycles(self, node: Node, device: Device) -> float:
        """Estimated CPU clock cycles of `node` on `device`, on the unit that `legal` gives it."""
