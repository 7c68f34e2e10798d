"""QuantNet: a torch module whose forward pass IS the integer graph.

All tensors between layers are float32 that hold integers, and every stage computes what the target's hardware
computes (`stage`), so that lowering only reads integers off. What is trained: the weights and biases as real
numbers, and at 4 and 2 bits the weight step of each channel (learned step size, Esser et al., arXiv 1902.08153),
which always is one that the hardware's multiplier can express.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import torch
from torch import nn

from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import INPUT
from edgekws.quant.plain import Layer, Tensors
from edgekws.quant.stage import requantize, round_through

EXACT_FLOAT32 = 1 << 24
_NEAREST = 1.02
"""So much more than the largest factor of a stage is taken for it."""
_ENORMOUS = 2.0**40


class Stage(nn.Module):
    """One layer of a QuantNet. s_out: real value of one output step."""

    s_out: float

    def __init__(self, layer: Layer, signed: bool) -> None:
        super().__init__()
        self.layer = layer
        self.lo, self.hi = (-128, 127) if signed else (0, 255)


class Joined(Stage):
    """add and max_pool: integers of one scale, clipped."""

    def __init__(self, layer: Layer, scale: float, signed: bool) -> None:
        super().__init__(layer, signed)
        self.s_out = scale

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return torch.clamp(self.layer.accumulate(*inputs), self.lo, self.hi)


class Scaled(Stage):
    """global_sum_pool and scale: a sum without weights, offset and multiplied. Nothing here is trained."""

    factor: torch.Tensor
    offset: torch.Tensor

    def __init__(
        self, layer: Layer, s_in: float, s_out: float, signed: bool, target: ModuleType, channels: int, area: int
    ) -> None:
        """area: positions that are summed. s_out: as wanted; wider where the target cannot multiply by so much."""
        super().__init__(layer, signed)
        gain, bias = layer.weight.double().numpy(), layer.bias.double().numpy()
        self.s_out = s_out
        if layer.kind == "global_sum_pool":  # s_out is what makes this factor exact
            gain, bias = np.full(channels, 1 / area), np.zeros(channels)
            self.mult, self.shift = target.stage(np.full(channels, target.pool_factor(area)), 8)
        else:
            _require_positive(layer.name, gain)
            self.s_out = max(s_out, float(gain.max()) * s_in / target.MAX_FACTOR)
            self.mult, self.shift = target.stage(gain * s_in / self.s_out, 4)
        factor = factor_of(self.mult, self.shift, target)
        self.rule = target.RULE
        offset = np.round(bias / (gain * s_in) + (0.5 / factor if target.RULE == "offset-scale-shift" else 0))
        dtype = torch.float32 if self.rule == "offset-scale-shift" else torch.float64
        self.register_buffer("factor", torch.from_numpy(factor).to(dtype))
        self.register_buffer("offset", torch.from_numpy(offset.astype(np.float32)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        acc = self.layer.accumulate(x)
        acc = acc.clone() if acc is x else acc
        return requantize(acc, self.offset, self.factor, self.lo, self.hi, self.rule)


class Weighted(Stage):
    """A convolution or linear layer with its stage.

    log_step: [c], how far the weight steps have been trained away from those of calibration (4 and 2 bits).
    """

    step: torch.Tensor
    exponent: torch.Tensor
    fixed_factor: torch.Tensor

    def __init__(
        self, layer: Layer, s_in: float, s_out: float, signed: bool, target: ModuleType, bits: int, limit: int,
        step: np.ndarray,
    ) -> None:  # fmt: skip
        """step: float64 [c], the wanted real value of one weight step; the nearest legal one is used."""
        super().__init__(layer, signed)
        self.s_in, self.s_out, self.bits, self.limit, self.rule = s_in, s_out, bits, limit, target.RULE
        if self.rule == "fixed-point":  # TFLite files hold scales as float32 and compute the multiplier from them
            step = step.astype(np.float32).astype(np.float64)
        mult, shift = target.stage(step * s_in / s_out, bits)
        factor = factor_of(mult, shift, target)
        require_range(layer.name, step * s_in / s_out, target, bits)
        self.weight = nn.Parameter(layer.weight.clone())
        self.bias = nn.Parameter(layer.bias.clone())
        self.learns_step = bits < 8 and self.rule == "offset-scale-shift"
        if self.learns_step:
            self.log_step = nn.Parameter(torch.zeros(len(step)))
        wide = torch.float32 if self.rule == "offset-scale-shift" else torch.float64
        self.register_buffer("step", torch.from_numpy(factor * s_out / s_in).float())
        self.register_buffer("exponent", torch.from_numpy(shift.astype(np.float32)))
        self.register_buffer("fixed_factor", torch.from_numpy(factor).to(wide))

    def factor(self) -> torch.Tensor:
        """What the hardware multiplies the sum by, [c]. Trained steps are rounded to its 8-bit multipliers."""
        if not self.learns_step:
            return self.fixed_factor
        unit = torch.exp2(-self.exponent)
        mult = round_through(self.step * torch.exp(self.log_step) * (self.s_in / self.s_out) / unit)
        return torch.clamp(mult, 1, 255) * unit

    def weight_step(self, factor: torch.Tensor) -> torch.Tensor:
        return self.step if not self.learns_step else factor * (self.s_out / self.s_in)

    def integer_weight(self) -> torch.Tensor:
        return self._integer_weight(self.weight_step(self.factor()))

    def integer_offset(self) -> torch.Tensor:
        factor = self.factor()
        return self._offset(factor, self.weight_step(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        factor = self.factor()
        step = self.weight_step(factor)
        acc = self.layer.accumulate(x, weight=self._integer_weight(step))
        return requantize(acc, self._offset(factor, step), factor, self.lo, self.hi, self.rule)

    def _integer_weight(self, step: torch.Tensor) -> torch.Tensor:
        shape = (-1, *([1] * (self.weight.ndim - 1)))
        return torch.clamp(round_through(self.weight / step.view(shape)), -self.limit, self.limit)

    def _offset(self, factor: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """The bias in accumulator steps; half an output step with it where the stage ends in a floor."""
        bias = self.bias / (step * self.s_in)
        return round_through(bias if self.rule == "fixed-point" else bias + 0.5 / factor)

    @torch.no_grad()
    def correct_bias(self, wanted: torch.Tensor, x: torch.Tensor) -> None:
        """Move the bias by the mean error of each channel (Nagel et al., arXiv 1906.04721, section 4.2).

        wanted: mean of the float layer's sums, real, [c]; x: this layer's input, integers.
        """
        found = channel_means(self.layer.accumulate(x, weight=self.integer_weight()))
        self.bias.copy_(self.layer.bias + wanted - found * self.weight_step(self.factor()) * self.s_in)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Weights that left the range would not come back: the clamp gives them no gradient."""
        bound = (self.limit + 0.49) * self.weight_step(self.factor()).view(-1, *([1] * (self.weight.ndim - 1)))
        self.weight.clamp_(-bound, bound)


