"""Any float network and calibration clips -> a QuantNet that knows its input format: `edgekws.prepare`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgekws import plugins
from edgekws.errors import ConfigError, DataError, TargetError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, INPUT_SCALE, FeatureSpec
from edgekws.graph.ir import INPUT
from edgekws.quant import ptq
from edgekws.quant.float_layers import Layer, require_valid_weights, run_layers
from edgekws.quant.frontends import onnx, torch_fx
from edgekws.quant.frontends.assemble import as_convolution
from edgekws.quant.network import QuantNet
from edgekws.recipe import QuantSection

_COMPARED_CLIPS = 16
"""Clips on which the traced layers must give the module's scores."""
_TOLERANCE = 1e-3
_MAX_CLIPPED = 0.01
"""Fraction of calibration values that may leave the int8 range; more suggests that they have another unit."""

Calibration = torch.Tensor | np.ndarray


class Prepared(QuantNet):
    """A QuantNet for inputs of any unit, float32 [n, 1, frames, coefficients].

    They are rounded to int8 steps of `input_scale` and clipped, as the device's features are.
    """

    features: FeatureSpec
    input_scale: float

    def __init__(self, network: QuantNet, features: FeatureSpec, input_scale: float) -> None:
        super().__init__(list(network), network.target, network.freeze_at)
        self.features, self.input_scale = features, input_scale

    def integers(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        return super().integers(_steps(x, self.input_scale) * INPUT_SCALE)


def prepare(
    model: nn.Module | str | Path,
    calibration: Calibration | None,
    plan: QuantSection,
    features: FeatureSpec | None = None,
    input_scale: float | None = None,
) -> Prepared:
    """See edgekws.prepare."""
    scale = INPUT_SCALE if input_scale is None else float(input_scale)
    if not 0 < scale < float("inf"):
        raise ConfigError("input_scale should be a positive number", got=str(input_scale))
    x = calibration_tensor(calibration, scale)
    shape = (x.shape[2], x.shape[3])
    spec = spec_for(shape) if features is None else features
    if spec.shape != shape:
        raise ConfigError(f"features of {spec.shape} should fit the calibration", got=f"{shape}")
    layers = _expressible(_rescaled(_layers(model, x), scale / INPUT_SCALE), plan.target)
    quantized = ptq.quantize(layers, torch.clamp(x / scale, INPUT_MIN, INPUT_MAX) * INPUT_SCALE, plan)
    return Prepared(quantized, spec, scale).eval()


def calibration_tensor(calibration: Calibration | None, input_scale: float) -> torch.Tensor:
    """float [n, 1, frames, coefficients], or int8 without the 1 or with it -> float32 [n, 1, frames, coefficients].

    Raises ConfigError for None, DataError for other shapes and types, NaN, infinity, and values outside the int8
    range.
    """
    if calibration is None:
        expected = "calibration should be given: clips from which the scale of each layer is chosen"
        hint = "give a few hundred clips, float [n, 1, frames, coefficients] or int8 [n, frames, coefficients]"
        raise ConfigError(expected, got="none", hint=hint)
    expected = "calibration should be float [n, 1, frames, coefficients] or int8 [n, frames, coefficients]"
    x = calibration.detach().cpu() if isinstance(calibration, torch.Tensor) else _tensor(calibration, expected)
    if x.dtype == torch.int8:
        x = (x if x.ndim == 4 else x[:, None] if x.ndim == 3 else x).float() * input_scale
    elif not x.dtype.is_floating_point:
        raise DataError(expected, got=str(x.dtype))
    if x.ndim != 4 or x.shape[1] != 1 or min(x.shape) < 1:
        raise DataError(expected, got=f"shape {list(x.shape)}")
    _require_values(x, input_scale)
    return x.float()


def _tensor(values: object, expected: str) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(values))
    except (TypeError, ValueError) as error:
        raise DataError(expected, got=type(values).__name__) from error


def _require_values(x: torch.Tensor, input_scale: float) -> None:
    bad = (~torch.isfinite(x)).flatten(1).any(1)
    if bad.any():
        got = f"NaN or infinity in {int(bad.sum())} of {len(x)} clips, first in number {int(bad.nonzero()[0])}"
        raise DataError("calibration should be finite", got=got)
    lowest, highest = (bound * input_scale for bound in (INPUT_MIN - 0.5, INPUT_MAX + 0.5))
    share = float(((x < lowest) | (x > highest)).float().mean())
    if share > _MAX_CLIPPED:
        largest = float(x.abs().max())
        raise DataError(
            f"calibration should be within {lowest:.4g}..{highest:.4g}, int8 steps of input_scale={input_scale:.4g}",
            got=f"{share:.0%} of the values outside, up to {largest:.4g}",
            hint=f"give input_scale={largest / INPUT_MAX:.4g}, or standardize the features",
        )


