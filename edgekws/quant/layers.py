"""The base of all quantized layers, and those without trained parameters: sums, maxima, means, input normalization."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.graph.ir import SIGNED, UNSIGNED
from edgekws.quant.float_layers import Layer, window_sums
from edgekws.quant.requantize import requantize, through
from edgekws.training.layers import Pooling, as_examples

_TOLERANCE = 1.02
"""A factor that exceeds the target's largest by no more than this is replaced by it."""
_STORED_ZERO = 128
"""Where unsigned values are stored as int8, of which the kernels know only the byte."""
_BEYOND = 1 << 16
_UNREACHABLE_FACTOR = 2.0**40
"""Larger than any factor of a target."""


class QuantizedLayer(nn.Module):
    """One layer of a QuantNet: the integer form of a float layer.

    s_out: real value of one output step. lo, hi: the smallest and the largest output.
    """

    s_out: float

    def __init__(self, layer: Layer, signed: bool) -> None:
        super().__init__()
        self.float_layer, self.signed = layer, signed

    @property
    def lo(self) -> int:
        return max((SIGNED if self.signed else UNSIGNED)[0], self._steps(self.float_layer.low))

    @property
    def hi(self) -> int:
        return min((SIGNED if self.signed else UNSIGNED)[1], self._steps(self.float_layer.high))

    def _steps(self, limit: float) -> int:
        """A limit of the float layer as an integer, outside of every range where there is none."""
        return round(max(-_BEYOND, min(limit / self.s_out, _BEYOND)))

    @property
    def name(self) -> str:
        return self.float_layer.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of earlier layers, or INPUT."""
        return self.float_layer.inputs


class UnscaledLayer(QuantizedLayer):
    """add and max_pool: inputs and output have the same scale, so that results are only clipped."""

    def __init__(self, layer: Layer, scale: float, signed: bool) -> None:
        super().__init__(layer, signed)
        self.s_out = scale

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return torch.clamp(self.float_layer.accumulate(*inputs), self.lo, self.hi)


class WindowMean(UnscaledLayer):
    """average_pool: the mean of each window, halves away from the zero of the stored int8."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        total, count = window_sums(self.float_layer, inputs[0])
        with torch.no_grad():
            whole = torch.div(total, count, rounding_mode="floor")
            twice, zero = 2 * (total - whole * count), 0 if self.signed else _STORED_ZERO
            rounded = whole + ((twice > count) | ((twice == count) & (whole >= zero)))
        return torch.clamp(through(total / count, rounded), self.lo, self.hi)


class ScaledLayer(QuantizedLayer, Pooling):
    """global_sum_pool and scale: requantization of a sum without weights. Nothing here is trained."""

    factor: torch.Tensor
    offset: torch.Tensor

    def __init__(
        self, layer: Layer, s_in: float, s_out: float, signed: bool, target: ModuleType, channels: int, area: int
    ) -> None:
        """area: positions that are summed. s_out: requested step; larger where the factor would be too large."""
        super().__init__(layer, signed)
        gain, bias = layer.weight.double().numpy(), layer.bias.double().numpy()
        self.s_out, self.is_pool = s_out, layer.operation.is_global_pool
        if self.is_pool:
            gain, bias = np.full(channels, 1 / area), np.zeros(channels)
            exact = s_out == pool_scale(s_in, area, target)
            wanted = np.full(channels, target.pool_factor(area) if exact else s_in / (area * s_out))
            require_range(layer.name, wanted, target, 8)
            self.mult, self.shift = target.quantize_multiplier(wanted, 8)
        else:
            _require_positive(layer.name, gain)
            self.s_out = max(s_out, float(gain.max()) * s_in / target.MAX_FACTOR)
            self.mult, self.shift = target.quantize_multiplier(gain * s_in / self.s_out, 4)
        factor = factor_of(self.mult, self.shift, target)
        self.rule = target.RULE
        offset = np.round(bias / (gain * s_in) + (0.5 / factor if target.RULE == "offset-scale-shift" else 0))
        dtype = torch.float32 if self.rule == "offset-scale-shift" else torch.float64
        self.register_buffer("factor", torch.from_numpy(factor).to(dtype))
        self.register_buffer("offset", torch.from_numpy(offset.astype(np.float32)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        acc = self.float_layer.accumulate(x) if self.rows is None else _window_sums(x, self.rows)
        acc = acc.clone() if acc is x else acc
        return requantize(acc, self.offset, self.factor, self.lo, self.hi, self.rule)


def _window_sums(x: torch.Tensor, rows: int) -> torch.Tensor:
    """The sums of each window of `rows` rows, all columns: [n, c, h, w] -> [n * (h - rows + 1), c, 1, 1]."""
    return as_examples(functional.avg_pool2d(x, (rows, x.shape[3]), 1, divisor_override=1))


def _require_positive(name: str, gain: np.ndarray) -> None:
    if (gain <= 0).any():
        raise TargetError(f"{name}: gains should be positive", got=f"{gain.min():.3g} in channel {int(gain.argmin())}")


def require_range(name: str, factor: np.ndarray, target: ModuleType, bits: int) -> None:
    """Raises TargetError for a factor that the target cannot multiply by, which would clip the largest weights.

    factor: float64 [c], weight step * input scale / output scale.
    """
    mult, shift = target.quantize_multiplier(np.full(1, _UNREACHABLE_FACTOR), bits)
    largest = float(factor_of(mult, shift, target)[0])
    if factor.max() > _TOLERANCE * largest:
        channel = int(factor.argmax())
        raise TargetError(
            f"{name}: scale-range: input scale x weight scale should not exceed {largest:.3g} x the output scale",
            got=f"a ratio of {factor[channel]:.3g} in channel {channel}",
            hint="give equalize=True, which moves scale between layers, or fewer bits, or a wider output range",
        )


def factor_of(mult: np.ndarray, shift: np.ndarray, target: ModuleType) -> np.ndarray:
    """The real factor that (mult, shift) stand for on the target, float64 [c]."""
    return np.asarray(np.ldexp(mult.astype(np.float64), -shift - (31 if target.RULE == "fixed-point" else 0)))


def pool_scale(s_in: float, area: int, target: ModuleType) -> float:
    """Real value of one output step of a mean over `area` positions."""
    return float(s_in / (area * target.pool_factor(area)))


def widest_step(largest: np.ndarray, limit: int) -> np.ndarray:
    """The smallest step with which no weight is clipped, float64 [c]. largest: magnitude of each channel's weights."""
    return np.asarray(np.maximum(largest, math.ldexp(1.0, -40)) / limit)
