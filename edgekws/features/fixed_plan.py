"""Constants of the fixed-point front end of one FeatureSpec, and the proof that no int32 value overflows.

Units. A frame's samples are shifted left by e (its block exponent, 0 to 15) and `data_shift`, window and FFT divide
by 2^(1 + halvings), and a magnitude by 2^(1 + guard); a mel band, whose weights halve, is then its real value times
2^(e + mel_unit). data_shift is the largest, and guard the smallest, for which the proof holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edgekws.errors import ConfigError
from edgekws.features import sww01, sww01_fixed
from edgekws.features.integer import fft
from edgekws.features.integer.arithmetic import q15
from edgekws.features.integer.ranges import Range, SpectrumBounds, mel_bound, spectrum_bounds, sum_range
from edgekws.features.mfcc import mel_of_hz, mel_weights
from edgekws.features.spec import FeatureSpec

FFT_SIZES = (64, 128, 256, 512, 1024, 2048)
EXPONENT_MAX = 15
_PEAK_MAX = 1 << 15
_INT32 = 1 << 31
_BINS_MAX, _ZERO_MAX = 255, 32_767
_HINT = 'choose other [features], or arithmetic = "float"'


@dataclass(frozen=True, eq=False)
class Plan:
    """What the stages need, as the C holds it.

    window: int16 [window]; bins: the first and last bin that a band uses, `rise` int16 and `band` int [last - first
    + 1]: the share of a bin that band `band` gets, whose rest goes to band `band` - 1; dct: int16 [bands,
    coefficients]; multiplier: int16 [coefficients], right_shift and zero_point: int [coefficients].
    floor_factor, floor_shift: the floor before the logarithm is peak * floor_factor / 2^(floor_shift - e).
    log_shift: logarithms are shifted left by it before the DCT. ranges: the proof, a row for each stage.
    """

    transform: fft.Transform
    window: np.ndarray
    data_shift: int
    guard: int
    bins: tuple[int, int]
    band: np.ndarray
    rise: np.ndarray
    mel_unit: int
    floor_factor: int
    floor_shift: int
    dct: np.ndarray
    log_shift: int
    multiplier: np.ndarray
    right_shift: np.ndarray
    zero_point: np.ndarray
    ranges: tuple[Range, ...]


@lru_cache(maxsize=16)
def plan(spec: FeatureSpec) -> Plan:
    """The constants of `spec`. Raises ConfigError for what the fixed-point front end cannot do."""
    _require(spec)
    if spec.definition == "sww01":
        return _power_plan(spec)
    transform, window = fft.transform(spec.fft_samples // 2), _window(spec.window_samples)
    data_shift, spectrum = _data_shift(transform, window)
    first, band, rise = _mel(spec)
    unit = data_shift - 3 - transform.halvings
    guard, mel = next((g, m) for g in range(9) if (m := mel_bound(spectrum, band, rise, g)) < _INT32 // 2)
    factor, shift = _floor(spec.log_floor, unit - guard)
    floor_max = (_PEAK_MAX * factor >> (shift - EXPONENT_MAX)) + 1
    dct = _dct(spec)
    low = -((EXPONENT_MAX + unit - guard) << 16) - (EXPONENT_MAX << 16)
    high = (31 << 16) - ((unit - guard) << 16)
    log_shift, sums = _log_shift(dct, low, high)
    multiplier, right = _output(spec, log_shift)
    ranges = (
        *spectrum.ranges,
        Range("mel band and floor", 0, math.ceil(mel) + floor_max),
        Range("logarithm, 1/65536", low, high),
        *sums,
    )
    _prove(ranges)
    zero = np.asarray(spec.input_zero_point)
    bins = (first, first + len(band) - 1)
    return Plan(
        transform, window, data_shift, guard, bins, band, rise, unit - guard, factor, shift, dct, log_shift,
        multiplier, right, zero, ranges,
    )  # fmt: skip


def _power_plan(spec: FeatureSpec) -> Plan:
    """That of sww01_fixed.py: mel_unit is of the spectrum, floor_factor the offset of its level."""
    sww01.require(spec)
    transform, window = fft.transform(spec.fft_samples // 2), q15(sww01.window(spec.window_samples))
    most = sww01_fixed.UNIT_MAX - spec.fft_samples.bit_length() + 1 + transform.halvings + 1
    data_shift, spectrum = _data_shift(transform, window, most)
    first, band, rise = _mel(spec)
    unit, log_shift = data_shift - 1 - transform.halvings, 31 - sww01_fixed.TOP.bit_length()
    ranges = (*spectrum.ranges, *sww01_fixed.ranges(spec, spectrum, unit, len(band)))
    _prove(ranges)
    multiplier, right = _output(spec, log_shift)
    bins, none = (first, first + len(band) - 1), np.zeros((spec.mel_bands, 0), np.int16)
    return Plan(
        transform, window, data_shift, 0, bins, band, rise, unit, sww01_fixed.level_offset(spec), 0, none, log_shift,
        multiplier, right, np.asarray(spec.input_zero_point), ranges,
    )  # fmt: skip


def _require(spec: FeatureSpec) -> None:
    if spec.fft_samples not in FFT_SIZES:
        raise ConfigError(f"fft_samples should be one of {FFT_SIZES}", got=str(spec.fft_samples), hint=_HINT)
    if spec.window_samples % 2 or not 2 <= spec.window_samples <= spec.fft_samples:
        expected = f"window_samples should be even, and at most fft_samples, {spec.fft_samples}"
        raise ConfigError(expected, got=str(spec.window_samples), hint=_HINT)
    if not 0 <= spec.low_hz < spec.high_hz <= spec.rate_hz / 2:
        expected = f"low_hz and high_hz should rise within 0 to {spec.rate_hz / 2:g} Hz"
        raise ConfigError(expected, got=f"{spec.low_hz:g} to {spec.high_hz:g}", hint=_HINT)
    if not 1 <= spec.coefficients <= spec.mel_bands:
        expected = f"coefficients should be 1 to mel_bands, {spec.mel_bands}"
        raise ConfigError(expected, got=str(spec.coefficients), hint=_HINT)
    if spec.definition == "sww01" and spec.window_samples != spec.fft_samples:
        expected = f"the front end of sww01 should have window_samples = fft_samples, {spec.fft_samples}"
        raise ConfigError(expected, got=str(spec.window_samples), hint=_HINT)
    if not 1 <= spec.stream_peak <= _PEAK_MAX:
        raise ConfigError("stream_peak should be 1 to 32768", got=str(spec.stream_peak), hint=_HINT)
    if max(map(abs, spec.input_zero_point)) > _ZERO_MAX:
        got = f"{min(spec.input_zero_point)} to {max(spec.input_zero_point)}"
        raise ConfigError(f"input_zero_point should be within +-{_ZERO_MAX}", got=got, hint=_HINT)


def _prove(ranges: tuple[Range, ...]) -> None:
    for row in ranges:
        if row.low < -_INT32 or row.high >= _INT32:
            got = f"{row.low} to {row.high}"
            raise ConfigError(f"the fixed-point front end's {row.stage} should fit into int32", got=got)


def _window(samples: int) -> np.ndarray:
    """The periodic Hann window, int16 [samples]."""
    return q15(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples))


def _data_shift(transform: fft.Transform, window: np.ndarray, most: int = 16) -> tuple[int, SpectrumBounds]:
    for shift in range(min(most, 16), -1, -1):
        found = spectrum_bounds(transform, window, shift)
        if all(row.low >= -_INT32 and row.high < _INT32 for row in found.ranges):
            return shift, found
    raise ConfigError("the FFT should have a scale that fits into int32", got=f"{transform.points} points")


def _mel(spec: FeatureSpec) -> tuple[int, np.ndarray, np.ndarray]:
    """First bin; the band whose rising side each bin is on, int [bins]; and its weight, int16 [bins]."""
    weights = mel_weights(spec)
    empty = np.flatnonzero(~weights.any(axis=0))
    if len(empty):  # it would show how coarse the floor is, and nothing else
        hint = "choose fewer mel_bands, a wider range, or a larger fft_samples"
        raise ConfigError("each mel band should hold a bin of the FFT", got=f"none in band {empty[0]}", hint=hint)
    used = np.flatnonzero(weights.any(axis=1))
    bins = np.arange(used[0], used[-1] + 1)
    edges = np.linspace(mel_of_hz(np.array(spec.low_hz)), mel_of_hz(np.array(spec.high_hz)), spec.mel_bands + 2)
    mel = mel_of_hz(np.linspace(0, spec.rate_hz / 2, spec.fft_samples // 2 + 1)[bins])
    band = np.searchsorted(edges, mel, side="right") - 1
    if (most := int(np.bincount(band).max())) > _BINS_MAX:
        raise ConfigError(f"half a mel band should hold at most {_BINS_MAX} bins", got=str(most), hint=_HINT)
    return int(used[0]), band, q15((mel - edges[band]) / np.diff(edges)[band])


def _floor(log_floor: float, unit: int) -> tuple[int, int]:
    """Factor below 2^16 and shift: log_floor in units of a mel band for a peak of 1."""
    if log_floor <= 0:
        raise ConfigError("log_floor should be above 0", got=f"{log_floor:g}")
    shift = 16 - math.frexp(log_floor)[1] - unit
    if not EXPONENT_MAX <= shift <= 46:
        expected = "log_floor should suit int32 bands, for example 1e-6"
        raise ConfigError(expected, got=f"{log_floor:g}", hint=_HINT)
    return min(round(math.ldexp(log_floor, shift + unit)), 0xFFFF), shift


def _dct(spec: FeatureSpec) -> np.ndarray:
    """cos(pi (2 b + 1) c / (2 bands)), int16 [bands, coefficients]."""
    band, order = 2 * np.arange(spec.mel_bands) + 1, np.arange(spec.coefficients)
    return q15(np.cos(np.pi / (2 * spec.mel_bands) * np.outer(band, order)))


def _log_shift(dct: np.ndarray, low: int, high: int) -> tuple[int, tuple[Range, ...]]:
    """The largest shift of logarithms for which pairs and sums fit into int32, and their ranges."""
    for shift in range(15, -1, -1):
        rows = sum_range(dct, low << shift, high << shift)
        if all(row.low >= -_INT32 and row.high < _INT32 for row in rows):
            return shift, rows
    raise ConfigError("a sum over the mel bands should fit into int32", got=f"{len(dct)} bands")


def _output(spec: FeatureSpec, log_shift: int) -> tuple[np.ndarray, np.ndarray]:
    """int16 multipliers 2^14 to 2^15 - 1, and right shifts: steps = (sum * multiplier / 2^16) >> shift."""
    factor = cepstrum_unit(spec, log_shift) / np.asarray(spec.input_scale)
    shift = 15 - 16 - np.frexp(factor)[1]
    multiplier = np.minimum(np.rint(np.ldexp(factor, 16 + shift)), 32767).astype(np.int16)
    if shift.min() < 1 or shift.max() > 30:
        got = f"{min(spec.input_scale):g} to {max(spec.input_scale):g}"
        raise ConfigError("input_scale should be 0.00001 to 1000", got=got, hint="fit the scales to recordings")
    return multiplier, shift


def cepstrum_unit(spec: FeatureSpec, log_shift: int) -> float:
    """MFCC of 1 in the sums of the DCT: ln 2, sqrt(2 / bands), the shifts, and 32767 for 1 in the table; of sww01,
    which has no DCT, 1 is 64 dB.
    """
    if spec.definition == "sww01":
        return math.ldexp(1 / (sww01.RANGE_DB * sww01_fixed.LOG2_PER_DB), -16 - log_shift)
    return math.ldexp(math.log(2) * math.sqrt(2 / spec.mel_bands) * 32768 / 32767, -15 - log_shift)
