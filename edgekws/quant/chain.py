"""A trained nn.Sequential as a chain of plain layers, batch normalization folded in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.nets._layers import GlobalAveragePool, Pad

Kind = Literal["conv2d", "depthwise_conv2d", "global_sum_pool", "linear"]
SUPPORTED = "Pad, Conv2d, BatchNorm2d, ReLU, Dropout, GlobalAveragePool, Flatten, Linear"


@dataclass(frozen=True)
class Layer:
    """weight: float [c_out, c_in / groups, k_h, k_w] or [c_out, n]; bias: float [c_out].

    pad: (top, bottom, left, right).
    """

    name: str
    kind: Kind
    weight: torch.Tensor
    bias: torch.Tensor
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    relu: bool = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = accumulate(self.kind, x, self.weight, self.stride, self.pad)
        if self.kind == "global_sum_pool":
            y = y / (x.shape[2] * x.shape[3])
        y = y + self.bias.view(1, -1, *([1] * (y.ndim - 2)))
        return functional.relu(y) if self.relu else y


def accumulate(
    kind: Kind, x: torch.Tensor, weight: torch.Tensor, stride: tuple[int, int], pad: tuple[int, int, int, int]
) -> torch.Tensor:
    """Sum of products, without bias. Exact when x and weight hold integers and no sum reaches 2**24."""
    if kind == "global_sum_pool":
        return x.sum(dim=(2, 3), keepdim=True)
    if kind == "linear":
        return functional.linear(x.flatten(1), weight)
    top, bottom, left, right = pad
    groups = x.shape[1] if kind == "depthwise_conv2d" else 1
    if top == bottom and left == right:
        return functional.conv2d(x, weight, stride=stride, padding=(top, left), groups=groups)
    return functional.conv2d(functional.pad(x, (left, right, top, bottom)), weight, stride=stride, groups=groups)


@torch.no_grad()
def fold(network: nn.Sequential) -> list[Layer]:
    """Raises TargetError that names the first layer which no Graph node can express."""
    layers: list[Layer] = []
    pad = (0, 0, 0, 0)
    for number, module in enumerate(network):
        if isinstance(module, Pad):
            pad = module.sides
        elif isinstance(module, nn.Conv2d):
            layers.append(_conv(module, pad, layers, number))
            pad = (0, 0, 0, 0)
        elif isinstance(module, nn.BatchNorm2d | nn.ReLU):
            layers.append(_absorb(layers.pop() if layers else None, module, number))
        elif isinstance(module, GlobalAveragePool):
            channels = len(layers[-1].bias)
            layers.append(Layer("pool", "global_sum_pool", torch.zeros(0), torch.zeros(channels)))
        elif isinstance(module, nn.Linear):
            bias = torch.zeros(module.out_features) if module.bias is None else module.bias.detach().clone()
            layers.append(Layer(_name("fc", layers), "linear", module.weight.detach().clone(), bias))
        elif not isinstance(module, nn.Dropout | nn.Flatten | nn.Identity):
            raise TargetError(f"layer {number} should be one of {SUPPORTED}", got=type(module).__name__)
    return layers


def run_chain(layers: list[Layer], x: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        x = layer.forward(x)
    return x


def _conv(module: nn.Conv2d, pad: tuple[int, int, int, int], before: list[Layer], number: int) -> Layer:
    if module.dilation != (1, 1) or module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise TargetError(
            f"layer {number} should be a convolution without dilation, padded by numbers", got=str(module)
        )
    depthwise = module.groups == module.in_channels == module.out_channels and module.groups > 1
    if module.groups != 1 and not depthwise:
        raise TargetError(f"layer {number} should have 1 group or be depthwise", got=f"{module.groups} groups")
    own = (module.padding[0], module.padding[0], module.padding[1], module.padding[1])
    sides = tuple(a + b for a, b in zip(pad, own, strict=True))
    prefix = "dw" if depthwise else "pw" if module.kernel_size == (1, 1) else "conv"
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias.detach().clone()
    kind: Kind = "depthwise_conv2d" if depthwise else "conv2d"
    stride, top_to_right = (module.stride[0], module.stride[1]), (sides[0], sides[1], sides[2], sides[3])
    return Layer(_name(prefix, before), kind, module.weight.detach().clone(), bias, stride, top_to_right)


def _absorb(layer: Layer | None, module: nn.Module, number: int) -> Layer:
    if layer is None or layer.relu or layer.kind == "global_sum_pool":
        raise TargetError(f"layer {number} should follow a convolution or a linear layer", got=type(module).__name__)
    if isinstance(module, nn.ReLU):
        return replace(layer, relu=True)
    assert isinstance(module, nn.BatchNorm2d) and module.running_var is not None and module.running_mean is not None
    gain = module.weight / torch.sqrt(module.running_var + module.eps)
    weight = layer.weight * gain.view(-1, *([1] * (layer.weight.ndim - 1)))
    bias = (layer.bias - module.running_mean) * gain + module.bias
    return replace(layer, weight=weight.detach(), bias=bias.detach())


def _name(prefix: str, before: list[Layer]) -> str:
    count = sum(layer.name.startswith(prefix) for layer in before)
    return prefix if prefix == "fc" and not count else f"{prefix}{count + 1}"
