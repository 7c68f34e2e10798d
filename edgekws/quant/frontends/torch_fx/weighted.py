"""Operations with weights: convolutions, linear layers and normalizations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Sides, Value, batch_norm, float32
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, along, copied


def _conv_module(call: Call) -> Value:
    module = call.module
    if module.padding_mode != "zeros":
        raise TargetError(f"{call.name} should be padded with zeros", got=module.padding_mode)
    given = (module.stride, module.padding, module.dilation, module.groups)
    return _conv(call, float32(module.weight), copied(module.bias), given)


def _conv_function(call: Call) -> Value:
    defaults = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    weight, bias, *given = call.arguments("weight", *defaults, **defaults)
    return _conv(call, *call.parameters(weight, bias), tuple(given))


def _conv(call: Call, weight: torch.Tensor, bias: torch.Tensor | None, given: tuple[Any, ...]) -> Value:
    """given: (stride, padding, dilation, groups) as torch takes them."""
    stride, padding, dilation, groups = given
    rank = weight.ndim - 1
    steps = along(dilation, rank)
    extent = [(taps - 1) * step for taps, step in zip((*weight.shape[2:], 1)[:2], steps, strict=True)]
    pad = _own_padding(padding, (extent[0], extent[1]), rank)
    return call.assembler.conv(call.x, weight, bias, along(stride, rank), pad, int(groups), call.name, steps)


def _own_padding(padding: Any, extent: tuple[int, int], rank: int) -> Sides:  # noqa: ANN401
    """extent: positions from the first to the last tap. torch's "same" puts odd zeros below and to the right."""
    if padding == "same":
        rows, columns = extent
        return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
    vertical, horizontal = (0, 0) if padding == "valid" else along(padding, rank)
    horizontal = 0 if rank == 2 else horizontal
    return vertical, vertical, horizontal, horizontal


def _linear_module(call: Call) -> Value:
    module = call.module
    return call.assembler.linear(call.x, float32(module.weight), copied(module.bias), call.name)


def _linear_function(call: Call) -> Value:
    weight, bias = call.arguments("weight", "bias", bias=None)
    return call.assembler.linear(call.x, *call.parameters(weight, bias), call.name)


def _batch_norm_module(call: Call) -> Value:
    module = call.module
    if module.running_var is None or module.running_mean is None:
        raise TargetError(f"{call.name} should keep running statistics", got=str(module))
    return _batch_norm(call, module.running_mean, module.running_var, module.weight, module.bias, module.eps)


def _batch_norm_function(call: Call) -> Value:
    """functional.batch_norm, or the operator of torch.ops, which has the parameters before the statistics."""
    names = ["running_mean", "running_var", "weight", "bias"]
    names = names if call.node.target is functional.batch_norm else names[2:] + names[:2]
    defaults = {"weight": None, "bias": None, "training": False, "momentum": 0.1, "eps": 1e-5, "cudnn_enabled": True}
    order = (*names, "training", "momentum", "eps", "cudnn_enabled")
    given = dict(zip(order, call.arguments(*order, **defaults), strict=True))
    if given["training"]:
        raise TargetError(f"{call.name} should normalize by running statistics", got="training=True")
    return _batch_norm(call, *(given[name] for name in ("running_mean", "running_var", "weight", "bias", "eps")))


def _batch_norm(call: Call, mean: Any, variance: Any, weight: Any, bias: Any, eps: float) -> Value:  # noqa: ANN401
    if not isinstance(mean, torch.Tensor) or not isinstance(variance, torch.Tensor):
        raise TargetError(f"{call.name} should keep running statistics", got=f"{mean}, {variance}")
    gain, shift = batch_norm(copied(weight), copied(bias), float32(mean), float32(variance), eps)
    return call.assembler.normalize(call.x, gain, shift, call.name)


MODULES: Modules = {
    nn.Conv1d: _conv_module,
    nn.Conv2d: _conv_module,
    nn.Linear: _linear_module,
    nn.BatchNorm1d: _batch_norm_module,
    nn.BatchNorm2d: _batch_norm_module,
}

FUNCTIONS: Functions = {
    functional.conv1d: _conv_function,
    torch.conv1d: _conv_function,
    functional.conv2d: _conv_function,
    torch.conv2d: _conv_function,
    functional.linear: _linear_function,
    functional.batch_norm: _batch_norm_function,
    torch.batch_norm: _batch_norm_function,
}
