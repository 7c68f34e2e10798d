"""The stages of a QuantNet that are trained: convolutions and linear layers."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from edgekws.quant.float_layers import Layer
from edgekws.quant.layers import Stage, factor_of, require_range
from edgekws.quant.stage import normalize, requantize, round_through, through

_MOMENTUM = 0.1
_EPSILON = 1e-3
"""Of variances, in squared steps of the accumulator."""
_LEAST_GAIN = 1e-5
_OFFSET_KEPT = 0.999
"""Of an offset's range; the rest is for float32's rounding."""


@dataclass(frozen=True)
class Numbers:
    """What a layer computes with.

    s_in, s_out: real values of one step of its input and output. limit: the largest weight integer.
    step: float64 [c], the wanted real value of one weight step; the nearest legal one is used.
    """

    s_in: float
    s_out: float
    signed: bool
    target: ModuleType
    bits: int
    limit: int
    step: np.ndarray


class Moments(NamedTuple):
    """Mean and standard deviation of each channel, [c]."""

    mean: torch.Tensor
    deviation: torch.Tensor


def channel_moments(sums: torch.Tensor) -> Moments:
    """sums: [n, c, ...]"""
    others = [axis for axis in range(sums.ndim) if axis != 1]
    return Moments(sums.mean(others), sums.std(others, correction=0))


class Weighted(Stage):
    """A convolution or linear layer, its sums computed with integer weights.

    step: [c], real value of one weight step. It stays; what is trained is which integers the weights are.
    """

    step: torch.Tensor

    def __init__(self, layer: Layer, numbers: Numbers) -> None:
        super().__init__(layer, numbers.signed)
        s_in, s_out, bits, target, step = numbers.s_in, numbers.s_out, numbers.bits, numbers.target, numbers.step
        require_range(layer.name, step * s_in / s_out, target, bits)
        self.s_in, self.s_out, self.bits, self.limit = s_in, s_out, bits, numbers.limit
        self.rule, self.hardware, self.most_offset = target.RULE, target.quantize_multiplier, target.offset_limit(bits)
        self.weight = nn.Parameter(layer.weight.clone())
        self.bias = nn.Parameter(layer.bias.clone())
        if self.rule == "fixed-point":  # TFLite files hold scales as float32 and compute the multiplier from them
            step = step.astype(np.float32).astype(np.float64)
        mult, shift = target.quantize_multiplier(step * s_in / s_out, bits)
        self.start = factor_of(mult, shift, target)
        self.register_buffer("step", torch.from_numpy(self.start * s_out / s_in).float())

    def factor(self) -> torch.Tensor:
        """What the hardware multiplies the sum by, [c]: always one of its multipliers."""
        raise NotImplementedError

    def integer_offset(self, factor: torch.Tensor) -> torch.Tensor:
        """What the hardware adds to the sum, [c]; half an output step with it where the stage ends in a floor."""
        raise NotImplementedError

    def bias_of(self, offset: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """The bias that gives this offset, [c]."""
        raise NotImplementedError

    def correct(self, wanted: Moments, x: torch.Tensor) -> None:
        """Make the layer's outputs as the float layer's are on average. wanted: of the real sums; x: integers."""
        raise NotImplementedError

    def multiplier(self) -> tuple[np.ndarray, np.ndarray]:
        """(mult, shift), int64 [c], as the hardware stores the factor."""
        mult, shift = self.hardware(self.factor().detach().double().numpy(), self.bits)
        return np.asarray(mult), np.asarray(shift)

    def integer_weight(self) -> torch.Tensor:
        return torch.clamp(round_through(self.weight / self._along_filters(self.step)), -self.limit, self.limit)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        acc = self.layer.accumulate(x, weight=self.integer_weight())
        factor = self.factor()
        return requantize(acc, self.integer_offset(factor), factor, self.lo, self.hi, self.rule)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Weights that left the range would not come back, the clamp gives them no gradient; offsets have few bits."""
        factor = self.factor()
        offset, most = self.integer_offset(factor), _OFFSET_KEPT * self.most_offset
        self.bias.copy_(torch.where(offset.abs() > most, self.bias_of(offset.clamp(-most, most), factor), self.bias))
        bound = (self.limit + 0.49) * self._along_filters(self.step)
        self.weight.clamp_(-bound, bound)

    def _along_filters(self, values: torch.Tensor) -> torch.Tensor:
        return values.view(-1, *([1] * (self.weight.ndim - 1)))


