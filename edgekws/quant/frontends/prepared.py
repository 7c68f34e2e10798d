"""Any float network and calibration clips -> a QuantNet that knows its input format: `edgekws.prepare`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgekws import plugins
from edgekws.errors import ConfigError, DataError, TargetError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, INPUT_SCALE, FeatureSpec, UnknownFeatures
from edgekws.quant import lower, ptq
from edgekws.quant.float_layers import Layer, require_valid_weights, run_layers
from edgekws.quant.frontends import keras, onnx, torch_fx
from edgekws.quant.network import QuantNet
from edgekws.recipe import QuantSection

_COMPARED_CLIPS = 16
"""Clips on which the traced layers must give the module's scores."""
_TOLERANCE = 1e-3
TOLERATED = ("linear-inputs",)
"""Rules of an NPU that are no reason to refuse a network: a linear layer that is too small for it is small."""
_NARROW = 1 / 16
"""Of the input's range; calibration that fills less is warned of."""
_MAX_CLIPPED = 0.01
"""Fraction of calibration values that may leave the int8 range; more suggests that they have another unit."""

_MARGIN = 2.0**-10
"""Steps that are added before truncation, so that values of a step, computed in float32, stay that step."""

Calibration = torch.Tensor | np.ndarray


class Prepared(QuantNet):
    """A QuantNet for inputs of any unit, float32 [n, 1, frames, coefficients].

    They are rounded to int8 steps and clipped, as the device's features are.
    """

    features: FeatureSpec | UnknownFeatures

    def __init__(self, network: QuantNet, features: FeatureSpec | UnknownFeatures, strict: bool = True) -> None:
        """strict: whether every layer has to run on the target's hardware."""
        super().__init__(list(network), network.target, network.freeze_at, network.input_scale, network.input_zero)
        self.features, self.strict = features, strict

    def steps(self, x: torch.Tensor) -> torch.Tensor:
        if isinstance(self.features, FeatureSpec) and self.features.rounding == "toward-zero":
            steps = x / self.input_scale + self.input_zero
            steps = torch.trunc(steps + _MARGIN * torch.sign(steps))
        else:
            steps = super().steps(x)
        return torch.clamp(steps, INPUT_MIN, INPUT_MAX)


def prepare(
    model: nn.Module | str | Path,
    calibration: Calibration | None,
    plan: QuantSection,
    features: FeatureSpec | None = None,
    input_scale: float | None = None,
    strict: bool = True,
) -> Prepared:
    """See edgekws.prepare."""
    scale, zero = (INPUT_SCALE, 0) if features is None else (features.network_scale, features.network_zero)
    scale = scale if input_scale is None else float(input_scale)
    if not 0 < scale < float("inf"):
        raise ConfigError("input_scale should be a positive number", got=str(input_scale))
    x = calibration_tensor(calibration, scale, zero)
    shape = (x.shape[2], x.shape[3])
    spec = UnknownFeatures(shape) if features is None else features
    if spec.shape != shape:
        raise ConfigError(f"features of {spec.shape} should fit the calibration", got=f"{shape}")
    layers = _layers(model, x)
    clipped = torch.clamp(x / scale + zero, INPUT_MIN, INPUT_MAX)
    network = ptq.quantize(layers, (clipped - zero) * scale, plan, scale, zero)
    _require_legal(network, spec, strict)
    return Prepared(network, spec, strict).eval()


def _require_legal(network: QuantNet, spec: FeatureSpec | UnknownFeatures, strict: bool) -> None:
    """What a training cannot change is refused before it, not after; what costs next to nothing is warned of."""
    labels = tuple(f"class{number}" for number in range(network.score_count(spec.shape)))
    graph = lower.lower(network, spec, labels, "model", strict=strict, tolerated=TOLERATED)
    target = plugins.load("targets", network.target)
    reasons = {node.name: target.legal(node, graph) for node in graph.nodes} if strict else {}
    for name, reason in reasons.items():
        if reason:
            warnings.warn(f"{name} is left to the CPU: {reason}", UserWarning, stacklevel=4)


def calibration_tensor(calibration: Calibration | None, input_scale: float, input_zero: int = 0) -> torch.Tensor:
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
        x = ((x if x.ndim == 4 else x[:, None] if x.ndim == 3 else x).float() - input_zero) * input_scale
    elif not x.dtype.is_floating_point:
        raise DataError(expected, got=str(x.dtype))
    if x.ndim != 4 or x.shape[1] != 1 or min(x.shape) < 1:
        raise DataError(expected, got=f"shape {list(x.shape)}")
    _require_values(x, input_scale, input_zero)
    return x.float()


