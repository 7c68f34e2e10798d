"""Calibration: which activation scale loses least, layer by layer, on real clips in eval mode."""

from __future__ import annotations

import torch

from edgekws.quant.chain import Layer

_CANDIDATES = 40
_SMALLEST_RANGE = 0.3
_SAMPLED = 200_000


@torch.no_grad()
def activation_scales(layers: list[Layer], inputs: torch.Tensor) -> list[float]:
    """One scale per layer: the step that minimizes the squared error of its output on `inputs`."""
    scales = []
    x = inputs
    for layer in layers:
        x = layer.forward(x)
        scales.append(best_scale(x, signed=is_signed(layer)))
    return scales


def is_signed(layer: Layer) -> bool:
    """Outputs are 0..255 after a ReLU (a mean of such values included), else -128..127."""
    return not (layer.relu or layer.kind == "global_sum_pool")


def best_scale(values: torch.Tensor, signed: bool) -> float:
    """Search the clipping range from 30 % to 100 % of the largest value."""
    flat = values.flatten()
    sample = flat[:: max(1, len(flat) // _SAMPLED)]
    lo, hi = (-128, 127) if signed else (0, 255)
    largest = float(flat.abs().max()) or 1.0
    steps = torch.linspace(_SMALLEST_RANGE, 1.0, _CANDIDATES) * largest / hi
    errors = [float((torch.clamp(torch.round(sample / s), lo, hi) * s - sample).square().mean()) for s in steps]
    return float(steps[errors.index(min(errors))])
