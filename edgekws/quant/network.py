"""QuantNet: a torch module whose forward pass IS the integer graph.

All tensors between layers are float32 that hold integers. Products and sums of integers are exact
in float32 below 2**24, so the forward pass gives exactly the integers of Graph and its interpreter;
rounding, floor and clipping pass gradients straight through (Bengio et al., arXiv 1308.3432).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from edgekws.features.spec import INPUT_SCALE
from edgekws.quant.chain import Layer, accumulate
from edgekws.quant.observe import is_signed
from edgekws.targets import tinpu

EXACT_FLOAT32 = 1 << 24


class QuantLayer(nn.Module):
    """One layer with its offset-scale-shift stage. Scales and shifts are fixed, weight and bias are trained."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, layer: Layer, s_in: float, s_out: float, limit: int) -> None:
        super().__init__()
        self.layer_name, self.kind, self.stride, self.pad = layer.name, layer.kind, layer.stride, layer.pad
        self.s_in, self.s_out, self.limit = s_in, s_out, limit
        self.lo, self.hi = (-128, 127) if is_signed(layer) else (0, 255)
        self.weight = nn.Parameter(layer.weight.clone())
        self.bias = nn.Parameter(layer.bias.clone())
        largest = layer.weight.abs().flatten(1).amax(1).double().numpy()
        alive = np.where(largest > 0, largest, largest.max(initial=0) or 1.0)  # dead channels follow the others
        _, shift = tinpu.stage(alive * s_in / (limit * s_out), 8)
        self.register_buffer("shift", torch.from_numpy(shift.astype(np.float32)))
        self.register_buffer("scale", torch.from_numpy(np.ldexp(s_out / s_in, -shift).astype(np.float32)))

    def integer_weight(self) -> torch.Tensor:
        shape = (-1, *([1] * (self.weight.ndim - 1)))
        return torch.clamp(_round(self.weight / self.scale.view(shape)), -self.limit, self.limit)

    def offset(self) -> torch.Tensor:
        """The bias in accumulator steps, plus half an output step that turns floor into rounding."""
        return _round(self.bias / (self.scale * self.s_in)) + torch.exp2(self.shift - 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        acc = accumulate(self.kind, x, self.integer_weight(), self.stride, self.pad)
        return self.requantize(acc)

    def requantize(self, acc: torch.Tensor) -> torch.Tensor:
        shape = (1, -1, *([1] * (acc.ndim - 2)))
        scaled = (acc + self.offset().view(shape)) * torch.exp2(-self.shift).view(shape)
        return torch.clamp(_floor(scaled), self.lo, self.hi)


class QuantPool(nn.Module):
    """The mean of all positions as sum, offset, shift."""

    def __init__(self, layer: Layer, s_in: float, area: int) -> None:
        super().__init__()
        self.layer_name, self.kind, self.area = layer.name, layer.kind, area
        self.shift = round(-np.log2(tinpu.pool_factor(area)))
        self.s_in, self.s_out = s_in, s_in * 2**self.shift / area

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = x.sum(dim=(2, 3), keepdim=True)
        return _floor((total + 2 ** (self.shift - 1)) / 2**self.shift)


class QuantNet(nn.Sequential):
    """Features (float32, int8 steps times INPUT_SCALE) -> logits (float32, integers times `score_scale`)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = _round(x / INPUT_SCALE)
        for stage in self:
            scores = stage(scores)
        return scores.flatten(1) * self.score_scale

    @property
    def score_scale(self) -> float:
        return float(self[-1].s_out)  # type: ignore[arg-type]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return rounded

    @staticmethod
    def backward(ctx: object, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ARG004
        return grads[0], None


def _round(x: torch.Tensor) -> torch.Tensor:
    return _straight_through(x, torch.round(x.detach()))


def _floor(x: torch.Tensor) -> torch.Tensor:
    return _straight_through(x, torch.floor(x.detach()))


def _straight_through(x: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
    passed: torch.Tensor = _StraightThrough.apply(x, rounded)  # type: ignore[no-untyped-call]
    return passed
