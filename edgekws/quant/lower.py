"""QuantNet -> Graph: read the integers off and prove them legal. No arithmetic of its own."""

from __future__ import annotations

import numpy as np
import torch

from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from edgekws.graph.ir import INPUT, Graph, Node, Requant, Shape, accumulator_bounds
from edgekws.quant.network import EXACT_FLOAT32, QuantLayer, QuantNet, QuantPool
from edgekws.quant.ptq import layers_of
from edgekws.targets import tinpu


@torch.no_grad()
def lower(
    network: QuantNet,
    features: FeatureSpec,
    labels: tuple[str, ...],
    name: str,
    provenance: dict[str, str] | None = None,
) -> Graph:
    """Raises TargetError with the node's name, the rule and the number when a node is not legal on the NPU."""
    shape: Shape = (*features.shape, 1)
    nodes: list[Node] = []
    for stage in layers_of(network):
        source = nodes[-1].name if nodes else INPUT
        node = _pool(stage, shape, source) if isinstance(stage, QuantPool) else _layer(stage, shape, source)
        nodes.append(node)
        shape = node.out_shape
    graph = Graph(tuple(nodes), labels, features, tinpu.NAME, name, INPUT_SCALE, provenance or {})
    graph.check()
    for node, lo, hi in graph.ranges():
        _require_legal(node, lo, hi)
    return graph


def _require_legal(node: Node, lo: int, hi: int) -> None:
    reason = tinpu.legal(node)
    if reason:
        raise TargetError(f"{node.name} should be legal on the NPU", got=reason)
    low, high = accumulator_bounds(node, lo, hi)
    worst = int(max(-low.min(), high.max()))
    if worst >= EXACT_FLOAT32:
        raise TargetError(f"{node.name}: accumulators should stay exact in float32", got=f"{worst} is possible")


def _layer(stage: QuantLayer, shape: Shape, source: str) -> Node:
    weight = stage.integer_weight().numpy().astype(np.int8)
    channels = len(weight)
    if stage.kind == "linear":
        height, width, c_in = shape
        ordered = weight.reshape(channels, c_in, height, width).transpose(0, 2, 3, 1).reshape(channels, -1)
        out_shape: Shape = (1, 1, channels)
    else:
        ordered = weight[:, 0] if stage.kind == "depthwise_conv2d" else weight.transpose(0, 2, 3, 1)
        top, bottom, left, right = stage.pad
        rows = (shape[0] + top + bottom - weight.shape[2]) // stage.stride[0] + 1
        columns = (shape[1] + left + right - weight.shape[3]) // stage.stride[1] + 1
        out_shape = (rows, columns, channels)
    requant = Requant(
        offset=stage.offset().numpy().astype(np.int32),
        mult=np.ones(channels, np.uint8),
        shift=stage.shift.numpy().astype(np.uint8),
        lo=stage.lo,
        hi=stage.hi,
    )
    return Node(
        stage.layer_name, stage.kind, (source,), requant, shape, out_shape, np.ascontiguousarray(ordered),
        stride=stage.stride, pad=stage.pad, out_scale=stage.s_out,
    )  # fmt: skip


def _pool(stage: QuantPool, shape: Shape, source: str) -> Node:
    channels = shape[2]
    requant = Requant(
        offset=np.full(channels, 1 << (stage.shift - 1), np.int32),
        mult=np.ones(channels, np.uint8),
        shift=np.full(channels, stage.shift, np.uint8),
        lo=0,
        hi=255,
    )
    return Node(stage.layer_name, stage.kind, (source,), requant, shape, (1, 1, channels), out_scale=stage.s_out)
