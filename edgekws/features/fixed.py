"""The fixed-point MFCC front end: int16 samples -> the int8 input of the network, equal bit for bit on every core.

This is the definition; the C of firmware_io/firmware/kernels/frontend computes the same integers.

    frame, int16 [window]  max of |x|, ones' complement -> block exponent e, 0 to 15
    window                 mul(x << (e + data_shift), Hann Q15)
    FFT                    int32 [fft / 2] complex, radix 4, each twiddle product halves (integer/fft.py)
    split                  bins of the real spectrum, from the first to the last that a mel band uses
    magnitude              31-bit normalised, 113-entry square root (integer/arithmetic.py)
    mel                    band b += mul(m, rise); band b - 1 += (m >> 1) - mul(m, rise)
    floor, log2            log2(band + peak * log_floor), 65-entry table, minus the exponents and log2(peak)
    DCT                    pairs (band b +- band B - 1 - b) times Q15 cosines
    steps                  (sum * multiplier / 2^16) >> shift, + zero point, clipped to int8

Features of sww01 differ after the spectrum: sww01_fixed.py.

mul is floor(a * c / 2^16). The values are those of features/mfcc.py but for the constants' 16 bits. Two rules differ:
halves round up, not to even; and a stream's or a clip's peak counts as 1 where it is below.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekws.errors import ConfigError, DataError
from edgekws.features import fixed_plan as planning
from edgekws.features import sww01_fixed
from edgekws.features.fixed_plan import EXPONENT_MAX, Plan, plan
from edgekws.features.integer import fft
from edgekws.features.integer.arithmetic import bits, log2, magnitude, mul, ones_magnitude
from edgekws.features.integer.ranges import Range
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, FeatureSpec

Sums = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(int16 [n, k], k at least a window, pre-emphasized for sww01; peaks int [n], 1 to 32768) -> the DCT's sums, int32
[n, frames, coefficients]
"""
_FRAMES_AT_ONCE = 512


def check(spec: FeatureSpec) -> tuple[Range, ...]:
    """What the integers of each stage can be at most, for all int16 samples; every one fits into int32.

    Raises ConfigError, by name, for what the fixed-point front end cannot do.
    """
    return plan(spec).ranges


