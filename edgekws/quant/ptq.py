"""Post-training quantization: calibrate, equalize, quantize, reconstruct, correct biases. QAT starts from it too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
import torch

from edgekws import plugins
from edgekws.errors import ConfigError, TargetError
from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED
from edgekws.graph.ops import Op
from edgekws.graph.sums import STATE, step
from edgekws.quant import equalize, observe, reconstruct
from edgekws.quant.elementwise import Product, RescaledSum, Table
from edgekws.quant.float_layers import MUL, Layer, Tensors, require_valid_weights, run_layers, signed_layers
from edgekws.quant.joining import joined
from edgekws.quant.layers import (
    QuantizedLayer,
    ScaledLayer,
    UnscaledLayer,
    WindowMean,
    factor_of,
    pool_scale,
    require_range,
    widest_step,
)
from edgekws.quant.network import QuantNet
from edgekws.quant.recurrent import Scan, body_inputs
from edgekws.quant.weighted import QuantParameters, Weighted, channel_moments, least_step, weighted_layer
from edgekws.quant.widths import layer_bits
from edgekws.quant.zero_points import read_by, zero_points
from edgekws.recipe import QuantSection

_DEAD = 2.0**-20
"""The least step of a filter, as a share of the widest one of its layer: smaller weights become zeros."""
_SHARES = {8: (1.0,), 4: tuple(np.linspace(0.5, 1.0, 11)), 2: tuple(np.linspace(0.2, 0.9, 15))}
"""Clipping ranges of a channel that are tried, by bits, as shares of its largest weight."""


def quantize(
    layers: Sequence[Layer],
    inputs: torch.Tensor,
    plan: QuantSection,
    input_scale: float = INPUT_SCALE,
    input_zero: int = 0,
) -> QuantNet:
    """A trained network after PTQ, or where QAT starts.

    layers: of the float network. inputs: calibration clips, float32 [n, 1, frames, coefficients], which are
    (int8 - input_zero) * input_scale.
    The result is in eval mode: its forward pass computes the integers. Raises TargetError, with the layer's name, for
    layers that cannot be quantized.
    """
    require_valid_weights(layers)
    layers, zeros = expressible(layers, plan.target), zero_points(layers, input_zero)
    with torch.no_grad():
        layers = equalize.equalized(layers) if plan.equalize else list(layers)
        real = run_layers(layers, inputs)
        layers = joined(layers, real)
        target = plugins.load("targets", plan.target)
        has_multiplier = target.RULE == "fixed-point"
        found = observe.activation_scales(layers, real, plan.calibration, input_scale, has_multiplier)
        scales = {INPUT: input_scale, **found}
        job = _Job(plan, target, layer_bits(layers, plan.weight_bits, plan.layers), real)
        job.require_widths()
    signed, integers = signed_layers(layers), {INPUT: torch.round(inputs / input_scale) + input_zero}
    _require_signed_scores(layers[-1].name, signed)
    quantized = []
    for layer in layers:
        given = read_by(layer, integers, zeros)
        quantized.append(job.quantized(layer, scales, signed, given).eval())
        _require_range(quantized[-1], job.target)
        scales[layer.name] = quantized[-1].s_out
        with torch.no_grad():
            integers[layer.name] = quantized[-1](*given)
    return QuantNet(quantized, plan.target, plan.freeze_at, input_scale, input_zero).eval()


def expressible(layers: Sequence[Layer], target: str) -> list[Layer]:
    """Layers of gains become 1x1 depthwise convolutions, and on an NPU means of windows become depthwise ones.

    Fixed-point multipliers are below 1 and positive; weights may have any size and sign. An NPU multiplies single
    values of its input only, and has convolutions but no means of windows.
    """
    on_npu = plugins.load("targets", target).RULE != "fixed-point"
    return [_expressible(layer, on_npu) for layer in layers]


def _expressible(layer: Layer, on_npu: bool) -> Layer:
    if layer.has_gains and not (on_npu and layer.inputs == (INPUT,)):
        return _as_convolution(layer)
    if on_npu and layer.operation.is_window_pool and layer.operation.sums and not any(layer.pad):
        weight = torch.full((layer.channels, 1, *layer.window), 1 / math.prod(layer.window))
        kind = _by_channel(layer.channels)
        return replace(layer, kind=kind, weight=weight, bias=torch.zeros(layer.channels), window=(0, 0))
    return layer


def _as_convolution(layer: Layer) -> Layer:
    return replace(layer, kind=_by_channel(len(layer.weight)), weight=layer.weight.view(-1, 1, 1, 1))


def _by_channel(channels: int) -> Op:
    """The convolution with a filter for each channel."""
    return "depthwise_conv2d" if channels > 1 else "conv2d"


def _require_range(layer: QuantizedLayer, target: ModuleType) -> None:
    """Graph.check requires it too, but without the way out."""
    is_scaled = layer.float_layer.operation.is_scaled
    if is_scaled and target.RULE == "offset-scale-shift" and (layer.lo, layer.hi) not in (SIGNED, UNSIGNED):
        expected = f"{layer.name}: {target.NAME} clips results to all of its 8 bits, {SIGNED} or {UNSIGNED}"
        got = f"{layer.lo}..{layer.hi}, for limits of {layer.float_layer.low:g} and {layer.float_layer.high:g}"
        raise TargetError(expected, got=got, hint="choose the target int8, or use ReLU or ReLU6")


def _require_signed_scores(last: str, signed: dict[str, bool]) -> None:
    """Graph.check requires them too, but only after a training."""
    if not signed[last]:
        hint = "end the network in a layer without ReLU, such as a linear one"
        raise TargetError(f"{last}: scores should be signed", got="only positive values", hint=hint)


@dataclass(frozen=True)
class _Job:
    """One quantization. bits: of each layer with weights. real: outputs of all layers of the float network."""

    plan: QuantSection
    target: ModuleType
    bits: dict[str, int]
    real: Tensors

    def require_widths(self) -> None:
        for name, bits in self.bits.items():
            if bits not in self.target.WEIGHT_BITS:
                allowed = ", ".join(map(str, self.target.WEIGHT_BITS))
                raise ConfigError(f"{name}: {self.target.NAME} has weights of {allowed} bits", got=str(bits))

    def quantized(
        self, layer: Layer, scales: dict[str, float], all_signed: dict[str, bool], given: Sequence[torch.Tensor]
    ) -> QuantizedLayer:
        """scales: of earlier tensors, and of this layer's output. given: the integers that this layer reads."""
        exact = self._exact(layer, scales, all_signed)
        if exact is not None:
            return exact
        s_in, channels, signed = scales[layer.inputs[0]], self.real[layer.name].shape[1], all_signed[layer.name]
        if not layer.operation.is_scaled:
            return (WindowMean if layer.operation.sums and layer.operation.is_windowed else UnscaledLayer)(
                layer, s_in, signed
            )
        if layer.operation.is_global_pool:
            area = self.real[layer.inputs[0]][0, 0].numel()
            s_out = scales.get(layer.name, pool_scale(s_in, area, self.target))
            return ScaledLayer(layer, s_in, s_out, signed, self.target, channels, area)
        if not layer.operation.is_weighted:
            return ScaledLayer(layer, s_in, scales[layer.name], signed, self.target, channels, 1)
        x = given[0]
        result = self._weighted(layer, x, s_in, scales[layer.name], signed)
        if self.plan.correct_bias:
            result.correct(channel_moments(layer.accumulate(self.real[layer.inputs[0]])), x)
        return result

    def _exact(self, layer: Layer, scales: dict[str, float], all_signed: dict[str, bool]) -> QuantizedLayer | None:
        """Scans, and layers that are computed in int64."""
        s_in, signed = [scales[name] for name in layer.inputs], all_signed[layer.name]
        if layer.body:
            return self._scan(layer, scales, all_signed)
        if layer.operation.is_table:
            return Table(layer, s_in[0], scales[layer.name], all_signed[layer.inputs[0]], signed)
        if layer.operation.broadcasts:
            kind = Product if layer.kind == MUL else RescaledSum
            return kind(layer, (s_in[0], s_in[1]), scales[layer.name], signed)
        return None

    def _scan(self, layer: Layer, scales: dict[str, float], all_signed: dict[str, bool]) -> QuantizedLayer:
        """All rows are calibrated at once, from the states of the float network."""
        read = body_inputs(layer, [self.real[name] for name in layer.inputs])
        outside = {step(number): all_signed[name] for number, name in enumerate(layer.inputs)} | {STATE: True}
        within = {step(number): scales[name] for number, name in enumerate(layer.inputs)} | {STATE: observe.STATE_STEP}
        within |= observe.activation_scales(layer.body, read, self.plan.calibration, outside=outside)
        within[layer.body[-1].name] = observe.STATE_STEP
        signed = signed_layers(layer.body, outside)
        values = {name: _rounded(read[name] / within[name], signed[name]) for name in outside}
        job, body = replace(self, real=read), []
        for each in layer.body:
            given = [values[name] for name in each.inputs]
            body.append(job.quantized(each, within, signed, given).eval())
            within[each.name] = body[-1].s_out
            with torch.no_grad():
                values[each.name] = body[-1](*given)
        return Scan(layer, body)

    def _weighted(self, layer: Layer, x: torch.Tensor, s_in: float, s_out: float, signed: bool) -> Weighted:
        bits = self.bits[layer.name]
        limit = self.target.weight_limit(bits, self.plan.headroom_bits)
        filters = layer.weight.flatten(1)
        least = least_step(layer.bias, s_in, s_out, self.target.offset_limit(bits)).double().numpy()
        widest = widest_step(filters.abs().amax(1).double().numpy(), limit)
        least = np.maximum(least, widest.max() * _DEAD)  # of a filter that pruning or weight decay has killed
        if bits == 8 or not self.plan.reconstruct:
            step = np.maximum(best_step(filters, limit, _SHARES[bits]), least)
            return weighted_layer(layer, QuantParameters(s_in, s_out, signed, self.target, bits, limit, step))
        moments = reconstruct.second_moments(layer, x)
        steps = [np.maximum(step, least) for step in _steps(filters, limit, _SHARES[bits])]
        require_range(layer.name, steps[0] * s_in / s_out, self.target, bits)  # of the smallest share
        candidates = [self._legal(step, s_in / s_out, bits) for step in steps]
        weights, step = reconstruct.reconstructed(filters, moments, candidates, limit)
        result = weighted_layer(layer, QuantParameters(s_in, s_out, signed, self.target, bits, limit, step))
        if "ptq" in (self.plan.method, self.plan.start):  # else training goes on from the float weights
            with torch.no_grad():
                result.weight.copy_((weights * torch.from_numpy(step)[:, None]).view_as(layer.weight))
        return result

    def _legal(self, step: np.ndarray, ratio: float, bits: int) -> np.ndarray:
        """The steps nearest to `step` that the target's multipliers can express. ratio: s_in / s_out."""
        mult, shift = self.target.quantize_multiplier(step * ratio, bits)
        return np.asarray(factor_of(mult, shift, self.target) / ratio)


def _rounded(values: torch.Tensor, signed: bool) -> torch.Tensor:
    return torch.clamp(torch.round(values), *(SIGNED if signed else UNSIGNED))


def best_step(weight: torch.Tensor, limit: int, shares: Sequence[float]) -> np.ndarray:
    """For each channel the step with the least squared error of the weights, of `shares` of the widest step.

    weight: float [c, n] -> float64 [c].
    """
    steps = torch.from_numpy(np.stack(_steps(weight, limit, shares)))  # [shares, c]
    candidates = steps[:, :, None]
    error = (torch.clamp(torch.round(weight / candidates), -limit, limit) * candidates - weight).square().sum(2)
    return np.asarray(steps.gather(0, error.argmin(0)[None])[0].numpy())


def _steps(weight: torch.Tensor, limit: int, shares: Sequence[float]) -> list[np.ndarray]:
    widest = widest_step(weight.abs().amax(1).double().numpy(), limit)
    return [widest * share for share in shares]
