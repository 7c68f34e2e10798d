"""Operations that move values and leave them as they are: padding, flattening, reshaping."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, unchanged


def _flatten_function(call: Call) -> Value:
    start, end = call.arguments("start_dim", "end_dim", start_dim=0, end_dim=-1)
    return _flattened(call, start, end)


def _flattened(call: Call, start: object, end: object) -> Value:
    if start != 1 or end not in (-1, 3):
        raise TargetError(f"{call.name} should flatten all axes but the first", got=f"axes {start} to {end}")
    return replace(call.x, flat=True)


def _pad_module(call: Call) -> Value:
    if call.module.value:
        raise TargetError(f"{call.name} should pad with zeros", got=str(call.module.value))
    left, right, top, bottom = call.module.padding
    return call.x.padded((top, bottom, left, right), call.name)


def _pad_function(call: Call) -> Value:
    sides, mode, value = call.arguments("pad", "mode", "value", mode="constant", value=None)
    all_sides: list[int] = [*sides, 0, 0]
    left, right, top, bottom, *others = all_sides
    if mode != "constant" or value or any(others):
        raise TargetError(f"{call.name} should pad rows and columns with zeros", got=f"{sides}, {mode}, {value}")
    return call.x.padded((top, bottom, left, right), call.name)


def _reshape(call: Call) -> Value:
    """To (n, anything): a count other than the layer's size is refused when the linear layer runs."""
    node, sizes = call.node, call.state.sizes
    given: Any = node.kwargs.get("shape", node.args[1:])
    shape = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
    batch_is_kept = len(shape) == 2 and (shape[0] in sizes if isinstance(shape[0], fx.Node) else shape[0] == -1)
    if not batch_is_kept:
        raise TargetError(f"{node.name} should flatten all axes but the first", got=f"a reshape to {tuple(shape)}")
    return replace(call.x, flat=True)


MODULES: Modules = {
    nn.Flatten: lambda call: _flattened(call, call.module.start_dim, call.module.end_dim),
    nn.ConstantPad2d: _pad_module,
}

FUNCTIONS: Functions = {
    functional.pad: _pad_function,
    torch.flatten: _flatten_function,
    "flatten": _flatten_function,
    torch.reshape: _reshape,
    "reshape": _reshape,
    "view": _reshape,
    "contiguous": unchanged,
}