class Fixed(Weighted):
    """Scales stay as calibrated: 8-bit weights, whose factor is a power of two, and the fixed-point rule."""

    constant: torch.Tensor

    def __init__(self, layer: Layer, numbers: Numbers) -> None:
        super().__init__(layer, numbers)
        constant = torch.from_numpy(self.start)
        self.register_buffer("constant", constant.float() if self.rule == "offset-scale-shift" else constant)

    def factor(self) -> torch.Tensor:
        return self.constant

    def integer_offset(self, factor: torch.Tensor) -> torch.Tensor:
        bias = self.bias / (self.step * self.s_in)
        return round_through(bias if self.rule == "fixed-point" else bias + 0.5 / factor)

    def bias_of(self, offset: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        half = 0.0 if self.rule == "fixed-point" else 0.5 / factor
        return (offset - half) * (self.step * self.s_in)

    @torch.no_grad()
    def correct(self, wanted: Moments, x: torch.Tensor) -> None:
        """Move the bias by the mean error (Nagel et al., arXiv 1906.04721, section 4.2)."""
        found = channel_moments(self.layer.accumulate(x, weight=self.integer_weight()))
        self.bias.copy_(self.layer.bias + wanted.mean - found.mean * self.step * self.s_in)


class Normalized(Weighted):
    """4- and 2-bit weights: the hardware's multiplier is free, so it carries a batch normalization of the sums.

    Few integers make a channel's mean and spread jump when one weight changes. As long as `normalizes`, training
    takes both from the batch (Ioffe and Szegedy, arXiv 1502.03167), as with a float network, and keeps running ones;
    evaluation, and training afterwards, fold the running ones into offset and multiplier: the integers.

    gain, bias: [c], standard deviation and mean of the layer's real outputs; mean, variance: of its integer sums.
    """

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, layer: Layer, numbers: Numbers) -> None:
        super().__init__(layer, numbers)
        self.normalizes = True
        self.gain = nn.Parameter(self.step * self.s_in)
        self.register_buffer("mean", torch.zeros(len(self.step)))
        self.register_buffer("variance", torch.full((len(self.step),), 1 - _EPSILON))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not (self.training and self.normalizes):
            return super().forward(x)
        acc = self.layer.accumulate(x, weight=self.integer_weight())
        gain, bias = self.gain / self.s_out, self.bias / self.s_out + 0.5  # the half makes a floor a rounding
        return normalize(acc, (self.mean, self.variance), gain, bias, _MOMENTUM, _EPSILON, self.lo, self.hi)

    def factor(self) -> torch.Tensor:
        wanted = self.gain / (self._deviation() * self.s_out)
        mult, shift = self.hardware(wanted.detach().double().numpy(), self.bits)
        return through(wanted, torch.from_numpy(np.ldexp(mult.astype(np.float64), -shift)).float())

    def integer_offset(self, factor: torch.Tensor) -> torch.Tensor:
        return round_through(self.bias * self._deviation() / self.gain - self.mean + 0.5 / factor)

    def bias_of(self, offset: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return (offset + self.mean - 0.5 / factor) * self.gain / self._deviation()

    @torch.no_grad()
    def correct(self, wanted: Moments, x: torch.Tensor) -> None:
        """Mean and standard deviation of the sums become those of the float layer's."""
        found = channel_moments(self.layer.accumulate(x, weight=self.integer_weight()))
        alive = found.deviation > 0  # ternary filters may be all zeros
        self.mean.copy_(found.mean)
        self.variance.copy_(torch.where(alive, found.deviation.square(), self.variance))
        self.bias.copy_(self.layer.bias + wanted.mean)
        least = self._deviation() * least_step(self.bias, 1.0, self.s_out, self.most_offset)
        self.gain.copy_(torch.maximum(torch.where(alive, wanted.deviation, self.gain), least.clamp(min=_LEAST_GAIN)))

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.gain.clamp_(min=_LEAST_GAIN)  # multipliers are positive
        super().keep_in_range()

    def _deviation(self) -> torch.Tensor:
        return torch.sqrt(self.variance + _EPSILON)


def least_step(bias: torch.Tensor, s_in: float, s_out: float, most_offset: int) -> torch.Tensor:
    """The smallest weight step of each channel with which its bias, and half an output step, fits the offset, [c].

    Half of the offset's range is left to the mean of the sums.
    """
    return (bias.abs() + s_out / 2) / (s_in * (most_offset / 2))


def weighted(layer: Layer, numbers: Numbers) -> Weighted:
    """The stage for these bits on this target."""
    free = numbers.bits < 8 and numbers.target.RULE == "offset-scale-shift"
    return Normalized(layer, numbers) if free else Fixed(layer, numbers)
