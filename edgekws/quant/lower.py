"""QuantNet -> Graph: read the integers off and prove them legal. No arithmetic of its own."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch

from edgekws import plugins
from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from edgekws.graph.ir import INPUT, Graph, Node, Requant, accumulator_bounds
from edgekws.graph.ops import Shape
from edgekws.quant.layers import Scaled, Stage
from edgekws.quant.network import EXACT_FLOAT32, QuantNet
from edgekws.quant.weighted import Weighted


@torch.no_grad()
def lower(
    network: QuantNet,
    features: FeatureSpec,
    labels: tuple[str, ...],
    name: str,
    provenance: dict[str, str] | None = None,
    strict: bool = True,
) -> Graph:
    """strict: refuse layers that the target's hardware would leave to the CPU.

    Raises TargetError with the node's name, the rule and the number when a node is not legal.
    """
    nodes: list[Node] = []
    shapes: dict[str, Shape] = {INPUT: (*features.shape, 1)}
    for stage in network:
        nodes.append(_node(stage, shapes[stage.layer.inputs[0]]))
        shapes[stage.layer.name] = nodes[-1].out_shape
    graph = Graph(tuple(nodes), labels, features, network.target, name, INPUT_SCALE, provenance or {})
    graph.check()
    target = plugins.load("targets", network.target)
    for node, lo, hi in graph.ranges():
        if strict:
            _require_legal(node, graph, target)
        _require_exact(node, lo, hi)
    return graph


def _require_legal(node: Node, graph: Graph, target: ModuleType) -> None:
    reason = target.legal(node, graph)
    if reason:
        raise TargetError(f"{node.name} should be legal on {target.NAME}", got=reason)


def _require_exact(node: Node, lo: int, hi: int) -> None:
    """The torch forward computes in float32: sums below 2^24, products too unless they clip for certain."""
    low, high = accumulator_bounds(node, lo, hi)
    worst = np.maximum(-low, high)
    if int(worst.max()) >= EXACT_FLOAT32:
        raise TargetError(
            f"{node.name}: accumulators should stay exact in float32", got=f"{int(worst.max())} is possible"
        )
    if node.requant.rule == "fixed-point":
        return
    products = worst * node.requant.mult.astype(np.int64)
    doubtful = (products >= EXACT_FLOAT32) & (EXACT_FLOAT32 >> node.requant.shift.astype(np.int64) <= 255)
    if doubtful.any():
        got = f"{int(products[doubtful].max())} is possible"
        raise TargetError(f"{node.name}: products of the multiplier should stay exact in float32 or clip", got=got)


def _node(stage: Stage, shape: Shape) -> Node:
    layer = stage.layer
    weight = _ordered(stage, shape) if isinstance(stage, Weighted) else None
    c_out = shape[2] if weight is None else len(weight)
    out_shape = layer.operation.out_shape(shape, c_out, layer.kernel, layer.stride, layer.pad)
    return Node(
        layer.name, layer.kind, layer.inputs, _requant(stage, out_shape[2]), shape, out_shape, weight,
        weight_bits=stage.bits if isinstance(stage, Weighted) else 8,
        window=layer.window, stride=layer.stride, pad=layer.pad, out_scale=stage.s_out,
    )  # fmt: skip


def _requant(stage: Stage, channels: int) -> Requant:
    if isinstance(stage, Weighted):
        offset, (mult, shift) = stage.integer_offset(stage.factor()), stage.multiplier()
    elif isinstance(stage, Scaled):
        offset, mult, shift = stage.offset, stage.mult, stage.shift
    else:
        return Requant.identity(channels, stage.lo, stage.hi)
    mult = mult.astype(np.int32 if stage.rule == "fixed-point" else np.uint8)
    return Requant(offset.numpy().astype(np.int32), mult, shift.astype(np.uint8), stage.lo, stage.hi, stage.rule)


def _ordered(stage: Weighted, shape: Shape) -> np.ndarray:
    """Weights in the order of Node."""
    weight = stage.integer_weight().numpy().astype(np.int8)
    return stage.layer.operation.ordered_weight(weight, shape)
