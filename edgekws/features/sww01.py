"""The float reference of the front end of MLPerf Tiny's streaming wake word (mlcommons/tiny, streaming_wakeword).

    samples / 32768 -> x[t] - 31/32 x[t - 1] -> frames of 1024, a hop of 512 x symmetric Hamming -> |FFT|^2 / 1024
    -> 40 HTK mel bands, 0 to 8 kHz -> 10 log10 -> (dB + 52) / 64, clipped to 0 to 1

What is before the first sample of a clip counts as 0. The integers of the boards are in sww01_fixed.py.
"""

from __future__ import annotations

import numpy as np

from edgekws.errors import ConfigError
from edgekws.features.mfcc import mel_weights
from edgekws.features.spec import FeatureSpec

OFFSET_DB, RANGE_DB = 52.0, 64.0
_LEAST = 1e-30
_FRAMES_AT_ONCE = 1024


def require(spec: FeatureSpec) -> None:
    """Raises ConfigError for what this front end has not."""
    if spec.level != "stream":
        expected = 'the front end of sww01 should have level = "stream"'
        raise ConfigError(expected, got=f'"{spec.level}"', hint="stream_peak = 32768 is the benchmark's")
    if spec.coefficients != spec.mel_bands:
        expected = "the front end of sww01 has no DCT: coefficients should be mel_bands"
        raise ConfigError(expected, got=f"{spec.coefficients} of {spec.mel_bands}", hint="make them equal")


def window(samples: int) -> np.ndarray:
    """The symmetric Hamming window, float64 [samples]."""
    return np.asarray(0.54 - 0.46 * np.cos(2 * np.pi * np.arange(samples) / (samples - 1)))


def features(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """int16 or float [n, clip_samples], in int16 steps -> 0 to 1, float32 [n, frames, mel_bands]. Computed in float64.

    Raises ConfigError as `require`.
    """
    require(spec)
    loud = samples.astype(np.float64) / spec.stream_peak
    sharp = loud - 31 / 32 * np.pad(loud, ((0, 0), (1, 0)))[:, :-1]
    frames = np.lib.stride_tricks.sliding_window_view(sharp, spec.window_samples, axis=1)[:, :: spec.hop_samples]
    rows, mel = frames.reshape(-1, spec.window_samples), mel_weights(spec)
    parts = [
        _decibels(spec, rows[at : at + _FRAMES_AT_ONCE], mel) for at in range(0, len(rows), _FRAMES_AT_ONCE)
    ]  # fmt: skip
    made = np.concatenate([np.zeros((0, spec.mel_bands)), *parts])
    return np.clip((made + OFFSET_DB) / RANGE_DB, 0, 1).astype(np.float32).reshape(*frames.shape[:2], -1)


def _decibels(spec: FeatureSpec, rows: np.ndarray, mel: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(rows * window(spec.window_samples), spec.fft_samples)
    power = np.square(np.abs(spectrum)) / spec.window_samples
    return np.asarray(10 * np.log10(np.maximum(power @ mel, _LEAST)))
