"""Bounds of every stage of the fixed-point front end, for all int16 samples.

FFT: each place of each stage is bounded by the sum of the magnitudes that it adds up (all phases are possible), and
separately by how far rounding and the 16-bit constants can move it from the exact DFT. Bands: by the Cauchy-Schwarz
inequality and Parseval's theorem, since one window's energy cannot be in all bins at once at their single bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekws.features.integer import fft

_TABLE_ERROR = 2.0**-16
"""Of one Q15 constant, rounded to nearest or 32767 for 1: relative to its scale of 32768, times sqrt(2) complex."""
_ROOT_ERROR = 2.0**-10
"""More than `arithmetic.magnitude` differs from the true value, relative."""


@dataclass(frozen=True)
class Range:
    """What a stage's integers can be at most. stage: its name."""

    stage: str
    low: int
    high: int

    @property
    def bits(self) -> int:
        """Width of a signed integer that holds the range."""
        return max(self.high.bit_length(), (-self.low - 1).bit_length() if self.low < 0 else 0) + 1


@dataclass(frozen=True)
class SpectrumBounds:
    """bin: of the magnitude of one bin; error: what rounding adds to it at most; energy: of the sum of squares over
    the bins 1 to M - 1, without rounding. ranges: the stages before.
    """

    bin: float
    error: float
    energy: float
    ranges: tuple[Range, ...]


def symmetric(stage: str, bound: float) -> Range:
    """-bound to bound, rounded outwards."""
    high = math.ceil(bound)
    return Range(stage, -high, high)


def spectrum_bounds(transform: fft.Transform, window: np.ndarray, data_shift: int) -> SpectrumBounds:
    """Of window, FFT and split, for samples of -2^15 to 2^15 after the block exponent."""
    shifted = float(1 << (15 + data_shift))
    part = np.zeros(2 * transform.points)
    part[: len(window)] = np.ceil(shifted * window / 65536)
    even, odd = part[0::2], part[1::2]
    ranges = [symmetric("shifted samples", shifted), symmetric("window", part.max())]
    magnitudes, errors = np.hypot(even, odd), np.full(transform.points, math.sqrt(2))
    for stage in transform.stages:
        magnitudes, errors, sums = _stage(stage, magnitudes, errors)
        ranges.append(symmetric(f"FFT, blocks of {stage.length}", sums))
    scale, error = 2.0**-transform.halvings, float(errors.max())
    double = 2 * max(even.sum(), odd.sum()) * scale + 2 * error
    ranges.append(symmetric("split, sums", double))
    error = 2 * error + 3 * math.sqrt(2) + double * math.sqrt(2) * _TABLE_ERROR
    bin_bound = part.sum() * scale + error
    ranges.append(symmetric("spectrum", bin_bound))
    energy = transform.points * float(np.square(part).sum()) * scale**2
    return SpectrumBounds(bin_bound, error, energy, tuple(ranges))


def _stage(stage: fft.Stage, magnitudes: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Bounds after a stage, float64 [points] each, and the largest sum before its products."""
    shape = (-1, stage.radix, stage.length // stage.radix)
    sums, error = magnitudes.reshape(shape).sum(1), errors.reshape(shape).sum(1)
    largest = float((sums + error).max())
    if not stage.is_last:
        error = error / 2 + 2 * math.sqrt(2) + (sums + error) * math.sqrt(2) * _TABLE_ERROR
        sums = sums / 2
    return _for_all_legs(sums, stage.radix), _for_all_legs(error, stage.radix), largest


def _for_all_legs(block: np.ndarray, radix: int) -> np.ndarray:
    """[blocks, length / radix] -> [points]: every leg has the bound of its sum."""
    return np.repeat(block[:, None], radix, axis=1).reshape(-1)


def mel_bound(spectrum: SpectrumBounds, band: np.ndarray, rise: np.ndarray, guard: int) -> float:
    """Of the largest band, the two discarded halves at the edges included."""
    share = rise / 32768.0
    worst = 0.0
    for j in range(int(band.min()) - 1, int(band.max()) + 1):
        weights = np.concatenate([share[band == j], 1 - share[band == j + 1]])
        exact = math.sqrt(float(np.square(weights).sum()) * spectrum.energy)
        loudest = min(exact + weights.sum() * spectrum.error, weights.sum() * spectrum.bin)
        worst = max(worst, loudest * (1 + _ROOT_ERROR) / 2 ** (2 + guard) + 2 * len(weights))
    return worst


def sum_range(dct: np.ndarray, low: int, high: int) -> tuple[Range, ...]:
    """Of pairs of logarithms and of their DCT, for logarithms of low to high (shifted)."""
    largest = max(-low, high)
    pairs = Range("pairs of logarithms", min(2 * low, low - high), max(2 * high, high - low))
    sums = np.abs(dct.astype(np.int64)).sum(0).max() * largest / 65536 + len(dct)
    return pairs, symmetric("DCT", float(sums))
