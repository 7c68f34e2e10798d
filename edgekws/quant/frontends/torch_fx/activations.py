"""Functions of one value, and gates: activations of modules and of calls, products of tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.quant import curves
from edgekws.quant.curves import Curve
from edgekws.quant.frontends.assemble import Value, float32
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules
from edgekws.quant.frontends.torch_fx.pointwise import constant_of, operands

_NO_SLOPES = torch.zeros(0)

_OF_MODULES: dict[type[nn.Module], Callable[[Any], Curve]] = {
    nn.Sigmoid: lambda _: curves.SIGMOID,
    nn.Tanh: lambda _: curves.TANH,
    nn.Hardswish: lambda _: curves.HARD_SWISH,
    nn.Hardsigmoid: lambda _: curves.hard_sigmoid(),
    nn.SiLU: lambda _: curves.SILU,
    nn.Mish: lambda _: curves.MISH,
    nn.SELU: lambda _: curves.SELU,
    nn.Softsign: lambda _: curves.SOFTSIGN,
    nn.Softplus: lambda module: curves.softplus(module.beta, module.threshold),
    nn.GELU: lambda module: curves.gelu(module.approximate),
    nn.ELU: lambda module: curves.elu(module.alpha),
    nn.CELU: lambda module: curves.celu(module.alpha),
    nn.LeakyReLU: lambda module: curves.leaky_relu(module.negative_slope),
}
"""By class: the curve of a module."""


def _constant(curve: Curve) -> Callable[[], Curve]:
    return lambda **_: curve


_OF_FUNCTIONS: dict[object, tuple[Callable[..., Curve], tuple[str, ...]]] = {
    torch.sigmoid: (_constant(curves.SIGMOID), ()),
    functional.sigmoid: (_constant(curves.SIGMOID), ()),
    "sigmoid": (_constant(curves.SIGMOID), ()),
    torch.tanh: (_constant(curves.TANH), ()),
    functional.tanh: (_constant(curves.TANH), ()),
    "tanh": (_constant(curves.TANH), ()),
    torch.erf: (_constant(curves.ERF), ()),
    "erf": (_constant(curves.ERF), ()),
    torch.abs: (_constant(curves.ABS), ()),
    "abs": (_constant(curves.ABS), ()),
    torch.sqrt: (_constant(curves.SQRT), ()),
    "sqrt": (_constant(curves.SQRT), ()),
    functional.hardswish: (_constant(curves.HARD_SWISH), ("inplace",)),
    functional.hardsigmoid: (lambda **_: curves.hard_sigmoid(), ("inplace",)),
    functional.silu: (_constant(curves.SILU), ("inplace",)),
    functional.mish: (_constant(curves.MISH), ("inplace",)),
    functional.selu: (_constant(curves.SELU), ("inplace",)),
    functional.softsign: (_constant(curves.SOFTSIGN), ()),
    functional.softplus: (lambda beta=1.0, threshold=20.0: curves.softplus(beta, threshold), ("beta", "threshold")),
    functional.gelu: (lambda approximate="none": curves.gelu(approximate), ("approximate",)),
    functional.elu: (lambda alpha=1.0, **_: curves.elu(alpha), ("alpha", "inplace")),
    functional.celu: (lambda alpha=1.0, **_: curves.celu(alpha), ("alpha", "inplace")),
    functional.leaky_relu: (
        lambda negative_slope=0.01, **_: curves.leaky_relu(negative_slope),
        ("negative_slope", "inplace"),
    ),
}
"""By function or name of a method: the curve of a call with these arguments, and their names in order."""


def _module(call: Call) -> Value:
    curve = next(make(call.module) for kind, make in _OF_MODULES.items() if isinstance(call.module, kind))
    return call.assembler.curve(call.x, curve, _NO_SLOPES, call.name)


def _function(call: Call) -> Value:
    target = call.node.target
    make, names = _OF_FUNCTIONS[target if callable(target) else str(target)]
    given = call.arguments(*names, **dict.fromkeys(names))
    chosen = {name: value for name, value in zip(names, given, strict=True) if value is not None}
    return call.assembler.curve(call.x, make(**chosen), _NO_SLOPES, call.name)


def _prelu_module(call: Call) -> Value:
    return call.assembler.curve(call.x, curves.PRELU, float32(call.module.weight), call.name)


def _prelu_function(call: Call) -> Value:
    slopes, _ = call.parameters(call.arguments("weight")[0], None)
    return call.assembler.curve(call.x, curves.PRELU, slopes, call.name)


def _mul(call: Call) -> Value:
    x, y = operands(call)
    if x is y:
        return call.assembler.curve(call.x, curves.SQUARE, _NO_SLOPES, call.name)
    if isinstance(x, Value) and isinstance(y, Value):
        return call.assembler.mul(x, y, call.name)
    return call.assembler.affine(call.x, constant_of(x, y), 0.0, call.name)


MODULES: Modules = {**dict.fromkeys(_OF_MODULES, _module), nn.PReLU: _prelu_module}

FUNCTIONS: Functions = {
    **dict.fromkeys(_OF_FUNCTIONS, _function),
    functional.prelu: _prelu_function,
    torch.prelu: _prelu_function,
    operator.mul: _mul,
    operator.imul: _mul,
    torch.mul: _mul,
    "mul": _mul,
    "mul_": _mul,
}
