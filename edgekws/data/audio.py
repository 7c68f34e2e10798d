"""A recording of any format, rate and number of channels -> int16 samples at one rate, and what was changed.

soundfile decodes WAV of all kinds, FLAC, Ogg, Opus, MP3, AIFF, AU, CAF and more. What it cannot decode (m4a, mp4, 3gp,
webm, amr), or not to its end (MP3 that does not say its length), goes to PyAV, which the extra `audio` brings. Channels
are averaged, rates are converted by soxr (HQ).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekws.data import containers, truncation, wav
from edgekws.errors import DataError, MissingPackageError

if TYPE_CHECKING:
    from soundfile import SoundFile

MIXED, CANCELLED = "mixed down to one channel", "channels cancel out: the louder one is used"
INTEGER_SCALE, TOO_LOUD = (
    "floats at integer scale, divided by it",
    "floats beyond full scale, made quieter",
)
RATES_HZ = range(1_000, 768_001)
"""Sensible rates: a damaged header may claim any number."""
_INTEGER_SCALES = (1 << 15, 1 << 23, 1 << 31)
_INTEGER_PEAK = 16.0
"""Floats beyond this were written in units of an integer format; a loud mix stays far below it."""
_CANCELLED_SHARE = 0.01
_FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True)
class Sound:
    """A decoded recording. samples: int16 [n] at the rate asked for; changed: what was done to the file's own samples.

    rate_hz, channels, format: of the file.
    """

    samples: np.ndarray
    changed: tuple[str, ...]
    rate_hz: int
    channels: int
    format: str


def read(path: Path, rate_hz: int, called: str = "") -> np.ndarray:
    """int16 [n] at `rate_hz`. Raises as `load`."""
    return load(path, rate_hz, called).samples


def load(path: Path, rate_hz: int, called: str = "") -> Sound:
    """Decode `path` and convert it to one channel of `rate_hz`. Equal to `wav.read` for what that accepts.

    called: its name in an error, by default `path`. Raises DataError for a file that is unreadable, truncated, empty,
    or has NaN or infinity, and MissingPackageError without soundfile or soxr.
    """
    called = called or str(path)
    truncation.require(path, called)
    own_rate, samples, kind, changed = _decode(path, called)
    require_rate(own_rate, called)
    channels = samples.shape[1]
    mono, mixed = _mixed_down(samples)
    if own_rate != rate_hz:
        mono, mixed = _resampled(mono, own_rate, rate_hz), (*mixed, f"resampled from {own_rate:,} Hz")
    if not len(mono):
        raise DataError(f"{called} should hold sound", got="0 samples", hint="record it again or remove it")
    return Sound(int16(mono), (*changed, *mixed), own_rate, channels, kind)


def convert(samples: np.ndarray, own_rate_hz: int, rate_hz: int) -> np.ndarray:
    """int16, or floats in +-1, [n, channels] at one rate -> int16 [m], one channel at another."""
    mono, _ = _mixed_down(samples)
    return int16(mono if own_rate_hz == rate_hz else _resampled(mono, own_rate_hz, rate_hz))


def length(path: Path, rate_hz: int, called: str = "") -> int | None:
    """Samples at `rate_hz` as the header says, without decoding; None where only decoding can tell.

    Raises DataError for an unreadable or truncated file.
    """
    import soundfile

    called = called or str(path)
    truncation.require(path, called)
    try:
        about = soundfile.info(path)
    except (OSError, RuntimeError):
        return None
    require_rate(about.samplerate, called)
    if containers.has_guessed_length(path):
        return None
    return round(int(about.frames) * rate_hz / int(about.samplerate))


def fit(samples: np.ndarray, length: int) -> np.ndarray:
    """int16 [length]: a shorter clip is centred between zeros, of a longer one the loudest part stays."""
    missing = length - len(samples)
    if missing >= 0:
        return np.pad(samples, (missing // 2, missing - missing // 2))
    return loudest(samples, length)


def loudest(samples: np.ndarray, length: int) -> np.ndarray:
    """The `length` samples in a row with the highest energy, the first of equals. samples: [n], n at least `length`."""
    if len(samples) == length:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return samples[start : start + length]


def require_rate(rate_hz: int, called: str) -> None:
    """Raises DataError for a rate that no recording has."""
    if rate_hz not in RATES_HZ:
        expected = f"{called} should have a rate of {RATES_HZ.start:,} to {RATES_HZ.stop - 1:,} Hz"
        raise DataError(expected, got=f"{rate_hz:,} Hz")


def _decode(path: Path, called: str) -> tuple[int, np.ndarray, str, tuple[str, ...]]:
    """(rate, samples [n, channels] as int16 or as float32 in +-1, format, changes)."""
    import soundfile

    guessed: tuple[str, ...] = ()
    if containers.has_guessed_length(path):
        try:
            return (*containers.decode(path, called), ())
        except MissingPackageError:
            guessed = (containers.GUESSED,)
    try:
        with soundfile.SoundFile(path) as file:
            samples, changed = _samples(file, called)
            return file.samplerate, samples, f"{file.format.lower()} {file.subtype.lower()}", (*guessed, *changed)
    except (OSError, RuntimeError) as error:
        if not containers.is_known(path):
            message = wav.libsndfile_message(error)
            raise DataError(f"{called} should be a recording", got=f"something unreadable ({message})") from error
    return (*containers.decode(path, called), ())


def _samples(file: SoundFile, called: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Integers as libsndfile makes int16 of them where nothing else is to be done: as `wav.read` gives them."""
    if file.subtype in _FLOATS:
        return _full_scale(wav.read_samples(file, "float64", called), called)
    return wav.read_samples(file, "int16", called), ()


