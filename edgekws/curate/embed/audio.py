"""One recording -> float32 samples within -1..1 at the rate of a model, or the reason why it is skipped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.data import truncation, wav
from edgekws.data.audio import loudest
from edgekws.errors import DataError, missing_package

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
"""What soundfile decodes; MSWC comes as .opus."""
SILENT_PEAK = 4 / 32_768
"""A recording whose samples all stay this close to their mean is silent: a few steps of 16 bits."""
RATES_HZ = range(1_000, 384_001)
"""Supported rates of recordings and models; the HEAR API allows five of them."""


@dataclass(frozen=True)
class Skipped:
    """A recording that has no embedding, and why."""

    id: str
    reason: str


def read(path: Path) -> tuple[np.ndarray, int]:
    """(float32 [n], rate in Hz); channels are averaged.

    Raises DataError for a recording that is unreadable, truncated, empty, or has NaN or infinity.
    """
    import soundfile

    truncation.require(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            _require_sensible(rate)
            samples = wav.read_samples(file, "float32", "it")
    except (OSError, RuntimeError) as error:
        raise DataError(
            "it should be a recording", got=f"something unreadable ({wav.libsndfile_message(error)})"
        ) from error
    return np.ascontiguousarray(samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]), int(rate)


def fitted(samples: np.ndarray, rate_hz: int, target_hz: int, clip_samples: int | None) -> np.ndarray:
    """float32 [clip_samples] at `wanted_hz`: zero-padded at the end, or cut to the loudest part.

    clip_samples: None keeps the length. Raises DataError for silence, no samples, and NaN or infinity.
    """
    if not len(samples):
        raise DataError("it should hold sound", got="no samples")
    if not np.isfinite(samples).all():
        raise DataError("its samples should be numbers", got="NaN or infinity")
    if float(np.abs(samples - samples.mean()).max()) < SILENT_PEAK:
        raise DataError("it should hold sound", got="silence")
    samples = np.clip(resampled(samples, rate_hz, target_hz), -1, 1)
    if clip_samples is None:
        return samples
    if len(samples) < clip_samples:
        return np.pad(samples, (0, clip_samples - len(samples)))
    return loudest(samples, clip_samples)


def resampled(samples: np.ndarray, rate_hz: int, target_hz: int) -> np.ndarray:
    """float32 [n] -> float32 [m] at `wanted_hz`, by scipy's polyphase filter. Needs scipy, else MissingPackageError."""
    if rate_hz == target_hz:
        return samples
    try:
        from scipy.signal import resample_poly
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    common = math.gcd(rate_hz, target_hz)
    return np.asarray(resample_poly(samples, target_hz // common, rate_hz // common), np.float32)


def _require_sensible(rate_hz: int) -> None:
    if rate_hz not in RATES_HZ:
        raise DataError(f"its rate should be {RATES_HZ.start:,} to {RATES_HZ.stop - 1:,} Hz", got=f"{rate_hz:,} Hz")
