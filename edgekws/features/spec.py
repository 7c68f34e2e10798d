"""FeatureSpec: the only home of window, hop, mel, coefficient and scale numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from edgekws.errors import ArtifactError, DataError
from edgekws.files import fields

Rounding = Literal["nearest", "toward-zero"]
Arithmetic = Literal["float", "fixed"]
Level = Literal["clip", "stream"]
Definition = Literal["mfcc", "sww01"]
INPUT_MIN, INPUT_MAX = -128, 127
INPUT_SCALE = 1.0 / 32
"""The float network gets int8 steps of standardized features times this: they are +-4 standard deviations wide."""


@dataclass(frozen=True)
class FeatureSpec:
    """The MLPerf Tiny keyword-spotting front end (49 frames x 10 MFCC of one second).

    `input_scale` and `input_zero_point` hold one value per coefficient; the input of the network is
    `clip(round(mfcc / input_scale + input_zero_point), -128, 127)`, int8 [frames, coefficients].
    MLPerf Tiny uses one scale for all (0.5847029, zero point 83); a scale per coefficient gives
    the high coefficients, whose range is small, the same resolution as the first. On TI's NPU this
    is the input normalization, which the firmware computes with the features.

    rounding: "nearest", halves to even; or "toward-zero", as the official input files of MLPerf Tiny were made.
    arithmetic: "float", or the integers of edgekws.features.fixed, which boards compute too.
    definition: "mfcc", or "sww01": the log-mel powers of MLPerf Tiny's streaming wake word (edgekws.features.sww01),
    which have no DCT and no log_floor, and need level "stream".
    level: what samples are divided by: "clip", the highest sample of the clip, as MLPerf Tiny does it, which needs the
    whole clip; or "stream", `stream_peak`, an int16 value that is the same at all times.
    """

    rate_hz: int = 16_000
    clip_samples: int = 16_000
    window_samples: int = 480
    hop_samples: int = 320
    fft_samples: int = 512
    mel_bands: int = 40
    low_hz: float = 20.0
    high_hz: float = 4_000.0
    coefficients: int = 10
    log_floor: float = 1e-6
    input_scale: tuple[float, ...] = (0.5847029089927673,) * 10
    input_zero_point: tuple[int, ...] = (83,) * 10
    rounding: Rounding = "nearest"
    arithmetic: Arithmetic = "float"
    level: Level = "clip"
    stream_peak: int = 8_192
    definition: Definition = "mfcc"

    @property
    def channels(self) -> int:
        """Values of one coefficient of one frame."""
        return 1

    @property
    def frames(self) -> int:
        """Windows that fit into a clip."""
        return 1 + (self.clip_samples - self.window_samples) // self.hop_samples

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, coefficients)"""
        return self.frames, self.coefficients

    @property
    def network_scale(self) -> float:
        """Real value of one int8 step, as the float network gets it: that of the coefficients when all have the same
        scale and zero point; else INPUT_SCALE, since the steps are standardized.
        """
        return self.input_scale[0] if self.is_uniform else INPUT_SCALE

    @property
    def network_zero(self) -> int:
        """The int8 step that is 0 for the float network."""
        return self.input_zero_point[0] if self.is_uniform else 0

    @property
    def is_uniform(self) -> bool:
        """Whether all coefficients have one scale and one zero point."""
        return len(set(self.input_scale)) == len(set(self.input_zero_point)) == 1

    def with_statistics(self, mean: np.ndarray, deviation: np.ndarray, span: float = 4.0) -> FeatureSpec:
        """The same front end, whose int8 range covers mean +- span * deviation. mean, deviation: [coefficients]."""
        scale = np.maximum(deviation, 1e-3) * span / INPUT_MAX
        zero_point = np.round(-mean / scale).astype(int)
        return replace(self, input_scale=tuple(map(float, scale)), input_zero_point=tuple(map(int, zero_point)))

    def to_json(self) -> dict[str, Any]:
        """The fields with lists for tuples, as `from_json` takes them; those of _LATER only where they are not the
        default: older files and hashes stay as they are.
        """
        written = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in written.items() if key not in _LATER or value != _DEFAULTS[key]}

    def require(self, other: FeatureSpec | UnknownFeatures, source: str) -> None:
        """Raises ArtifactError, with the fields that differ, unless `other` is the same. source: what has `other`."""
        _require(self.to_json(), other.to_json(), source)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FeatureSpec:
        """Raises ArtifactError for unknown, missing or impossible fields."""
        later = {key: kind for key, kind in _LATER.items() if isinstance(value, dict) and key in value}
        fields.require("a feature specification", value, {**_KINDS, **later})
        known: dict[str, Any] = {key: tuple(x) if isinstance(x, list) else x for key, x in value.items()}
        spec = cls(**known)
        if spec.clip_samples < spec.window_samples:
            raise ArtifactError(
                "a clip should hold a window", got=f"{spec.clip_samples} < {spec.window_samples} samples"
            )
        if not len(spec.input_scale) == len(spec.input_zero_point) == spec.coefficients:
            got = f"{len(spec.input_scale)} and {len(spec.input_zero_point)} for {spec.coefficients}"
            raise ArtifactError("each coefficient should have a scale and a zero point", got=got)
        return spec


