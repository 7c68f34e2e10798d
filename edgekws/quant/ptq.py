"""Post-training quantization: calibrate, equalize, quantize, reconstruct, correct biases. QAT starts from it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch

from edgekws import plugins
from edgekws.errors import ConfigError, TargetError
from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import INPUT
from edgekws.quant import equalize, observe, reconstruct
from edgekws.quant.float_layers import Layer, Tensors, require_sound, run_layers, signed_layers
from edgekws.quant.layers import Joined, Scaled, Stage, factor_of, pool_scale, require_range, widest_step
from edgekws.quant.network import QuantNet
from edgekws.quant.weighted import Numbers, Weighted, channel_moments, least_step, weighted
from edgekws.quant.widths import layer_bits
from edgekws.recipe import QuantSection

_SHARES = {8: (1.0,), 4: tuple(np.linspace(0.5, 1.0, 11)), 2: tuple(np.linspace(0.2, 0.9, 15))}
"""Shares of the largest weight that are tried as the range of a channel."""


def quantize(layers: Sequence[Layer], inputs: torch.Tensor, plan: QuantSection) -> QuantNet:
    """layers: of a trained network. inputs: calibration clips, float32 [n, 1, frames, coefficients].

    The result is in eval mode: its forward pass is the integers. Raises TargetError, with the layer's name, for
    layers that cannot be quantized.
    """
    require_sound(layers)
    with torch.no_grad():
        layers = equalize.equalized(layers) if plan.equalize else list(layers)
        real = run_layers(layers, inputs)
        scales = {INPUT: INPUT_SCALE, **observe.activation_scales(layers, real, plan.calibration)}
        job = _Job(plan, plugins.load("targets", plan.target), layer_bits(layers, plan.weight_bits, plan.layers), real)
        job.require_widths()
    signed, integers = signed_layers(layers), {INPUT: torch.round(inputs / INPUT_SCALE)}
    _require_signed_scores(layers[-1].name, signed)
    stages = []
    for layer in layers:
        stage = job.stage(layer, scales, signed[layer.name], integers).eval()
        scales[layer.name] = stage.s_out
        with torch.no_grad():
            integers[layer.name] = stage(*(integers[name] for name in layer.inputs))
        stages.append(stage)
    return QuantNet(stages, plan.target, plan.freeze_at).eval()


def _require_signed_scores(last: str, signed: dict[str, bool]) -> None:
    """Graph.check asks for them; whoever trains first should hear it before."""
    if not signed[last]:
        hint = "end the network in a layer without ReLU, as a linear one"
        raise TargetError(f"{last}: scores should be signed", got="only positive values", hint=hint)


@dataclass(frozen=True)
class _Job:
    """real: what every layer gives in the float network."""

    plan: QuantSection
    target: ModuleType
    bits: dict[str, int]
    real: Tensors

    def require_widths(self) -> None:
        for name, bits in self.bits.items():
            if bits not in self.target.WEIGHT_BITS:
                allowed = ", ".join(map(str, self.target.WEIGHT_BITS))
                raise ConfigError(f"{name}: {self.target.NAME} has weights of {allowed} bits", got=str(bits))

    def stage(self, layer: Layer, scales: dict[str, float], signed: bool, integers: Tensors) -> Stage:
        s_in, channels = scales[layer.inputs[0]], self.real[layer.name].shape[1]
        if not layer.operation.is_scaled:
            return Joined(layer, s_in, signed)
        if layer.operation.is_global_pool:
            area = self.real[layer.inputs[0]][0, 0].numel()
            return Scaled(layer, s_in, pool_scale(s_in, area, self.target), signed, self.target, channels, area)
        if not layer.operation.is_weighted:
            return Scaled(layer, s_in, scales[layer.name], signed, self.target, channels, 1)
        x = integers[layer.inputs[0]]
        stage = self._weighted(layer, x, s_in, scales[layer.name], signed)
        if self.plan.correct_bias:
            stage.correct(channel_moments(layer.accumulate(self.real[layer.inputs[0]])), x)
        return stage

    def _weighted(self, layer: Layer, x: torch.Tensor, s_in: float, s_out: float, signed: bool) -> Weighted:
        bits = self.bits[layer.name]
        limit = self.target.weight_limit(bits, self.plan.headroom_bits)
        filters = layer.weight.flatten(1)
        least = least_step(layer.bias, s_in, s_out, self.target.offset_limit(bits)).double().numpy()
        if bits == 8 or not self.plan.reconstruct:
            step = np.maximum(best_step(filters, limit, _SHARES[bits]), least)
            return weighted(layer, Numbers(s_in, s_out, signed, self.target, bits, limit, step))
        moments = reconstruct.second_moments(layer, x)
        steps = [np.maximum(step, least) for step in _steps(filters, limit, _SHARES[bits])]
        require_range(layer.name, steps[0] * s_in / s_out, self.target, bits)  # of the smallest share
        tried = [self._legal(step, s_in / s_out, bits) for step in steps]
        found, step = reconstruct.reconstructed(filters, moments, tried, limit)
        stage = weighted(layer, Numbers(s_in, s_out, signed, self.target, bits, limit, step))
        if "ptq" in (self.plan.method, self.plan.start):  # else training goes on from the float weights
            with torch.no_grad():
                stage.weight.copy_((found * torch.from_numpy(step)[:, None]).view_as(layer.weight))
        return stage

    def _legal(self, step: np.ndarray, ratio: float, bits: int) -> np.ndarray:
        """The steps nearest to `step` that the target's multipliers can express. ratio: s_in / s_out."""
        mult, shift = self.target.quantize_multiplier(step * ratio, bits)
        return np.asarray(factor_of(mult, shift, self.target) / ratio)


def best_step(weight: torch.Tensor, limit: int, shares: Sequence[float]) -> np.ndarray:
    """Per channel the step, of these shares of the widest one, with the least squared error of the weights.

    weight: float [c, n] -> float64 [c].
    """
    steps = torch.from_numpy(np.stack(_steps(weight, limit, shares)))  # [shares, c]
    tried = steps[:, :, None]
    error = (torch.clamp(torch.round(weight / tried), -limit, limit) * tried - weight).square().sum(2)
    return np.asarray(steps.gather(0, error.argmin(0)[None])[0].numpy())


def _steps(weight: torch.Tensor, limit: int, shares: Sequence[float]) -> list[np.ndarray]:
    widest = widest_step(weight.abs().amax(1).double().numpy(), limit)
    return [widest * share for share in shares]