def spec_for(shape: tuple[int, int]) -> FeatureSpec:
    """The front end of MLPerf Tiny with another hop and number of coefficients, so that its shape is `shape`."""
    default, (frames, coefficients) = FeatureSpec(), shape
    if default.shape == shape:
        return default
    hop = max(1, (default.clip_samples - default.window_samples) // max(1, frames - 1))
    return replace(
        default,
        hop_samples=hop,
        clip_samples=default.window_samples + hop * (frames - 1),
        mel_bands=max(default.mel_bands, coefficients),
        coefficients=coefficients,
        input_scale=default.input_scale[:1] * coefficients,
        input_zero_point=default.input_zero_point[:1] * coefficients,
    )


def _layers(model: object, x: torch.Tensor) -> list[Layer]:
    if isinstance(model, str | Path):
        return _layers_of_file(Path(model), (x.shape[2], x.shape[3]))
    if not isinstance(model, nn.Module) or isinstance(model, QuantNet):
        expected = "model should be a float torch.nn.Module or the path of a float ONNX file"
        raise ConfigError(expected, got=type(model).__name__)
    layers = torch_fx.trace(model)
    require_valid_weights(layers)
    _require_equal_scores(model, layers, x[:_COMPARED_CLIPS])
    return layers


def _layers_of_file(path: Path, shape: tuple[int, int]) -> list[Layer]:
    network = onnx.read(path)
    if (network.frames, network.coefficients) != shape:
        expected = (
            f"calibration should have the input's shape of {path}, [n, 1, {network.frames}, {network.coefficients}]"
        )
        raise DataError(expected, got=f"[n, 1, {shape[0]}, {shape[1]}]")
    return network.layers


@torch.no_grad()
def _require_equal_scores(model: nn.Module, layers: Sequence[Layer], x: torch.Tensor) -> None:
    """Catches what tracing cannot see: operations in place on a tensor that is read again, and hooks."""
    parameter = next(model.parameters(), x)
    try:
        with torch_fx.evaluating(model):
            expected = model(x.to(parameter)).to(x).flatten(1)
    except RuntimeError as error:
        raise DataError("the network should take the calibration", got=str(error)) from error
    try:
        scores = run_layers(layers, x)[layers[-1].name].flatten(1)
    except RuntimeError as error:
        raise TargetError("every layer should fit the one before", got=str(error)) from error
    gap = float((scores - expected).abs().max()) if scores.shape == expected.shape else float("inf")
    if gap > _TOLERANCE * max(1.0, float(expected.abs().max())):
        hint = "write it without operations in place on tensors that are read again, and without hooks"
        rule = "the traced layers should give the scores of the network"
        raise TargetError(rule, got=f"scores differ by {gap:.3g}", hint=hint)


def _steps(x: torch.Tensor, scale: float) -> torch.Tensor:
    return torch.clamp(torch.round(x / scale), INPUT_MIN, INPUT_MAX)


def _rescaled(layers: Sequence[Layer], ratio: float) -> list[Layer]:
    """The layers for inputs that are `ratio` times smaller: weights of layers that read the input are multiplied."""
    if ratio == 1.0:
        return list(layers)
    return [_with_weights_times(layer, ratio) if INPUT in layer.inputs else layer for layer in layers]


def _with_weights_times(layer: Layer, ratio: float) -> Layer:
    if not len(layer.weight):
        expected = f"{layer.name}: with an input_scale of its own, the input should be read by layers with weights"
        raise TargetError(expected, got=layer.kind, hint=f"scale the features by {1 / ratio:.4g} yourself")
    return replace(layer, weight=layer.weight * ratio)


def _expressible(layers: Sequence[Layer], target: str) -> list[Layer]:
    """With the fixed-point rule, layers of gains become 1x1 depthwise convolutions.

    Fixed-point multipliers are below 1 and positive; weights may have any size and sign.
    """
    if plugins.load("targets", target).RULE != "fixed-point":
        return list(layers)
    return [as_convolution(layer) if layer.has_gains else layer for layer in layers]
