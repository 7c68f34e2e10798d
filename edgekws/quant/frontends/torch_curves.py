"""Functions of one value as torch has them: activations of modules and of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.quant import curves
from edgekws.quant.curves import Curve

MODULES: dict[type[nn.Module], Callable[[Any], Curve]] = {
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
    nn.PReLU: lambda _: curves.PRELU,
}
"""Modules by type -> the curve of one."""


def _constant(curve: Curve) -> Callable[[], Curve]:
    return lambda **_: curve


FUNCTIONS: dict[object, tuple[Callable[..., Curve], tuple[str, ...]]] = {
    torch.sigmoid: (_constant(curves.SIGMOID), ()),
    functional.sigmoid: (_constant(curves.SIGMOID), ()),
    "sigmoid": (_constant(curves.SIGMOID), ()),
    torch.tanh: (_constant(curves.TANH), ()),
    functional.tanh: (_constant(curves.TANH), ()),
    "tanh": (_constant(curves.TANH), ()),
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
"""Functions, and names of tensor methods -> (the curve of a call with these arguments, their names in order)."""


def slopes_of(module: nn.Module) -> torch.Tensor:
    """The parameters of the curve, float32 [1 or c], or empty."""
    if not isinstance(module, nn.PReLU):
        return torch.zeros(0)
    return module.weight.detach().to("cpu", torch.float32, copy=True)
