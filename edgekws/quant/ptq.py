"""Post-training quantization: calibrate, quantize, correct biases. The start of QAT as well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE
from edgekws.quant.chain import Layer, accumulate, fold
from edgekws.quant.network import QuantLayer, QuantNet, QuantPool
from edgekws.quant.observe import activation_scales
from edgekws.recipe import QuantSection
from edgekws.targets import tinpu


@torch.no_grad()
def quantize(network: nn.Sequential, inputs: torch.Tensor, plan: QuantSection) -> QuantNet:
    """network: trained, float. inputs: calibration clips, float32 [n, 1, frames, coefficients].

    Raises TargetError, with the layer's name, for layers that cannot be quantized.
    """
    network.eval()
    layers = fold(network)
    for layer in layers:
        _require_finite(layer)
    scales = activation_scales(layers, inputs)
    limit = tinpu.weight_limit(plan.weight_bits, plan.headroom_bits)
    quantized: list[nn.Module] = []
    s_in = INPUT_SCALE
    real, integers = inputs, torch.round(inputs / INPUT_SCALE)
    for layer, s_out in zip(layers, scales, strict=True):
        if layer.kind == "global_sum_pool":
            stage: QuantLayer | QuantPool = QuantPool(layer, s_in, real.shape[2] * real.shape[3])
        else:
            trial = QuantLayer(layer, s_in, s_out, limit)
            stage = QuantLayer(_corrected(layer, trial, real, integers), s_in, s_out, limit)
        real, integers, s_in = layer.forward(real), stage(integers), stage.s_out
        quantized.append(stage)
    return QuantNet(*quantized)


def _corrected(layer: Layer, trial: QuantLayer, real: torch.Tensor, integers: torch.Tensor) -> Layer:
    """Move the bias by the mean error of each channel (Nagel et al., arXiv 1906.04721, section 4.2)."""
    wanted = accumulate(layer.kind, real, layer.weight, layer.stride, layer.pad)
    steps = accumulate(layer.kind, integers, trial.integer_weight(), layer.stride, layer.pad)
    axes = [axis for axis in range(wanted.ndim) if axis != 1]
    error = wanted.mean(axes) - steps.mean(axes) * trial.scale * trial.s_in
    return replace(layer, bias=layer.bias + error)


def _require_finite(layer: Layer) -> None:
    bad = [name for name in ("weight", "bias") if not torch.isfinite(getattr(layer, name)).all()]
    if bad:
        hint = "train the network again"
        raise TargetError(f"{layer.name}: {bad[0]} should be finite", got="NaN or infinity", hint=hint)


def layers_of(network: QuantNet) -> Iterable[QuantLayer | QuantPool]:
    for stage in network:
        assert isinstance(stage, QuantLayer | QuantPool)
        yield stage
