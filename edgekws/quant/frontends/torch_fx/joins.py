"""Concatenations."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules


def _concat(call: Call) -> Value:
    values, axis = _tensors(call)
    rank = len(values[0].shape) + 1
    return call.assembler.concat(values, axis % rank - 1, call.name)


def _stack(call: Call) -> Value:
    values, axis = _tensors(call)
    axis = axis % (len(values[0].shape) + 2) - 1
    if axis < 0:
        raise TargetError(f"{call.name} should join along another axis than the batch", got="axis 0")
    longer = [replace(each, index=each.index.unsqueeze(axis)) for each in values]
    return call.assembler.concat(longer, axis, call.name)


def _tensors(call: Call) -> tuple[list[Value], int]:
    """(the values that are joined, the axis)"""
    given = call.known(call.node.args[0] if call.node.args else call.node.kwargs.get("tensors"))
    axis = call.node.kwargs.get(
        "dim", call.node.kwargs.get("axis", call.node.args[1] if len(call.node.args) > 1 else 0)
    )
    values = list(given) if isinstance(given, list | tuple) else []
    if not values or not all(isinstance(each, Value) for each in values) or not isinstance(axis, int):
        raise TargetError(f"{call.name} should join tensors that depend on the input", got=str(call.node.args))
    return values, axis


MODULES: Modules = {}

FUNCTIONS: Functions = {
    torch.cat: _concat,
    torch.concat: _concat,
    torch.concatenate: _concat,
    torch.stack: _stack,
}
