"""Features in the arithmetic that a front end states: what training, evaluation and boards compute.

Between extraction and quantization, `features` are float32 MFCC (arithmetic "float"), or the int32 sums of
`fixed.cepstra` (arithmetic "fixed"), which keep every bit; both are [n, frames, coefficients], do not depend on
input_scale, and go through `to_network`, `quantize` and `values` here.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import lru_cache

import numpy as np

from edgekws import plugins
from edgekws.errors import BoardError, SystemFaultError
from edgekws.features import fixed, mfcc, sww01
from edgekws.features.spec import FeatureSpec

VERSIONS = {"float": 1, "fixed": 1}
"""Increment when the values of an arithmetic change, so that old cache files are not used."""
_FULL_SCALE = 32_768
_ENGINE = "c"
"""A plugin of edgekws/engines or firmware_io/engines that computes features in fixed point too."""


def steps(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """int16 [n, clip_samples] -> input steps float32 [n, frames, coefficients], as `to_network` gives them."""
    return to_network(spec, features(spec, samples))


def quantized(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """int16 [n, clip_samples] -> int8 [n, frames, coefficients], the input of the network.

    Raises DataError for clips of another length or type, and ConfigError for what fixed point cannot do.
    """
    return quantize(spec, features(spec, samples))


def features(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """int16 [n, clip_samples] -> float32 or int32 [n, frames, coefficients]. Raises as `quantized`.

    With arithmetic "float", the samples may be float32 too: of any level for level "clip", else in int16 steps.
    """
    if spec.arithmetic == "float":
        return (mfcc.mfcc if spec.definition == "mfcc" else sww01.features)(spec, samples)
    return fixed.cepstra(spec, samples, _sums(_without_scales(spec)))


def front_end(spec: FeatureSpec) -> fixed.FrontEnd:
    """A stream of samples -> int8 rows, by the C of the boards. Raises ConfigError as fixed.FrontEnd."""
    return fixed.FrontEnd(spec, _sums(_without_scales(spec)))


def _without_scales(spec: FeatureSpec) -> FeatureSpec:
    """What the sums do not depend on is that of all, so that one library serves every model of these features."""
    ones, zeros = (1.0,) * spec.coefficients, (0,) * spec.coefficients
    scaled = replace(spec, input_scale=ones, input_zero_point=zeros, rounding="nearest")
    return replace(scaled, clip_samples=spec.window_samples, level="stream", stream_peak=1)


@lru_cache(maxsize=16)
def _sums(spec: FeatureSpec) -> fixed.Sums:
    fixed.check(spec)
    try:
        compiled: fixed.Sums = plugins.load("engines", _ENGINE).front_end(spec)
    except (BoardError, SystemFaultError) as error:  # no compiler, or no room to build
        warnings.warn(f"features are computed in NumPy, which is slow: {error}", RuntimeWarning, stacklevel=4)
        return fixed.sums(spec)
    return compiled


def feature_type(spec: FeatureSpec) -> np.dtype[np.generic]:
    """Of `features`."""
    return np.dtype(np.int32 if spec.arithmetic == "fixed" else np.float32)


def to_network(spec: FeatureSpec, features: np.ndarray) -> np.ndarray:
    """`features` -> input steps: float32, clipped to int8's range; rounded only where the rounding is toward zero."""
    return fixed.to_network(spec, features) if spec.arithmetic == "fixed" else mfcc.to_network(spec, features)


def quantize(spec: FeatureSpec, features: np.ndarray) -> np.ndarray:
    """`features` -> int8 of the same shape, rounded as the specification says; halves to even, or up in fixed point."""
    return fixed.quantize(spec, features) if spec.arithmetic == "fixed" else mfcc.quantize(spec, features)


def values(spec: FeatureSpec, features: np.ndarray) -> np.ndarray:
    """`features` -> the MFCC that they stand for, float32 of the same shape."""
    return fixed.values(spec, features) if spec.arithmetic == "fixed" else features


def recorded(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """float32 samples in +-1 -> what `features` takes: int16, as a microphone would give them, clipped.

    They stay as they are for arithmetic "float" with level "clip", where only ratios count.
    """
    if spec.arithmetic == "float" and spec.level == "clip":
        return samples
    return np.asarray(np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1), np.int16)