@dataclass(frozen=True)
class UnknownFeatures:
    """The input of a model whose front end nobody named: int8 [height, width, channels], whatever they mean."""

    shape: tuple[int, int]
    channels: int = 1

    def to_json(self) -> dict[str, Any]:
        """The mark of an unknown front end, and the input's shape."""
        return {"unknown": True, "shape": list(self.shape), "channels": self.channels}

    def require(self, other: FeatureSpec | UnknownFeatures, source: str) -> None:
        """As that of FeatureSpec."""
        _require(self.to_json(), other.to_json(), source)


def known(features: FeatureSpec | UnknownFeatures, model: str) -> FeatureSpec:
    """`features` of the model called `model`. Raises DataError where they are not known."""
    if isinstance(features, UnknownFeatures):
        hint = "say which it is: edgekws import --features mlperf, or a file; or give int8 inputs of your own"
        raise DataError(f"{model}: the front end should be known", got="a model without one", hint=hint)
    return features


def _require(mine: dict[str, Any], theirs: dict[str, Any], source: str) -> None:
    differing = [
        f"{key} {_brief(theirs.get(key))}, not {_brief(mine.get(key))}"
        for key in {**mine, **theirs}
        if mine.get(key) != theirs.get(key)
    ]
    if differing:
        raise ArtifactError(
            f"{source} should have the features that the model takes",
            got="; ".join(differing[:_SHOWN]),
            hint="make them with the front end of this model, or use the model that they were made for",
        )


def from_json(value: dict[str, Any]) -> FeatureSpec | UnknownFeatures:
    """What `to_json` of either wrote. Raises ArtifactError for unknown, missing or impossible fields."""
    if "unknown" not in value:
        return FeatureSpec.from_json(value)
    fields.require("an unknown front end", value, _UNKNOWN)
    height, width = value["shape"]
    return UnknownFeatures((height, width), value["channels"])


_UNKNOWN = {"unknown": fields.TRUTH, "shape": fields.list_of(fields.COUNT, 2), "channels": fields.COUNT}
_SHOWN = 4


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _one_of(names: tuple[str, ...]) -> fields.Kind:
    return fields.Kind(" or ".join(map(repr, names)), lambda value: value in names)


_LATER = {
    "rounding": _one_of(get_args(Rounding)),
    "arithmetic": _one_of(get_args(Arithmetic)),
    "level": _one_of(get_args(Level)),
    "stream_peak": fields.COUNT,
    "definition": _one_of(get_args(Definition)),
}
"""Fields that were added later."""
_DEFAULTS = asdict(FeatureSpec())
_KINDS = {
    **dict.fromkeys(("rate_hz", "clip_samples", "window_samples", "hop_samples", "fft_samples"), fields.COUNT),
    **dict.fromkeys(("mel_bands", "coefficients"), fields.COUNT),
    **dict.fromkeys(("low_hz", "high_hz", "log_floor"), fields.REAL),
    "input_scale": fields.list_of(fields.ABOVE_ZERO),
    "input_zero_point": fields.list_of(fields.INTEGER),
}
