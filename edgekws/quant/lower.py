"""QuantNet -> Graph: read the integers and prove them legal. There is no arithmetic here."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import torch

from edgekws import plugins
from edgekws.errors import TargetError
from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, Requant, accumulator_bounds
from edgekws.graph.sums import STATE, step
from edgekws.quant.elementwise import ExactLayer
from edgekws.quant.float_layers import Layer
from edgekws.quant.layers import QuantizedLayer, ScaledLayer
from edgekws.quant.network import QuantNet
from edgekws.quant.recurrent import Scan
from edgekws.quant.weighted import EXACT_FLOAT32, Weighted
from edgekws.quant.zero_points import folded


@torch.no_grad()
def lower(
    network: QuantNet,
    features: FeatureSpec | UnknownFeatures,
    labels: tuple[str, ...],
    name: str,
    provenance: dict[str, str] | None = None,
    strict: bool = True,
    tolerated: tuple[str, ...] = (),
) -> Graph:
    """The integer graph of a quantized network.

    strict: refuse layers that the target's hardware would leave to the CPU, but for those that break only rules of
    these names in `tolerated`.

    Raises TargetError with the node's name, the rule and the number when a node is not legal.
    """
    nodes: list[Node] = []
    shapes: dict[str, Shape] = {INPUT: (*features.shape, 1)}
    lowest = {INPUT: SIGNED[0]}
    for layer in network:
        node = _node(layer, tuple(shapes[name] for name in layer.inputs), lowest[layer.inputs[0]])
        nodes.append(folded(node, network.zeros[layer.inputs[0]], network.zeros[layer.name]))
        lowest[layer.name] = UNSIGNED[0] if nodes[-1].is_unsigned else SIGNED[0]
        shapes[layer.name] = nodes[-1].out_shape
    graph = Graph(
        tuple(nodes), labels, features, network.target, name, network.input_scale, provenance or {}, network.input_zero
    )
    graph.check()
    target = plugins.load("targets", network.target)
    for node, lo, hi in graph.ranges():
        if strict:
            _require_legal(node, graph, target, tolerated)
        _require_exact(node, lo, hi)
    return graph


def _require_legal(node: Node, graph: Graph, target: ModuleType, tolerated: tuple[str, ...]) -> None:
    reason = target.legal(node, graph)
    if reason and not reason.startswith(tolerated):
        hint = "change the layer (channels, say, to the next multiple), give strict=False, which leaves it to the CPU"
        hint = f"{hint}, or choose the target int8"
        raise TargetError(f"{node.name} should be legal on {target.NAME}", got=reason, hint=hint)


def _require_exact(node: Node, lo: int, hi: int) -> None:
    """The torch forward pass computes in float32: sums must stay below 2^24, and so must products that may not clip.

    Ops with operands are computed in int64, and layers with weights in float64 where they need it.
    """
    if "operands" in node.operation.attributes or node.operation.is_weighted:
        return
    low, high = accumulator_bounds(node, lo, hi)
    worst = np.maximum(-low, high)
    if int(worst.max()) >= EXACT_FLOAT32:
        raise TargetError(
            f"{node.name}: accumulators should stay exact in float32", got=f"{int(worst.max())} is possible"
        )
    if node.requant.rule == "fixed-point":
        return
    products = worst * node.requant.mult.astype(np.int64)
    inexact = (products >= EXACT_FLOAT32) & (EXACT_FLOAT32 >> node.requant.shift.astype(np.int64) <= 255)
    if inexact.any():
        got = f"{int(products[inexact].max())} is possible"
        raise TargetError(f"{node.name}: products of the multiplier should stay exact in float32 or clip", got=got)


def _scan(layer: Scan, in_shapes: tuple[Shape, ...]) -> Node:
    rows, width, channels = in_shapes[0]
    shapes: dict[str, Shape] = {step(number): (1, width, channels) for number in range(len(in_shapes))}
    shapes[STATE] = (1, 1, channels)
    body = []
    for each in layer.layers():
        body.append(_node(each, tuple(shapes[name] for name in each.inputs), SIGNED[0]))
        shapes[each.name] = body[-1].out_shape
    requant = Requant.identity(channels, layer.lo, layer.hi)
    shape = (rows, 1, channels)
    return Node(
        layer.name, layer.float_layer.kind, layer.inputs, requant, in_shapes[0], shape, out_scale=layer.s_out,
        body=tuple(body),
    )  # fmt: skip


def _node(layer: QuantizedLayer, in_shapes: tuple[Shape, ...], lowest: int) -> Node:
    """lowest: the smallest value that the first input may have."""
    if isinstance(layer, Scan):
        return _scan(layer, in_shapes)
    source, shape = layer.float_layer, in_shapes[0]
    weight = _ordered(layer, shape) if isinstance(layer, Weighted) else None
    out_shape = source.shape_after(in_shapes)
    node = Node(
        layer.name, source.kind, layer.inputs, _requant(layer, out_shape[2]), shape, out_shape, weight,
        weight_bits=layer.bits if isinstance(layer, Weighted) else 8,
        window=source.window, stride=source.stride, pad=source.pad, out_scale=layer.s_out,
        dilation=source.dilation, axes=source.axes, begin=source.begin,
        pad_value=lowest if _is_padded_maximum(source) else 0,
        other_shapes=in_shapes[1:] if len(set(in_shapes)) > 1 else (),
    )  # fmt: skip
    return replace(node, **layer.node_fields()) if isinstance(layer, ExactLayer) else node


def _is_padded_maximum(layer: Layer) -> bool:
    return layer.operation.is_window_pool and not layer.operation.sums and any(layer.pad)


def _requant(layer: QuantizedLayer, channels: int) -> Requant:
    if isinstance(layer, Weighted):
        offset, (mult, shift) = layer.integer_offset(layer.factor()), layer.multiplier()
    elif isinstance(layer, ScaledLayer):
        offset, mult, shift = layer.offset, layer.mult, layer.shift
    elif isinstance(layer, ExactLayer):
        return layer.requant(channels)
    else:
        return Requant.identity(channels, layer.lo, layer.hi)
    mult = mult.astype(np.int32 if layer.rule == "fixed-point" else np.uint8)
    return Requant(offset.numpy().astype(np.int32), mult, shift.astype(np.uint8), layer.lo, layer.hi, layer.rule)


def _ordered(layer: Weighted, shape: Shape) -> np.ndarray:
    """Weights in the order of Node."""
    weight = layer.integer_weight().numpy().astype(np.int8)
    return layer.float_layer.operation.ordered_weight(weight, shape)
