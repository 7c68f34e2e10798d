"""The rule of int8 on a processor that has kernels for 8-bit weights alone."""

from __future__ import annotations

from edgekws.graph.ir import Graph, Node
from edgekws.targets import int8
from edgekws.targets.int8 import (
    ACCELERATOR,
    DEVICES,
    MAX_FACTOR,
    MAX_SHIFT,
    RULE,
    cycles,
    offset_limit,
    pool_factor,
    quantize_multiplier,
    weight_limit,
)

__all__ = [
    "ACCELERATOR",
    "DEVICES",
    "MAX_FACTOR",
    "MAX_SHIFT",
    "NAME",
    "RULE",
    "WEIGHT_BITS",
    "cycles",
    "legal",
    "offset_limit",
    "pool_factor",
    "quantize_multiplier",
    "weight_limit",
]

NAME = "bytes_only"
WEIGHT_BITS: tuple[int, ...] = (8,)


def legal(node: Node, graph: Graph | None = None) -> str | None:
    """None, or the rule that `node` breaks."""
    if node.weight_bits not in WEIGHT_BITS:
        return f"weight-bits: weights of 8 bits, not {node.weight_bits}"
    return int8.legal(node, graph)
