"""The float reference of the MLPerf Tiny MFCC (mlcommons/tiny, keyword_spotting/get_dataset.py).

    one second, int16      |<-------------------- 16000 samples -------------------->|
    frame 0                [ window 480 |0 0..]                 zero-padded to FFT 512
    frame 1                     hop 320 [ window 480 |0 0..]
    ...                                                     49 frames, the last 160 samples unused

    samples / max -> frames x periodic Hann -> |FFT| -> 40 HTK mel bands -> ln(m + 1e-6)
    -> DCT-II / sqrt(2 * 40) -> first 10 coefficients

The mel bands end at 4 kHz, so only a quarter of the FFT bins is needed: two matrix products with the windowed cosines
and sines of these bins take a third of the time of a full FFT.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgekws.errors import ConfigError, DataError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, FeatureSpec


def mfcc(spec: FeatureSpec, samples: np.ndarray, dtype: str = "float32") -> np.ndarray:
    """samples int16 or float [n, clip_samples] -> float [n, frames, coefficients].

    dtype: the precision computed in. Raises DataError for clips of another length, ConfigError for other features.
    """
    if spec.definition != "mfcc":
        hint = 'give [features] arithmetic = "fixed"'
        raise ConfigError("this needs a front end of MFCC", got=f'definition = "{spec.definition}"', hint=hint)
    if samples.ndim != 2 or samples.shape[1] != spec.clip_samples:
        raise DataError(f"clips should have shape [n, {spec.clip_samples}]", got=str(list(samples.shape)))
    loud = normalize(spec, samples.astype(dtype))
    frames = np.lib.stride_tricks.sliding_window_view(loud, spec.window_samples, axis=1)[:, :: spec.hop_samples]
    cosine, sine, mel, dct = tables(spec, dtype)
    rows = frames.reshape(-1, spec.window_samples)
    magnitude = np.sqrt((rows @ cosine) ** 2 + (rows @ sine) ** 2)
    log_mel = np.log(magnitude @ mel + np.asarray(spec.log_floor, dtype))
    return np.asarray(log_mel @ dct).reshape(len(samples), spec.frames, spec.coefficients)


def normalize(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """Divide samples [n, clip_samples], in int16 steps, by the level that the specification states.

    level "clip": by the highest sample of each clip; like the reference, not by its highest magnitude. A clip without
    a positive sample, for which the reference gives NaN, is not changed.
    """
    if spec.level == "stream":
        return np.asarray(samples / samples.dtype.type(spec.stream_peak))
    peak = samples.max(axis=1, keepdims=True)
    return np.asarray(samples / np.where(peak > 0, peak, 1).astype(samples.dtype))


def to_network(spec: FeatureSpec, features: np.ndarray) -> np.ndarray:
    """MFCC [n, frames, coefficients] -> input steps: float32, clipped to the int8 range.

    They are not rounded to nearest, so that a network can be trained on more than it will get; but they are rounded
    toward zero where the specification says so, since that moves the mean.
    """
    scale = np.asarray(spec.input_scale, np.float32)
    zero_point = np.asarray(spec.input_zero_point, np.float32)
    steps = np.asarray(np.clip(features.astype(np.float32) / scale + zero_point, INPUT_MIN, INPUT_MAX))
    return np.trunc(steps) if spec.rounding == "toward-zero" else steps


def quantize(spec: FeatureSpec, features: np.ndarray) -> np.ndarray:
    """MFCC [n, frames, coefficients] -> int8 input steps, rounded as the specification says; nearest is half to even.

    The reference's own quantization lets values outside of int8 wrap around; here they are clipped.
    """
    return np.asarray(np.rint(to_network(spec, features)), np.int8)


@lru_cache(maxsize=4)
def tables(spec: FeatureSpec, dtype: str = "float32") -> tuple[np.ndarray, ...]:
    """The constants of `mfcc`: (cosine, sine [window, bins], mel [bins, bands], DCT [bands, coefficients])."""
    mel = mel_weights(spec)
    bins = 1 + int(np.flatnonzero(mel.any(axis=1))[-1])
    time = np.arange(spec.window_samples)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / spec.window_samples)
    angle = 2 * np.pi / spec.fft_samples * np.outer(time, np.arange(bins))
    band, order = np.arange(spec.mel_bands) + 0.5, np.arange(spec.coefficients)
    dct = 2 * np.cos(np.pi / spec.mel_bands * np.outer(band, order)) / np.sqrt(2 * spec.mel_bands)
    exact = (window[:, None] * np.cos(angle), window[:, None] * np.sin(angle), mel[:bins], dct)
    return tuple(table.astype(dtype) for table in exact)


def mel_weights(spec: FeatureSpec) -> np.ndarray:
    """Triangular HTK mel bands, [fft / 2 + 1, bands]; the DC bin is omitted, as in tf.signal."""
    bins_hz = np.linspace(0, spec.rate_hz / 2, spec.fft_samples // 2 + 1)
    bins = mel_of_hz(bins_hz)[:, None]
    edges = np.linspace(mel_of_hz(np.array(spec.low_hz)), mel_of_hz(np.array(spec.high_hz)), spec.mel_bands + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    triangles[0] = 0
    return np.asarray(triangles)


def mel_of_hz(hz: np.ndarray) -> np.ndarray:
    """The mel scale of HTK (Young et al., The HTK Book, section 5.4)."""
    return np.asarray(1127.0 * np.log1p(hz / 700.0))
