"""Pools and means."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, pair


def _max_pool_module(call: Call) -> Value:
    module = call.module
    given = (module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode)
    return _max_pool(call, given)


def _max_pool_function(call: Call) -> Value:
    defaults = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
    return _max_pool(call, tuple(call.arguments("kernel_size", *defaults, **defaults)))


def _max_pool(call: Call, given: tuple[Any, ...]) -> Value:
    """given: (kernel_size, stride, padding, dilation, ceil_mode) as torch takes them."""
    kernel, stride, padding, dilation, ceil_mode = given
    if pair(padding) != (0, 0) or pair(dilation) != (1, 1) or ceil_mode:
        got = f"padding {padding}, dilation {dilation}, ceil_mode {ceil_mode}"
        raise TargetError(f"{call.name} should pool without padding, dilation and ceil_mode", got=got)
    window = pair(kernel)
    return call.assembler.max_pool(call.x, window, pair(stride) if stride else window, call.name)


def _global_pool(call: Call, size: object) -> Value:
    if size not in (1, (1, 1), [1, 1]):
        raise TargetError(f"{call.name} should average all positions into one", got=f"an average to {size}")
    return call.assembler.mean(call.x, call.name, keep=True)


def _mean(call: Call) -> Value:
    axes, keep = call.arguments("dim", "keepdim", dim=None, keepdim=False)
    positions = {axis % 4 for axis in axes} if isinstance(axes, list | tuple) else axes
    if positions != {2, 3}:
        raise TargetError(f"{call.name} should be a mean over axes (2, 3)", got=str(axes))
    return call.assembler.mean(call.x, call.name, keep=bool(keep))


MODULES: Modules = {
    nn.MaxPool2d: _max_pool_module,
    nn.AdaptiveAvgPool2d: lambda call: _global_pool(call, call.module.output_size),
}

FUNCTIONS: Functions = {
    functional.max_pool2d: _max_pool_function,
    torch.max_pool2d: _max_pool_function,
    functional.adaptive_avg_pool2d: lambda call: _global_pool(call, call.arguments("output_size")[0]),
    "mean": _mean,
    torch.mean: _mean,
}
