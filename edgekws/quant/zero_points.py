"""The zero point of the input, through the layers that only move it, to those that compute with it.

Tensors of a QuantNet are the integers of the graph. A layer that sums gets x - zero, whose padding is 0; `lower` writes
the same sum as that of x, padded with the zero point, and an offset. Layers that move values get them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Node
from edgekws.graph.ops import Operation
from edgekws.quant.float_layers import Layer, Tensors


def _moves(operation: Operation) -> bool:
    """Whether every output is one of the inputs, as it is."""
    return not (operation.is_scaled or operation.sums or operation.own_scale)


def zero_points(layers: Sequence[Layer], input_zero: int) -> dict[str, int]:
    """The integer of each tensor that is real zero: that of the input after layers that only move it, else 0.

    Raises TargetError for a layer that can read no input with a zero point.
    """
    zeros = {INPUT: input_zero}
    for layer in layers:
        given = {zeros[name] for name in layer.inputs}
        if given != {0}:
            _require_expressible(layer, given)
        zeros[layer.name] = given.pop() if _moves(layer.operation) else 0
    return zeros


def _require_expressible(layer: Layer, given: set[int]) -> None:
    moves = _moves(layer.operation) and not layer.relu and not layer.is_limited  # limits are real numbers
    sums = layer.operation.is_scaled and "operands" not in layer.operation.attributes
    if len(given) > 1 or not (moves or (sums and not layer.operation.is_table)):
        raise TargetError(
            f"{layer.name}: an input with a zero point should be read by convolutions, normalizations or linear layers",
            got=f"{layer.kind} of zero points {', '.join(map(str, sorted(given)))}",
            hint="begin the network with a convolution or a batch normalization",
        )


def read_by(layer: Layer, values: Tensors, zeros: Mapping[str, int]) -> list[torch.Tensor]:
    """The inputs of `layer` as it computes with them. values: integers of the graph."""
    if _moves(layer.operation):
        return [values[name] for name in layer.inputs]
    return [values[name] - zeros[name] if zeros[name] else values[name] for name in layer.inputs]


def folded(node: Node, zero: int, moved: int) -> Node:
    """`node`, made for inputs x - zero, for inputs x. moved: zero point of its output."""
    if _moves(node.operation) or not zero:
        return replace(node, out_zero=moved) if moved else node
    constant, _ = node.operation.bounds(node, zero, zero)  # the sum of an input that is `zero` everywhere
    offset = (node.requant.offset - constant).astype(node.requant.offset.dtype)
    pad_value = zero if any(node.pad) else 0
    return replace(node, requant=replace(node.requant, offset=offset), pad_value=pad_value)
