"""The options of each layer in a search for bit widths: widths that the target supports, their costs and errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from edgekws.errors import ConfigError
from edgekws.graph.ir import Graph, Node
from edgekws.quant.mixed.front import Cost, Option, Point

if TYPE_CHECKING:
    from edgekws.targets import Device, Target

Options = dict[str, tuple[Option, ...]]


def layer_options(
    graphs: Mapping[int, Graph],
    target: Target,
    device: Device,
    added: Callable[[str, int], float],
    pinned: Mapping[str, int],
) -> Options:
    """The options of each layer with weights, widest first.

    graphs: one network by bits; added: (layer, bits) -> error; pinned: layers whose bits are given.
    Widths at which a layer is not legal on the target are omitted, unless it is not legal at any.
    Raises ConfigError for a pinned width that the target does not have.
    """
    for name, bits in pinned.items():
        if bits not in graphs:
            known = ", ".join(map(str, graphs))
            raise ConfigError(f"{name}: {target.NAME} has weights of {known} bits", got=str(bits))
    options: Options = {}
    for name in (node.name for node in graphs[max(graphs)].nodes if node.weight is not None):
        nodes = {bits: graphs[bits].node(name) for bits in sorted(graphs, reverse=True)}
        allowed = [pinned[name]] if name in pinned else _legal(nodes, target)
        options[name] = tuple(_option(nodes[bits], target, device, added(name, bits)) for bits in allowed)
    return options


def without_weights(graph: Graph, target: Target, device: Device, error: float) -> Point:
    """What all networks of a search have in common: the cost of the other layers, and the error of the widest one."""
    others = [_option(node, target, device, 0.0) for node in graph.nodes if node.weight is None]
    return Point((), sum(option.flash_bytes for option in others), sum(option.cycles for option in others), error)


def costs(node: Node, target: Target, device: Device, cost: Cost) -> int:
    """What a layer costs: bytes of flash, or cycles."""
    return node.parameter_bytes if cost == "flash_bytes" else math.ceil(target.cycles(node, device))


def _legal(nodes: Mapping[int, Node], target: Target) -> list[int]:
    legal = [bits for bits, node in nodes.items() if target.legal(node) is None]
    return legal or list(nodes)


def _option(node: Node, target: Target, device: Device, error: float) -> Option:
    return Option(node.weight_bits, node.parameter_bytes, math.ceil(target.cycles(node, device)), error)