def quantized(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """int16 [n, clip_samples] -> int8 [n, frames, coefficients], the input of the network.

    Raises DataError for samples of another type or length, and ConfigError as `check`.
    """
    return quantize(spec, cepstra(spec, samples))


def cepstra(spec: FeatureSpec, samples: np.ndarray, sums_of: Sums | None = None) -> np.ndarray:
    """int16 [n, clip_samples] -> the sums of the DCT, int32 [n, frames, coefficients]; they do not depend on
    input_scale. sums_of: what computes; by default the definition. Raises as `quantized`.
    """
    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.shape[1] != spec.clip_samples or samples.dtype != np.int16:
        got = f"{samples.dtype} {list(samples.shape)}"
        raise DataError(f"clips should be int16 [n, {spec.clip_samples}]", got=got)
    sharp = _prepared(spec, samples, np.zeros(len(samples), np.int16))
    return (sums_of or sums(spec))(sharp, peaks(spec, samples))


def _prepared(spec: FeatureSpec, samples: np.ndarray, before: np.ndarray) -> np.ndarray:
    """What windows are cut from: int16 of the same shape. before: int16 [n], the samples in front."""
    return samples if spec.definition == "mfcc" else sww01_fixed.emphasized(samples, before)


def peaks(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """What each of these clips, int16 [n, clip_samples], is divided by: int64 [n], at least 1."""
    if spec.level == "stream":
        return np.full(len(samples), spec.stream_peak)
    return np.asarray(np.maximum(samples.max(axis=1), 1), np.int64)


def frames_in(spec: FeatureSpec, samples: int) -> int:
    """Windows that fit into so many samples."""
    return max(0, 1 + (samples - spec.window_samples) // spec.hop_samples)


def quantize(spec: FeatureSpec, cepstra: np.ndarray) -> np.ndarray:
    """int32 [..., coefficients] of `cepstra` -> int8 steps, rounded as the specification says; halves round up."""
    p = plan(spec)
    value, half = mul(cepstra, p.multiplier), 1 << (p.right_shift - 1)
    if spec.rounding == "nearest":
        steps = ((value + half) >> p.right_shift) + p.zero_point
    else:
        steps = (value >> p.right_shift) + p.zero_point
        steps += (steps < 0) & (value & (2 * half - 1) != 0)
    return np.asarray(np.clip(steps, INPUT_MIN, INPUT_MAX), np.int8)


def to_network(spec: FeatureSpec, cepstra: np.ndarray) -> np.ndarray:
    """int32 [..., coefficients] of `cepstra` -> input steps as float32, clipped but not rounded to nearest, as
    mfcc.to_network gives them for training; those rounded toward zero are rounded.
    """
    p = plan(spec)
    if spec.rounding == "toward-zero":
        return quantize(spec, cepstra).astype(np.float32)
    steps = np.ldexp(mul(cepstra, p.multiplier).astype(np.float64), -p.right_shift) + p.zero_point
    return np.asarray(np.clip(steps, INPUT_MIN, INPUT_MAX), np.float32)


def values(spec: FeatureSpec, cepstra: np.ndarray) -> np.ndarray:
    """int32 of `cepstra` -> the MFCC that they stand for, float32 of the same shape."""
    return (cepstra * planning.cepstrum_unit(spec, plan(spec).log_shift)).astype(np.float32)


class FrontEnd:
    """A stream of samples, in blocks of any size -> rows. level "stream" only: a clip's level needs the whole clip."""

    def __init__(self, spec: FeatureSpec, sums_of: Sums | None = None) -> None:
        """sums_of: what computes; by default the definition. Raises ConfigError for level "clip", and as `check`."""
        if spec.level != "stream":
            hint = 'use a model whose [features] have level = "stream"'
            raise ConfigError("a stream needs a level that does not change", got=f'level = "{spec.level}"', hint=hint)
        self.spec, self._sums = spec, sums_of or sums(spec)
        self._held, self._before = np.zeros(0, np.int16), np.zeros(1, np.int16)
        self._skip = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """int16 [k], k from 0 -> int8 [rows, coefficients]: row t as soon as sample t * hop + window - 1 is there.

        Raises DataError for samples of another type or shape.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype != np.int16:
            raise DataError("a block should be int16 [k]", got=f"{samples.dtype} {list(samples.shape)}")
        spec = self.spec
        sharp = _prepared(spec, samples[None], self._before)[0]
        self._before = np.concatenate([self._before, samples])[-1:]
        held = np.concatenate([self._held, sharp[self._skip :]])
        self._skip -= min(self._skip, len(samples))
        count = frames_in(spec, len(held))
        used = count * spec.hop_samples
        self._held, self._skip = held[used:], self._skip + max(0, used - len(held))
        if not count:
            return np.zeros((0, spec.coefficients), np.int8)
        return quantize(spec, self._sums(held[None], np.full(1, spec.stream_peak))[0])


def sums(spec: FeatureSpec) -> Sums:
    """The definition, in NumPy."""
    p = plan(spec)

    def run(samples: np.ndarray, peaks: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(samples, spec.window_samples, axis=1)[:, :: spec.hop_samples]
        rows, divided_by = windows.reshape(-1, spec.window_samples), np.repeat(peaks, windows.shape[1])
        starts = range(0, len(rows), _FRAMES_AT_ONCE)
        parts = [_rows(p, rows[at : at + _FRAMES_AT_ONCE], divided_by[at : at + _FRAMES_AT_ONCE]) for at in starts]
        made = np.concatenate([np.zeros((0, spec.coefficients), np.int32), *parts])
        return made.reshape(*windows.shape[:2], spec.coefficients)

    return run


def _rows(p: Plan, frames: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    exponent = EXPONENT_MAX - bits(ones_magnitude(frames).max(axis=1))
    spectrum = fft.split(*fft.run(p.transform, *_windowed(p, frames, exponent)), np.arange(p.bins[0], p.bins[1] + 1))
    if not p.dct.size:
        return _levels(p, frames, exponent, spectrum, peaks)
    bands = _mel(p, magnitude(*spectrum, p.guard))
    return _dct(p, _logarithms(p, bands, exponent, peaks))


def _levels(p: Plan, frames: np.ndarray, exponent: np.ndarray, spectrum: fft.Complex, peaks: np.ndarray) -> np.ndarray:
    """Of sww01: the bands' powers above -52 dB, shifted left by log_shift, int32 [rows, bands]."""
    up = (sww01_fixed.scale_bits(2 * p.transform.points) - sww01_fixed.energies(frames)) >> 1
    bands = _mel(p, sww01_fixed.powers(*spectrum, up - exponent - p.mel_unit))
    level = (up << 17) + p.floor_factor + 2 * log2(peaks)
    return np.asarray(np.clip(log2(bands + 1) - level[:, None], 0, sww01_fixed.TOP) << p.log_shift, np.int32)


def _windowed(p: Plan, frames: np.ndarray, exponent: np.ndarray) -> fft.Complex:
    """int16 [rows, window] -> even and odd samples, int32 [rows, fft / 2] each, zero after the window."""
    half = frames.shape[1] // 2
    data = mul(frames.astype(np.int32) << (exponent[:, None] + p.data_shift), p.window)
    packed = np.zeros((2, len(frames), p.transform.points), np.int32)
    packed[0, :, :half], packed[1, :, :half] = data[:, 0::2], data[:, 1::2]
    return packed[0], packed[1]


def _mel(p: Plan, magnitudes: np.ndarray) -> np.ndarray:
    """int32 [rows, bins] -> int32 [rows, bands]; what lies beyond the first and last band's edges is dropped."""
    bands = len(p.dct)
    rising = mul(magnitudes, p.rise)
    sides = np.zeros((len(magnitudes), bands + 2), np.int64)
    for k, band in enumerate(p.band):
        sides[:, band + 1] += rising[:, k]
        sides[:, band] += (magnitudes[:, k] >> 1) - rising[:, k]
    return sides[:, 1 : bands + 1].astype(np.int32)


def _logarithms(p: Plan, bands: np.ndarray, exponent: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """int32 [rows, bands] -> log2(band / peak + floor) in 1/65536, int32 [rows, bands]."""
    floor = np.maximum(peaks.astype(np.int64) * p.floor_factor >> (p.floor_shift - exponent), 1).astype(np.int32)
    level = ((exponent + p.mel_unit) << 16) + log2(peaks)
    return np.asarray(log2(bands + floor[:, None]) - level[:, None], np.int32)


def _dct(p: Plan, logarithms: np.ndarray) -> np.ndarray:
    """int32 [rows, bands] -> int32 [rows, coefficients]: cosines are symmetric, or antisymmetric, about the middle."""
    shifted = logarithms << p.log_shift
    count, half = len(p.dct), len(p.dct) // 2
    first, last = shifted[:, :half], shifted[:, ::-1][:, :half]
    sums = np.zeros((len(shifted), p.dct.shape[1]), np.int64)
    for order in range(p.dct.shape[1]):
        pairs = first + last if order % 2 == 0 else first - last
        sums[:, order] = mul(pairs, p.dct[:half, order]).sum(axis=1)
        if count % 2:
            sums[:, order] += mul(shifted[:, half], p.dct[half, order])
    return sums.astype(np.int32)
