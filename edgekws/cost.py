"""What a graph costs before it runs: multiplications, bytes of parameters, bytes of activations.

Only figures that follow from the graph's shapes; cycles and energy need a target's model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekws.graph.ir import INPUT, Graph, Node, Shape


@dataclass(frozen=True)
class LayerCost:
    """One row of the per-layer table. macs_share: 0..1 of the whole graph."""

    name: str
    op: str
    out_shape: Shape
    weight_bits: int
    macs: int
    macs_share: float
    parameter_bytes: int
    activation_bytes: int


def activation_bytes(shape: Shape) -> int:
    """Every activation is one byte."""
    return math.prod(shape)


def layers(graph: Graph) -> tuple[LayerCost, ...]:
    total = graph.macs
    return tuple(_layer(node, total) for node in graph.nodes)


def peak_activation_bytes(graph: Graph) -> int:
    """The most bytes of tensors that are alive at once: a layer's inputs, its output and what waits for a later one.

    A lower bound of the arena. Along a chain it is reached, with input and output at opposite ends.
    """
    last_uses = graph.last_uses()
    sizes, peak = {INPUT: activation_bytes(graph.in_shape)}, 0
    for number, node in enumerate(graph.nodes):
        sizes[node.name] = activation_bytes(node.out_shape)
        peak = max(peak, sum(sizes.values()))
        sizes = {name: size for name, size in sizes.items() if last_uses.get(name, -1) > number}
    return peak


def _layer(node: Node, total_macs: int) -> LayerCost:
    return LayerCost(
        name=node.name,
        op=node.op,
        out_shape=node.out_shape,
        weight_bits=node.weight_bits,
        macs=node.macs,
        macs_share=node.macs / total_macs if total_macs else 0.0,
        parameter_bytes=node.parameter_bytes,
        activation_bytes=activation_bytes(node.out_shape),
    )