def _tensor(values: object, expected: str) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(values))
    except (TypeError, ValueError) as error:
        raise DataError(expected, got=type(values).__name__) from error


def _require_values(x: torch.Tensor, input_scale: float, input_zero: int) -> None:
    bad = (~torch.isfinite(x)).flatten(1).any(1)
    if bad.any():
        got = f"NaN or infinity in {int(bad.sum())} of {len(x)} clips, first in number {int(bad.nonzero()[0])}"
        raise DataError("calibration should be finite", got=got)
    lowest, highest = ((bound - input_zero) * input_scale for bound in (INPUT_MIN - 0.5, INPUT_MAX + 0.5))
    share = float(((x < lowest) | (x > highest)).float().mean())
    if share > _MAX_CLIPPED:
        largest = float(x.abs().max())
        raise DataError(
            f"calibration should be within {lowest:.4g}..{highest:.4g}, int8 steps of input_scale={input_scale:.4g}",
            got=f"{share:.0%} of the values outside, up to {largest:.4g}",
            hint=f"give input_scale={largest / INPUT_MAX:.4g}, or standardize the features",
        )
    _warn_of_narrow_values(float(x.abs().max()), input_scale)


def _warn_of_narrow_values(largest: float, input_scale: float) -> None:
    """A few steps of an int8 input are noise more than sound; the training would go well all the same."""
    share = largest / (INPUT_MAX * input_scale)
    if 0 < share < _NARROW:
        warnings.warn(
            f"the calibration fills {share:.1%} of the input's int8 range, {share * INPUT_MAX:.1f} steps on either "
            f"side; give input_scale={largest / INPUT_MAX:.4g}, or standardize the features",
            UserWarning,
            stacklevel=5,
        )


def _layers(model: object, x: torch.Tensor) -> list[Layer]:
    if isinstance(model, str | Path):
        return _layers_of_file(Path(model), (x.shape[2], x.shape[3]))
    if not isinstance(model, nn.Module) or isinstance(model, QuantNet):
        expected = "model should be a float torch.nn.Module or the path of a float ONNX or Keras file"
        raise ConfigError(expected, got=type(model).__name__)
    few = x[:_COMPARED_CLIPS]
    real = _scores(model, few)
    layers = torch_fx.trace(model, (x.shape[2], x.shape[3]))
    require_valid_weights(layers)
    _require_equal_scores(real, layers, few)
    return layers


@torch.no_grad()
def _scores(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Raises DataError where the network does not take clips of this shape."""
    parameter = next(model.parameters(), x)
    try:
        with torch_fx.evaluating(model):
            scores = torch_fx.run(model, x.to(parameter))
    except RuntimeError as error:
        raise DataError("the network should take the calibration", got=str(error)) from error
    except TypeError:  # it has other arguments, which the tracing names
        return x.flatten(1)
    return scores.to(x).flatten(1) if isinstance(scores, torch.Tensor) else x.flatten(1)


def _layers_of_file(path: Path, shape: tuple[int, int]) -> list[Layer]:
    network = keras.read(path) if path.suffix.lower() in keras.SUFFIXES else onnx.read(path)
    if (network.frames, network.coefficients) != shape:
        expected = (
            f"calibration should have the input's shape of {path}, [n, 1, {network.frames}, {network.coefficients}]"
        )
        raise DataError(expected, got=f"[n, 1, {shape[0]}, {shape[1]}]")
    return network.layers


@torch.no_grad()
def _require_equal_scores(expected: torch.Tensor, layers: Sequence[Layer], x: torch.Tensor) -> None:
    """Catches what tracing cannot see: operations in place on a tensor that is read again, and hooks."""
    try:
        scores = run_layers(layers, x)[layers[-1].name].flatten(1)
    except RuntimeError as error:
        raise TargetError("every layer should fit the one before", got=str(error)) from error
    gap = min(_gap(scores, expected), _gap(scores.softmax(1), expected), _gap(scores.log_softmax(1), expected))
    if gap > _TOLERANCE * max(1.0, float(expected.abs().max())):
        hint = "write it without operations in place on tensors that are read again, and without hooks"
        rule = "the traced layers should give the scores of the network"
        raise TargetError(rule, got=f"scores differ by {gap:.3g}", hint=hint)


def _gap(scores: torch.Tensor, expected: torch.Tensor) -> float:
    return float((scores - expected).abs().max()) if scores.shape == expected.shape else float("inf")
