"""Operations with weights: convolutions, linear layers and normalizations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Sides, Value, batch_norm, float32
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, copied, pair


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
    if pair(dilation) != (1, 1):
        expected = f"{call.name} should be a convolution without dilation"
        raise TargetError(expected, got=f"a dilation of {dilation}")
    pad = _own_padding(padding, (weight.shape[2], weight.shape[3]))
    return call.assembler.conv(call.x, weight, bias, pair(stride), pad, int(groups), call.name)


def _own_padding(padding: object, kernel: tuple[int, int]) -> Sides:
    """torch's "same" allows strides of 1 only; with an even kernel the extra zeros go below and to the right."""
    if padding == "same":
        rows, columns = kernel[0] - 1, kernel[1] - 1
        return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
    vertical, horizontal = (0, 0) if padding == "valid" else pair(padding)
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
    statistics = float32(module.running_mean), float32(module.running_var)
    gain, shift = batch_norm(copied(module.weight), copied(module.bias), *statistics, module.eps)
    return call.assembler.normalize(call.x, gain, shift, call.name)


MODULES: Modules = {
    nn.Conv2d: _conv_module,
    nn.Linear: _linear_module,
    nn.BatchNorm2d: _batch_norm_module,
    nn.BatchNorm1d: _batch_norm_module,
}

FUNCTIONS: Functions = {
    functional.conv2d: _conv_function,
    torch.conv2d: _conv_function,
    functional.linear: _linear_function,
}
