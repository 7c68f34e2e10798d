"""FeatureSpec: the only home of window, hop, mel, coefficient and scale numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.files import fields

INPUT_MIN, INPUT_MAX = -128, 127
INPUT_SCALE = 1.0 / 32
"""The float network gets int8 input steps times this: standardized features, +-4 standard deviations wide."""


@dataclass(frozen=True)
class FeatureSpec:
    """The MLPerf Tiny keyword-spotting front end (49 frames x 10 MFCC of one second).

    `input_scale` and `input_zero_point` hold one value per coefficient; the input of the network is
    `clip(round(mfcc / input_scale + input_zero_point), -128, 127)`, int8 [frames, coefficients].
    MLPerf Tiny uses one scale for all (0.5847029, zero point 83); a scale per coefficient gives
    the high coefficients, whose range is small, the same resolution as the first. On TI's NPU this
    is the input normalization, which the firmware computes with the features.
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

    @property
    def frames(self) -> int:
        """Windows that fit into a clip."""
        return 1 + (self.clip_samples - self.window_samples) // self.hop_samples

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, coefficients)"""
        return self.frames, self.coefficients

    def with_statistics(self, mean: np.ndarray, deviation: np.ndarray, span: float = 4.0) -> FeatureSpec:
        """The same front end, whose int8 range covers mean +- span * deviation. mean, deviation: [coefficients]."""
        scale = np.maximum(deviation, 1e-3) * span / INPUT_MAX
        zero_point = np.round(-mean / scale).astype(int)
        return replace(self, input_scale=tuple(map(float, scale)), input_zero_point=tuple(map(int, zero_point)))

    def to_json(self) -> dict[str, Any]:
        """The fields with lists for tuples, as `from_json` takes them."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def require(self, other: FeatureSpec, source: str) -> None:
        """Raises ArtifactError, with the fields that differ, unless `other` is the same. source: what has `other`."""
        mine, theirs = self.to_json(), other.to_json()
        differing = [
            f"{key} {_brief(theirs[key])}, not {_brief(mine[key])}" for key in mine if mine[key] != theirs[key]
        ]
        if differing:
            raise ArtifactError(
                f"{source} should have the features that the model takes",
                got="; ".join(differing[:_SHOWN]),
                hint="make them with the front end of this model, or use the model that they were made for",
            )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FeatureSpec:
        """Raises ArtifactError for unknown, missing or impossible fields."""
        fields.require("a feature specification", value, _KINDS)
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


_SHOWN = 4


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


_KINDS = {
    **dict.fromkeys(("rate_hz", "clip_samples", "window_samples", "hop_samples", "fft_samples"), fields.COUNT),
    **dict.fromkeys(("mel_bands", "coefficients"), fields.COUNT),
    **dict.fromkeys(("low_hz", "high_hz", "log_floor"), fields.REAL),
    "input_scale": fields.list_of(fields.ABOVE_ZERO),
    "input_zero_point": fields.list_of(fields.INTEGER),
}