def _full_scale(samples: np.ndarray, called: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Floats of a file, in +-1. Programs write them in units of 16 bits (or 24, 32), or a mix beyond full scale."""
    if not np.isfinite(samples).all():
        raise DataError(f"{called} should hold numbers", got="NaN or infinity", hint="record it again or remove it")
    peak = float(np.abs(samples).max(initial=0))
    if peak <= 1:
        return samples, ()
    if peak <= _INTEGER_PEAK:
        return samples / peak, (TOO_LOUD,)
    scales = [scale for scale in _INTEGER_SCALES if peak <= 2 * scale]
    if not scales:
        hint = "scale its samples to -1..1"
        raise DataError(f"{called} should have float samples of -1 to 1", got=f"values to {peak:.3g}", hint=hint)
    return samples / max(scales[0], peak), (INTEGER_SCALE,)


def _mixed_down(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """[n, channels] -> [n]; channels of opposite sign would leave nothing, so the louder one is taken."""
    if samples.shape[1] == 1:
        return samples[:, 0], ()
    scaled = as_floats(samples)
    mean = scaled.mean(axis=1)
    energies = np.square(scaled).sum(axis=0)
    if np.square(mean).sum() < _CANCELLED_SHARE * energies.mean() / samples.shape[1]:
        return scaled[:, int(energies.argmax())], (CANCELLED,)
    return mean, (MIXED,)


def _resampled(samples: np.ndarray, rate_hz: int, wanted_hz: int) -> np.ndarray:
    import soxr

    return np.asarray(soxr.resample(as_floats(samples), rate_hz, wanted_hz, quality="HQ"))


def as_floats(samples: np.ndarray) -> np.ndarray:
    """int16 samples as float32 in +-1; floats as they are."""
    return samples.astype(np.float32) / 32_768 if samples.dtype == np.int16 else samples


def int16(samples: np.ndarray) -> np.ndarray:
    """int16 samples as they are; floats in +-1 rounded and limited."""
    if samples.dtype == np.int16:
        return samples
    return np.clip(np.round(samples * 32_768), -32_768, 32_767).astype(np.int16)
