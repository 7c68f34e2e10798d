"""How layers of two inputs read them: which adds keep one scale, and which input is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekws.errors import TargetError
from edgekws.quant import observe
from edgekws.quant.float_layers import Layer, Tensors, of_one_rank

_SUM = "rescaled_add"


def joined(layers: Sequence[Layer], values: Tensors) -> list[Layer]:
    """The layers, with `rescaled_add` for adds of unequal shapes, of means and of states: inputs keep their scales.

    The first input of every sum and product has the shape of the result. values: float outputs of every layer. Raises
    TargetError where both inputs would have to be repeated.
    """
    shaped = [_ordered(layer, values) for layer in layers]
    own = {layer.name for layer in layers if layer.operation.is_global_pool or layer.body}
    tied = {name for group in observe.groups(shaped) if own & set(group) for name in group}
    return [replace(layer, kind=_SUM) if _is_plain_sum(layer) and layer.name in tied else layer for layer in shaped]


def _is_plain_sum(layer: Layer) -> bool:
    return layer.operation.input_count > 1 and not layer.operation.is_scaled


def _ordered(layer: Layer, values: Tensors) -> Layer:
    if not _is_plain_sum(layer) and not layer.operation.broadcasts:
        return layer
    first, second = of_one_rank(*(values[name] for name in layer.inputs))
    if first.shape == second.shape:
        return layer
    result = tuple(map(max, first.shape[1:], second.shape[1:]))
    kind = _SUM if _is_plain_sum(layer) else layer.kind
    if result == tuple(first.shape[1:]):
        return replace(layer, kind=kind)
    if result == tuple(second.shape[1:]):
        return replace(layer, kind=kind, inputs=layer.inputs[::-1])
    expected = f"{layer.name} should have one input of the shape of its result"
    got = f"{list(first.shape[1:])} and {list(second.shape[1:])}, which both would be repeated"
    raise TargetError(expected, got=got, hint="expand one of them first, or write the sum or product the other way")
