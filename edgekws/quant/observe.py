"""Calibration: choose the scale of each activation tensor from the float network's outputs on real clips.

Tensors that are added share one scale, and so do the input and the output of a max pool: they form a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED
from edgekws.quant.float_layers import Layer, Tensors, signed_layers

STATE_STEP = 1 / 128
"""Of the state of a gated recurrent unit, which is within -1..1."""
_CANDIDATES = 40
_SMALLEST_RANGE = 0.3
_MAX_SAMPLES = 200_000
_PERCENTILE = 0.9999
_BINS = 2048

Member = tuple[torch.Tensor, bool]
"""(values, whether they are signed)"""


@torch.no_grad()
def activation_scales(
    layers: Sequence[Layer], values: Tensors, method: str = "mse", input_scale: float = INPUT_SCALE,
    means_scale: bool = False,
    outside: Mapping[str, bool] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Real value of one step of each tensor, by name.

    Means are omitted, and what only passes one on: their scale follows from that of their input.

    values: float outputs of every layer. method: see best_scale. means_scale: whether a mean that shares its scale with
    another tensor may have any; else it raises TargetError. outside: see signed_layers.
    """
    signed, scales = signed_layers(layers, outside), {}
    pools = {layer.name for layer in layers if layer.operation.is_global_pool}
    passing = {layer.name for layer in layers if _passes_on(layer)}
    fixed: dict[str, float | None] = {INPUT: input_scale, **dict.fromkeys(_scans(layers), STATE_STEP)}
    fixed |= {layer.name: layer.curve.step for layer in layers if layer.curve}
    for group in groups(layers):
        sources = [name for name in group if name not in passing]
        if set(sources) <= pools and len(sources) == 1:
            continue
        if pools & set(group) and not means_scale:
            expected = f"{min(pools & set(group))}: a mean cannot be added to something, or joined with it"
            raise TargetError(expected, got=", ".join(group), hint="choose the target int8")
        members = [(_sample(values[name]), signed[name]) for name in group if name != INPUT]
        scale = _given_scale(sources, fixed)
        scale = float(np.float32(best_scale(members, method))) if scale is None else scale
        scales.update(dict.fromkeys(group, scale))
    return scales


def _scans(layers: Sequence[Layer]) -> list[str]:
    return [layer.name for layer in layers if layer.body]


def _given_scale(sources: Sequence[str], fixed: Mapping[str, float | None]) -> float | None:
    """The scale of tensors that share one, where it does not depend on calibration.

    sources: those of them that no other one determines. Raises TargetError where a state would need another scale.
    """
    steps = {fixed.get(name) for name in sources}
    if len(steps) > 1 and STATE_STEP in steps:
        expected = f"{', '.join(sources)}: the states of a recurrent layer may only be joined with their like"
        raise TargetError(expected, got="tensors of other ranges", hint="put a layer with weights between")
    return fixed[INPUT] if INPUT in sources else steps.pop() if len(steps) == 1 else None


def groups(layers: Sequence[Layer]) -> list[list[str]]:
    """The tensors that must have one scale, in the order of their first layer."""
    result = [[INPUT], *([layer.name] for layer in layers)]
    for layer in layers:
        if _passes_on(layer):
            tied = {layer.name, *layer.inputs}
            merged = [group for group in result if tied & set(group)]
            first = result.index(merged[0])
            result = [group for group in result if group not in merged]
            result.insert(first, [name for group in merged for name in group])
    return result


def _passes_on(layer: Layer) -> bool:
    """Whether the output has the scale of the inputs."""
    return not layer.operation.is_scaled and not layer.operation.own_scale


def best_scale(members: Sequence[Member], method: str = "mse") -> float:
    """The step that suits all members by `method`: minmax, percentile (99.99 %), mse or entropy.

    mse and entropy search the clipping range from 30 % to 100 % of the largest value. Entropy is the
    divergence of the quantized histogram from the real one (Migacz, TensorRT 8-bit inference, GTC 2017).
    """
    widest = max(_reach(values, signed, 1.0) for values, signed in members) or 1.0
    if method == "minmax":
        return widest
    if method == "percentile":
        return max(_reach(values, signed, _PERCENTILE) for values, signed in members) or widest
    loss = _squared_error if method == "mse" else _divergence
    steps = torch.linspace(_SMALLEST_RANGE, 1.0, _CANDIDATES) * widest
    errors = [sum(loss(values, signed, float(step)) for values, signed in members) for step in steps]
    return float(steps[errors.index(min(errors))])


def _reach(values: torch.Tensor, signed: bool, share: float) -> float:
    """The step with which `share` of the values is not clipped."""
    magnitudes = values.abs()
    return float(torch.quantile(magnitudes, share) if share < 1 else magnitudes.max()) / _range(signed)[1]


def _squared_error(values: torch.Tensor, signed: bool, step: float) -> float:
    return float((_quantized(values, signed, step) - values).square().mean())


def _divergence(values: torch.Tensor, signed: bool, step: float) -> float:
    """Kullback-Leibler divergence of the clipped, quantized values' histogram from that of the values."""
    lo, hi = _range(signed)
    largest = float(values.abs().max()) or 1.0
    real = torch.histc(values, _BINS, -largest, largest)
    levels = torch.round(torch.linspace(-largest, largest, _BINS) / step).clamp(lo, hi).long() - lo  # of each bin
    occupied = (real > 0).float()
    bins = torch.zeros(hi - lo + 1).index_add_(0, levels, occupied).clamp(min=1)
    mass = torch.zeros(hi - lo + 1).index_add_(0, levels, real)
    smooth = (mass / bins)[levels] * occupied  # a level's mass, spread over the bins that were rounded to it
    p, q = (histogram[real > 0] / real.sum() for histogram in (real, smooth))
    return float((p * torch.log(p / q)).sum())


def _quantized(values: torch.Tensor, signed: bool, step: float) -> torch.Tensor:
    return torch.clamp(torch.round(values / step), *_range(signed)) * step


def _range(signed: bool) -> tuple[int, int]:
    return SIGNED if signed else UNSIGNED


def _sample(values: torch.Tensor) -> torch.Tensor:
    flat = values.flatten()
    return flat[:: max(1, len(flat) // _MAX_SAMPLES)]
