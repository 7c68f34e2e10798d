"""The network that a phrase's training starts with: weights that already tell words apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from edgekws.features import mfcc
from edgekws.features.spec import FeatureSpec
from edgekws.training import init
from edgekws.training.phrase import network
from edgekws.training.phrase.network import frames_of

_ROWS = (25, 52)
"""Fewest and most rows of the pool: windows of 1.5 and 2.5 s."""
_SPARE_S = 0.25
_LOUD_SPAN = 3.5


def pool_rows(longest_s: float, spec: FeatureSpec) -> int:
    """Rows of the pool, so that its mean is over all of a phrase of `longest_s` and a little more."""
    row_s = network.STRIDE * spec.hop_samples / spec.rate_hz
    return min(max(round((longest_s + _SPARE_S) / row_s), _ROWS[0]), _ROWS[1])


def front_end(initial: init.Initial, rows: int, sound: np.ndarray) -> FeatureSpec:
    """The starting network's front end for a stream, in fixed point, and a window of so many rows.

    sound: int16 [n, samples], typical of what will be heard. Where the network was trained on clips, the scale of the
    first coefficient, the loudness, is fitted to it; the others do not depend on the level.
    """
    window = initial.features.window_samples + initial.features.hop_samples * (frames_of(rows) - 1)
    spec = replace(initial.features, arithmetic="fixed", level="stream", clip_samples=window)
    if initial.features.level == "stream":
        return spec
    values = mfcc.mfcc(replace(spec, clip_samples=sound.shape[1]), sound).reshape(-1, spec.coefficients)
    fitted = spec.with_statistics(values.mean(axis=0), values.std(axis=0), _LOUD_SPAN)
    return replace(
        spec,
        input_scale=(fitted.input_scale[0], *spec.input_scale[1:]),
        input_zero_point=(fitted.input_zero_point[0], *spec.input_zero_point[1:]),
    )


def build(initial: init.Initial, labels: int, seed: int) -> nn.Sequential:
    """The network with the weights of `initial`, but for its last layer. Raises ConfigError for another network's."""
    torch.manual_seed(seed)
    built = network.build(labels)
    init.apply(built, initial, tuple(f"label {number}" for number in range(labels)))
    return built
