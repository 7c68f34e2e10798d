"""Front ends that are stated by name or in a file: for recipes and for `edgekws import --features`."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.files import read_content

MLPERF = FeatureSpec(rounding="toward-zero")
"""That of MLPerf Tiny's keyword-spotting benchmark (mlcommons/tiny, keyword_spotting/get_dataset.py and
eval_quantized_model.py): int8 = MFCC / 0.5847 + 83, truncated toward zero.
"""
SWW01_FIXED_POINT = FeatureSpec(
    clip_samples=15_872,
    window_samples=1_024,
    hop_samples=512,
    fft_samples=1_024,
    low_hz=0.0,
    high_hz=8_000.0,
    coefficients=40,
    input_scale=(0.003701042616739869,) * 40,
    input_zero_point=(-128,) * 40,
    rounding="toward-zero",
    arithmetic="fixed",
    level="stream",
    stream_peak=32_768,
    definition="sww01",
)
"""MLPerf Tiny's streaming wake word: 30 frames of 40 log-mel powers, in the integers of edgekws.features.sww01_fixed.
Scale and zero point are those of its reference network.
"""
SWW01_FLOAT = replace(SWW01_FIXED_POINT, arithmetic="float")
"""The same in floating point, as the benchmark's own C and Python compute it."""
PRESETS = {"mlperf": MLPERF, "sww01-fixed-point": SWW01_FIXED_POINT, "sww01-float": SWW01_FLOAT}
_PER_COEFFICIENT = ("input_scale", "input_zero_point")
_EXPECTED = f"--features should be {', '.join(PRESETS)}, or a .json or .toml file with the fields of a front end"


def stated(text: str) -> FeatureSpec:
    """The front end that `text` names: a preset, or a JSON or TOML file.

    The file has fields of FeatureSpec; those that it leaves out are MLPerf Tiny's. input_scale and input_zero_point may
    be one number for all coefficients. Raises ConfigError for another name, and ArtifactError for a file that is
    damaged or has other fields.
    """
    if text in PRESETS:
        return PRESETS[text]
    path = Path(text).expanduser()
    if path.suffix.lower() not in (".json", ".toml"):
        raise ConfigError(_EXPECTED, got=text)
    content = read_content(path, "a front end", "write the fields of edgekws.FeatureSpec into it")
    try:
        text = content.decode("utf-8-sig")
        value: Any = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except ValueError as error:
        raise ArtifactError(f"{path} should be JSON or TOML", got=str(error)) from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} should hold the fields of a front end", got=type(value).__name__)
    defaults = FeatureSpec().to_json()
    count = value.get("coefficients", defaults["coefficients"])
    for key in _PER_COEFFICIENT:
        given = value.get(key, defaults[key][0])
        value[key] = given if isinstance(given, list) or type(count) is not int else [given] * count
    return FeatureSpec.from_json({**defaults, **value})


def are_the_benchmarks(features: FeatureSpec | UnknownFeatures) -> bool:
    """Whether int8 inputs of these features mean what MLPerf Tiny's official files hold; they may be rounded to nearest
    where those are truncated.
    """
    return isinstance(features, FeatureSpec) and replace(features, rounding=MLPERF.rounding) == MLPERF
