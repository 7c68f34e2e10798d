"""Quantized layers that combine or map values one by one: products, sums of unequal scales, tables of 256 entries.

Their integers are computed in int64 or looked up; gradients are those of the real function, within the range of the
output (straight-through, Bengio et al., arXiv 1308.3432). Products and sums are requantized by the fixed-point rule
on every target: the NPU has none of them, and a CPU runs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from edgekws.graph.attributes import Operand
from edgekws.graph.ir import FIXED_POINT_BITS, Requant
from edgekws.graph.sums import ADD_SHIFT
from edgekws.quant.float_layers import Layer, along_channels, of_one_rank
from edgekws.quant.layers import QuantizedLayer
from edgekws.quant.requantize import through

_MAX_FACTOR = 0.999
_ENTRIES = 256


class ExactLayer(QuantizedLayer):
    """A layer that computes its integers beside its gradient."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        smooth = torch.clamp(self.smooth(*inputs), self.lo, self.hi)
        with torch.no_grad():
            exact = self.exact(*(x.to(torch.int64) for x in inputs))
        return through(smooth, exact.to(smooth.dtype))

    def smooth(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The real result in steps of the output, before rounding and clipping, with gradients."""
        raise NotImplementedError

    def exact(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The integers, int64 [n, c, ...], within lo..hi."""
        raise NotImplementedError

    def requant(self, channels: int) -> Requant:
        """That of the node."""
        raise NotImplementedError

    def node_fields(self) -> dict[str, Any]:
        """Further fields of the node."""
        raise NotImplementedError


class _OfTwo(ExactLayer):
    """mul and rescaled_add. s_in: real values of one step of both inputs."""

    def __init__(self, layer: Layer, s_in: tuple[float, float], s_out: float, signed: bool) -> None:
        """s_out: requested step; larger where the factor would be above 1. A float32, as TFLite files hold scales."""
        super().__init__(layer, signed)
        self.s_in = s_in
        self.s_out = float(np.float32(max(s_out, self._unit() / _MAX_FACTOR)))
        self.mult, self.shift = fixed_point(self._unit() / self.s_out)

    def _unit(self) -> float:
        """Real value of one step of the sum or product."""
        raise NotImplementedError

    def requantized(self, total: torch.Tensor) -> torch.Tensor:
        return torch.clamp(rounded_twice(total, self.mult, self.shift), self.lo, self.hi)

    def requant(self, channels: int) -> Requant:
        mult, shift = np.full(channels, self.mult, np.int32), np.full(channels, self.shift, np.uint8)
        return Requant(np.zeros(channels, np.int32), mult, shift, self.lo, self.hi, "fixed-point")

    def node_fields(self) -> dict[str, Any]:
        return {"operands": self.operands()}

    def operands(self) -> tuple[Operand, ...]:
        """How the node reads its inputs."""
        raise NotImplementedError


class Product(_OfTwo):
    """mul: the product of two tensors, of which the second may be 1 high, wide or deep."""

    def _unit(self) -> float:
        return self.s_in[0] * self.s_in[1]

    def smooth(self, *inputs: torch.Tensor) -> torch.Tensor:
        x, y = of_one_rank(*inputs)
        return x * y * (self._unit() / self.s_out)

    def exact(self, *inputs: torch.Tensor) -> torch.Tensor:
        x, y = of_one_rank(*inputs)
        return self.requantized(x * y)

    def operands(self) -> tuple[Operand, ...]:
        return Operand(), Operand()


class RescaledSum(_OfTwo):
    """rescaled_add: the sum of two tensors of any scales, of which the second may be 1 high, wide or deep.

    Inputs are scaled to twice the larger of their steps, with 20 more bits, as TFLite's ADD does.
    """

    def __init__(self, layer: Layer, s_in: tuple[float, float], s_out: float, signed: bool) -> None:
        super().__init__(layer, s_in, s_out, signed)
        self.scalings = [fixed_point(step / (2 * max(s_in))) for step in s_in]

    def _unit(self) -> float:
        return float(np.ldexp(2 * max(self.s_in), -ADD_SHIFT))

    def smooth(self, *inputs: torch.Tensor) -> torch.Tensor:
        x, y = of_one_rank(*inputs)
        return x * (self.s_in[0] / self.s_out) + y * (self.s_in[1] / self.s_out)

    def exact(self, *inputs: torch.Tensor) -> torch.Tensor:
        pairs = zip(of_one_rank(*inputs), self.scalings, strict=True)
        first, second = (rounded_twice(x << ADD_SHIFT, *scaling) for x, scaling in pairs)
        return self.requantized(first + second)

    def operands(self) -> tuple[Operand, ...]:
        return tuple(Operand(0, mult, shift) for mult, shift in self.scalings)


class Table(ExactLayer):
    """table: a function of one value by its 256 results. Only the slopes of a PReLU are trained."""

    entries: torch.Tensor

    def __init__(self, layer: Layer, s_in: float, s_out: float, signed_in: bool, signed: bool) -> None:
        super().__init__(layer, signed)
        self.s_in, self.s_out = s_in, s_out
        steps = torch.arange(_ENTRIES, dtype=torch.float64)
        steps = torch.where(steps < _ENTRIES // 2, steps, steps - _ENTRIES) if signed_in else steps
        self.register_buffer("values", steps * s_in)
        self.slopes = nn.Parameter(layer.weight.clone()) if len(layer.weight) else None
        self.register_buffer("entries", self._entries())

    @torch.no_grad()
    def _entries(self) -> torch.Tensor:
        """int64 [1 or c, 256]: the result for each byte; on the CPU, whose functions round as they did before."""
        curve, slopes = self.float_layer.curve, self._slopes().detach().cpu().double()
        assert curve is not None
        real = curve(self.get_buffer("values").cpu()[None], slopes.view(-1, 1)).nan_to_num()
        return torch.clamp(torch.round(real / self.s_out), self.lo, self.hi).to(torch.int64)

    def _slopes(self) -> torch.Tensor:
        return self.float_layer.weight if self.slopes is None else self.slopes

    def current_entries(self) -> torch.Tensor:
        """int64 [1 or c, 256]; those of a PReLU follow its slopes."""
        return self.entries if self.slopes is None else self._entries().to(self.entries)

    def smooth(self, *inputs: torch.Tensor) -> torch.Tensor:
        (x,), slopes, curve = inputs, self._slopes(), self.float_layer.curve
        assert curve is not None
        real = curve(x * self.s_in, along_channels(slopes, x) if len(slopes) > 1 else slopes)
        return torch.nan_to_num(real) / self.s_out

    def exact(self, *inputs: torch.Tensor) -> torch.Tensor:
        entries, index = self.current_entries(), inputs[0] & (_ENTRIES - 1)
        if len(entries) == 1:
            return entries[0][index]
        rows = torch.arange(len(entries), device=index.device)
        return entries[along_channels(rows, index), index]

    def requant(self, channels: int) -> Requant:
        return Requant.identity(channels, self.lo, self.hi)

    def node_fields(self) -> dict[str, Any]:
        return {"weight": self.current_entries().cpu().numpy().astype(np.uint8).view(np.int8)}


def fixed_point(factor: float) -> tuple[int, int]:
    """(mult, shift) of the number mult / 2^31 / 2^shift that is nearest to `factor`, 0 < factor < 1."""
    fraction, exponent = np.frexp(factor)
    mult = int(np.round(np.ldexp(fraction, FIXED_POINT_BITS)))
    if mult == 1 << FIXED_POINT_BITS:
        mult, exponent = mult >> 1, exponent + 1
    return mult, min(-int(exponent), 31)


def rounded_twice(total: torch.Tensor, mult: int, shift: int) -> torch.Tensor:
    """edgekws.graph.sums.rounded_twice of int64 tensors, for shifts from 0."""
    high = (total * mult + (1 << (FIXED_POINT_BITS - 1))) >> FIXED_POINT_BITS
    mask = (1 << shift) - 1
    rest, threshold = high & mask, (mask >> 1) + (high < 0).to(torch.int64)
    return (high >> shift) + (rest > threshold).to(torch.int64)