class QuantNet(nn.Module):
    """Features (float32, int8 steps times INPUT_SCALE) -> logits (float32, integers times `score_scale`)."""

    def __init__(self, stages: list[Stage], target: str, freeze_steps_at: float = 0.8) -> None:
        """freeze_steps_at: the share of the training after which the learned steps stay as they are."""
        super().__init__()
        self.stages, self.target, self.freeze_steps_at = nn.ModuleList(stages), target, freeze_steps_at

    def __iter__(self) -> Iterator[Stage]:
        for stage in self.stages:
            assert isinstance(stage, Stage)
            yield stage

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name, scores in self.integers(x):  # noqa: B007
            pass
        return scores.flatten(1) * self.score_scale

    def integers(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Each layer's name and its integers, in order; x as for forward."""
        values: Tensors = {INPUT: torch.round(x / INPUT_SCALE)}
        uses = {name: number for number, stage in enumerate(self) for name in stage.layer.inputs}
        for number, stage in enumerate(self):
            y = stage(*(values[name] for name in stage.layer.inputs))
            values = {name: value for name, value in values.items() if uses[name] > number}
            values[stage.layer.name] = y
            yield stage.layer.name, y

    @property
    def score_scale(self) -> float:
        *_, last = self
        return last.s_out

    def before_step(self, done: float) -> None:
        """done: the share of the training that lies behind, 0..1."""
        for stage in self:
            if isinstance(stage, Weighted) and stage.learns_step:
                stage.log_step.requires_grad_(done < self.freeze_steps_at)

    def after_step(self) -> None:
        for stage in self:
            if isinstance(stage, Weighted):
                stage.keep_in_range()


def _require_positive(name: str, gain: np.ndarray) -> None:
    if (gain <= 0).any():
        raise TargetError(f"{name}: gains should be positive", got=f"{gain.min():.3g} in channel {int(gain.argmin())}")


def require_range(name: str, wanted: np.ndarray, target: ModuleType, bits: int) -> None:
    """Raises TargetError where a stage cannot multiply by as much as it should, which would clip the largest weights.

    wanted: float64 [c], weight step * input scale / output scale.
    """
    mult, shift = target.stage(np.full(1, _ENORMOUS), bits)
    most = float(factor_of(mult, shift, target)[0])
    if wanted.max() > _NEAREST * most:
        channel = int(wanted.argmax())
        raise TargetError(
            f"{name}: scale-range: input scale x weight scale should not exceed {most:.3g} x the output scale",
            got=f"a ratio of {wanted[channel]:.3g} in channel {channel}",
            hint="give the layer a wider output range, or fewer bits",
        )


def factor_of(mult: np.ndarray, shift: np.ndarray, target: ModuleType) -> np.ndarray:
    """What a stage of the target multiplies by, float64 [c]."""
    return np.asarray(np.ldexp(mult.astype(np.float64), -shift - (31 if target.RULE == "fixed-point" else 0)))


def channel_means(sums: torch.Tensor) -> torch.Tensor:
    """[n, c, ...] -> [c]"""
    return sums.mean([axis for axis in range(sums.ndim) if axis != 1])


def pool_scale(s_in: float, area: int, target: ModuleType) -> float:
    """Real value of one step of a mean over `area` positions."""
    return float(s_in / (area * target.pool_factor(area)))


def widest_step(largest: np.ndarray, limit: int) -> np.ndarray:
    """The step with which no weight is clipped; [c]."""
    return np.asarray(np.maximum(largest, math.ldexp(1.0, -40)) / limit)
