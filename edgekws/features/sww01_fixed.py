"""The front end of MLPerf Tiny's streaming wake word in fixed point: close to sww01.py, the same on every core.

It is that of fixed.py up to the spectrum, with a symmetric Hamming window; then powers, not magnitudes, and no DCT.

    pre-emphasis           p[t] = (32 x[t] - 31 x[t - 1] + 32) >> 6, int16: half of x[t] - 31/32 x[t - 1]
    frame, int16 [window]  energy E = sum of p^2 -> u = (bits of 32767 * window - log2(window / 2) - bits(E)) / 2, down
    window, FFT, split     as in fixed.py; X is left by the block exponent e and the stages, 2^(e + unit)
    power                  high(X.re'^2) + high(X.im'^2) + 1; X' = X << (u - e - unit): all bins add up to below 2^30
    mel                    as in fixed.py
    log2, dB               log2(band + 1) - level, clipped to 0 to 64 dB, in 1/65536
    steps                  as in fixed.py

high is the upper word of a 64-bit product, floor(a * b / 2^32). By Parseval's theorem the powers of bins 1 to window /
2 - 1 of a window add up to at most window / 2 * E, so that u needs no look at the spectrum.
"""

from __future__ import annotations

import math

import numpy as np

from edgekws.features.integer.ranges import Range, SpectrumBounds, symmetric
from edgekws.features.spec import FeatureSpec
from edgekws.features.sww01 import OFFSET_DB, RANGE_DB, window

POWER_BITS = 30
LOG2_PER_DB = math.log2(10) / 10
TOP = round(RANGE_DB * LOG2_PER_DB * 65536)
"""64 dB in 1/65536 of log2."""
UNIT_MAX = 16
"""More than log2(window) less than this, the spectrum's unit would have to be shifted right for a full-scale frame."""
_LEAST_BITS = 28
"""A frame that is not 0 has samples of 2^14 or more once they are shifted left by its block exponent."""


def emphasized(samples: np.ndarray, before: np.ndarray) -> np.ndarray:
    """int16 [n, k]; before: int16 [n], the samples in front -> int16 [n, k], half the pre-emphasized samples."""
    last = np.concatenate([before[:, None], samples[:, :-1]], axis=1)[:, : samples.shape[1]]
    return np.asarray((32 * samples.astype(np.int32) - 31 * last.astype(np.int32) + 32) >> 6, np.int16)


def scale_bits(fft_samples: int) -> int:
    """u is half of this less the bits of a frame's energy."""
    return POWER_BITS + 32 - (fft_samples.bit_length() - 2)


def energies(frames: np.ndarray) -> np.ndarray:
    """int16 [rows, window] -> the bits of each sum of squares, int64 [rows]."""
    wide = frames.astype(np.int64)
    return np.asarray(np.frexp((wide * wide).sum(axis=1).astype(np.float64))[1], np.int64)


def powers(real: np.ndarray, imaginary: np.ndarray, left: np.ndarray) -> np.ndarray:
    """int32 [rows, bins] each; left: int64 [rows] -> int32 [rows, bins]."""
    real, imaginary = real.astype(np.int64) << left[:, None], imaginary.astype(np.int64) << left[:, None]
    return np.asarray((real * real >> 32) + (imaginary * imaginary >> 32) + 1, np.int32)


def level_offset(spec: FeatureSpec) -> int:
    """What is subtracted from log2(band), in 1/65536, without u and the peak: the scale of a band, window and 52 dB."""
    octaves = -33 - 2 + math.log2(spec.window_samples)
    return round((octaves - OFFSET_DB * LOG2_PER_DB) * 65536)


def ranges(spec: FeatureSpec, spectrum: SpectrumBounds, unit: int, bins: int) -> tuple[Range, ...]:
    """Of the stages after the spectrum, for all int16 samples. unit: X is 2^(e + unit) times the DFT of a window.

    One part of one bin has at most sum((w cos)^2) * E, by the Cauchy-Schwarz inequality.
    """
    half = spec.fft_samples.bit_length() - 2
    least = math.sqrt(2.0 ** (_LEAST_BITS + half + 2 * unit))
    growth = (1 + math.sqrt(bins) * spectrum.error / least) ** 2
    total = math.ceil(2.0**POWER_BITS * growth) + bins
    share = _largest_part(window(spec.window_samples), spec.fft_samples) / (spec.fft_samples / 2)
    part = symmetric("spectrum for powers", math.sqrt(2.0 ** (POWER_BITS + 32) * growth * share))
    return part, Range("powers of all bins", 0, total), Range("logarithm above -52 dB, 1/65536", 0, TOP)


def _largest_part(weights: np.ndarray, fft_samples: int) -> float:
    """Of sum((w cos)^2) and sum((w sin)^2) over the bins 1 on: (sum(w^2) +- |spectrum of w^2 at twice the bin|) / 2."""
    twice = np.abs(np.fft.rfft(weights**2, fft_samples))[2:]
    return float((np.square(weights).sum() + twice.max()) / 2)
