"""The trained layers of a QuantNet: convolutions and linear layers."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from edgekws.graph.ir import UNSIGNED
from edgekws.quant.float_layers import Layer
from edgekws.quant.layers import QuantizedLayer, factor_of, require_range
from edgekws.quant.requantize import normalize, requantize, round_through, through

_MOMENTUM = 0.1
_EPSILON = 1e-3
"""Of variances, in squared steps of the accumulator."""
_MIN_GAIN = 1e-5
EXACT_FLOAT32 = 1 << 24
"""float32 holds every integer up to here."""
_USABLE_OFFSET = 0.999
"""Fraction of an offset's range that is used; the rest is a margin for float32's rounding."""


@dataclass(frozen=True)
class QuantParameters:
    """Quantization parameters of a layer.

    s_in, s_out: real values of one step of its input and output. limit: the largest weight integer.
    step: float64 [c], requested real value of one weight step; the nearest that the target can express is used.
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
    """Of sums [n, c, ...], over all axes but c."""
    others = [axis for axis in range(sums.ndim) if axis != 1]
    return Moments(sums.mean(others), sums.std(others, correction=0))


class Weighted(QuantizedLayer):
    """A convolution or linear layer, its sums computed with integer weights.

    step: [c], real value of one weight step. It is constant; training changes the integer of each weight.
    """

    step: torch.Tensor

    def __init__(self, layer: Layer, parameters: QuantParameters) -> None:
        super().__init__(layer, parameters.signed)
        s_in, s_out, step = parameters.s_in, parameters.s_out, parameters.step
        bits, target = parameters.bits, parameters.target
        require_range(layer.name, step * s_in / s_out, target, bits)
        self.s_in, self.s_out, self.bits, self.limit = s_in, s_out, bits, parameters.limit
        self.rule, self.quantize_multiplier = target.RULE, target.quantize_multiplier
        self.max_offset = target.offset_limit(bits)
        self.weight = nn.Parameter(layer.weight.clone())
        self.bias = nn.Parameter(layer.bias.clone())
        if self.rule == "fixed-point":  # TFLite files hold scales as float32 and compute the multiplier from them
            step = step.astype(np.float32).astype(np.float64)
        mult, shift = target.quantize_multiplier(step * s_in / s_out, bits)
        self.initial_factor = factor_of(mult, shift, target)
        self.register_buffer("step", torch.from_numpy(self.initial_factor * s_out / s_in).float())

    def factor(self) -> torch.Tensor:
        """The factor of the requantization, [c]: always one that the hardware can multiply by."""
        raise NotImplementedError

    def integer_offset(self, factor: torch.Tensor) -> torch.Tensor:
        """The offset of the requantization, [c]; it includes half an output step where the rule ends in a floor."""
        raise NotImplementedError

    def bias_of(self, offset: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """The bias that gives this offset, [c]."""
        raise NotImplementedError

    def correct(self, real: Moments, x: torch.Tensor) -> None:
        """Match the statistics of the float layer's outputs.

        real: moments of the float layer's sums. x: the layer's input, integers.
        """
        raise NotImplementedError

    def multiplier(self) -> tuple[np.ndarray, np.ndarray]:
        """(mult, shift), int64 [c], as the hardware stores the factor."""
        mult, shift = self.quantize_multiplier(self.factor().detach().double().numpy(), self.bits)
        return np.asarray(mult), np.asarray(shift)

    def integer_weight(self) -> torch.Tensor:
        """Integers as float32, in the shape of the weight, with straight-through gradients."""
        return torch.clamp(round_through(self.weight / self._along_filters(self.step)), -self.limit, self.limit)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, factor = self.integer_weight(), self.factor()
        offset = self.integer_offset(factor)
        if self.training or self._is_exact(weight, offset):
            acc = self.float_layer.accumulate(x, weight=weight)
            return requantize(acc, offset, factor, self.lo, self.hi, self.rule)
        acc = self.float_layer.accumulate(x.double(), weight=weight.double())
        return requantize(acc, offset.double(), factor.double(), self.lo, self.hi, self.rule).float()

    @torch.no_grad()
    def _is_exact(self, weight: torch.Tensor, offset: torch.Tensor) -> bool:
        """Whether float32 holds every sum, and every product of a multiplier that does not clip anyway.

        Training does without: a sum beyond 2^24 is off by a few millionths there, and no gradient depends on that.
        """
        worst = weight.flatten(1).abs().sum(1) * UNSIGNED[1] + offset.abs()
        if self.rule == "fixed-point":
            return bool(worst.max() < EXACT_FLOAT32)
        mult, shift = map(torch.from_numpy, self.multiplier())
        clips = (EXACT_FLOAT32 >> shift) > UNSIGNED[1]
        return bool(((worst < EXACT_FLOAT32) & ((worst * mult < EXACT_FLOAT32) | clips)).all())

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Clamp weights and offsets. A weight that left its range would not return: the clamp gives it no gradient."""
        factor = self.factor()
        offset, limit = self.integer_offset(factor), _USABLE_OFFSET * self.max_offset
        self.bias.copy_(torch.where(offset.abs() > limit, self.bias_of(offset.clamp(-limit, limit), factor), self.bias))
        bound = (self.limit + 0.49) * self._along_filters(self.step)
        self.weight.clamp_(-bound, bound)

    def _along_filters(self, values: torch.Tensor) -> torch.Tensor:
        return values.view(-1, *([1] * (self.weight.ndim - 1)))


class FixedScale(Weighted):
    """Scales stay as calibrated: 8-bit weights, whose factor is a power of two, and the fixed-point rule."""

    constant: torch.Tensor

    def __init__(self, layer: Layer, parameters: QuantParameters) -> None:
        super().__init__(layer, parameters)
        constant = torch.from_numpy(self.initial_factor)
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
    def correct(self, real: Moments, x: torch.Tensor) -> None:
        """Bias correction: move the bias by the mean error (Nagel et al., arXiv 1906.04721, section 4.2)."""
        sums = channel_moments(self.float_layer.accumulate(x, weight=self.integer_weight()))
        self.bias.copy_(self.float_layer.bias + real.mean - sums.mean * self.step * self.s_in)


class Normalized(Weighted):
    """4- and 2-bit weights: the hardware's multiplier per channel implements batch normalization of the sums.

    With few weight levels, the mean and deviation of a channel jump when one weight changes. While `normalizes` is
    set, training takes both from the batch (Ioffe and Szegedy, arXiv 1502.03167) and updates the running ones, as in a
    float network. Evaluation, and training afterwards, fold the running ones into offset and multiplier and compute
    the integers.

    gain, bias: [c], standard deviation and mean of the layer's real outputs; mean, variance: of its integer sums.
    """

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, layer: Layer, parameters: QuantParameters) -> None:
        super().__init__(layer, parameters)
        self.normalizes = True
        self.gain = nn.Parameter(self.step * self.s_in)
        self.register_buffer("mean", torch.zeros(len(self.step)))
        self.register_buffer("variance", torch.full((len(self.step),), 1 - _EPSILON))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not (self.training and self.normalizes):
            return super().forward(x)
        acc = self.float_layer.accumulate(x, weight=self.integer_weight())
        gain, bias = self.gain / self.s_out, self.bias / self.s_out + 0.5  # the half turns floor into round
        return normalize(acc, (self.mean, self.variance), gain, bias, _MOMENTUM, _EPSILON, self.lo, self.hi)

    def factor(self) -> torch.Tensor:
        ideal = self.gain / (self._deviation() * self.s_out)
        mult, shift = self.quantize_multiplier(ideal.detach().double().numpy(), self.bits)
        return through(ideal, torch.from_numpy(np.ldexp(mult.astype(np.float64), -shift)).float())

    def integer_offset(self, factor: torch.Tensor) -> torch.Tensor:
        return round_through(self.bias * self._deviation() / self.gain - self.mean + 0.5 / factor)

    def bias_of(self, offset: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return (offset + self.mean - 0.5 / factor) * self.gain / self._deviation()

    @torch.no_grad()
    def correct(self, real: Moments, x: torch.Tensor) -> None:
        """Set gain and bias so that mean and standard deviation of the outputs are those of the float layer's."""
        sums = channel_moments(self.float_layer.accumulate(x, weight=self.integer_weight()))
        varies = sums.deviation > 0  # ternary filters may be all zeros
        self.mean.copy_(sums.mean)
        self.variance.copy_(torch.where(varies, sums.deviation.square(), self.variance))
        self.bias.copy_(self.float_layer.bias + real.mean)
        least = (self._deviation() * self._least_scale()).clamp(min=_MIN_GAIN)
        self.gain.copy_(torch.maximum(torch.where(varies, real.deviation, self.gain), least))

    def _least_scale(self) -> torch.Tensor:
        """The smallest real value of one step of the sums with which the offset fits, [c]; 0 where none is too small.

        The offset is what is left of the bias, and of the half step of rounding, after the mean of the sums is
        subtracted: a mean of the same sign makes room for a larger bias.
        """
        wanted = self.bias + self.s_out / 2
        room = _USABLE_OFFSET * self.max_offset + self.mean * wanted.sign()
        return torch.where(room > 0, wanted.abs() / room, 0.0)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.gain.clamp_(min=_MIN_GAIN)  # multipliers are positive
        super().keep_in_range()

    def _deviation(self) -> torch.Tensor:
        return torch.sqrt(self.variance + _EPSILON)


def least_step(bias: torch.Tensor, s_in: float, s_out: float, max_offset: int) -> torch.Tensor:
    """The smallest weight step of each channel with which its bias, and half an output step, fits the offset, [c].

    Half of the offset's range is left to the mean of the sums.
    """
    return (bias.abs() + s_out / 2) / (s_in * (max_offset / 2))


def weighted_layer(layer: Layer, parameters: QuantParameters) -> Weighted:
    """The quantized form of a float layer with weights, for these bits and this target."""
    has_multiplier = parameters.bits < 8 and parameters.target.RULE == "offset-scale-shift"
    return Normalized(layer, parameters) if has_multiplier else FixedScale(layer, parameters)
