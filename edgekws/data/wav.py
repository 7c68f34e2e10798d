"""A .wav file -> int16 samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekws.data import truncation
from edgekws.errors import DataError

if TYPE_CHECKING:
    from soundfile import SoundFile

_FLOATS = ("FLOAT", "DOUBLE")
LONGEST = 1 << 28
"""Samples of all channels together: an hour and a half at 48 kHz. A damaged header may claim any number."""


def read(path: Path, rate_hz: int, called: str = "") -> np.ndarray:
    """int16 [n]; 24-bit samples lose their low 8 bits, floats are +-1 at full scale.

    called: its name in an error, by default `path`. Raises DataError for a file that is unreadable, truncated, empty,
    not mono, of another rate, or not finite.
    """
    import soundfile

    called = called or str(path)
    truncation.require(path, called)
    try:
        with soundfile.SoundFile(path) as file:
            _require_mono(file, rate_hz, called)
            samples = read_samples(file, "float64" if file.subtype in _FLOATS else "int16", called)[:, 0]
    except (OSError, RuntimeError) as error:
        raise _unreadable(called, error) from error
    if not len(samples):
        raise DataError(f"{called} should hold sound", got="0 samples", hint="record it again or remove it")
    return samples if samples.dtype == np.int16 else _int16_of_floats(samples, called)


def read_samples(file: SoundFile, dtype: str, called: str) -> np.ndarray:
    """All samples of an open file, [n, channels]. called: its name in an error.

    Raises DataError when the header claims more than LONGEST samples, or more than the file holds. The number of frames
    is given to soundfile, which needs it for formats that libsndfile cannot seek in, such as GSM 6.10 and G.721.
    """
    count = file.frames
    if not 0 <= count * file.channels <= LONGEST:
        raise DataError(f"{called} should have at most {LONGEST:,} samples", got=f"{count * file.channels:,}")
    samples = file.read(count, dtype=dtype, always_2d=True)
    if len(samples) < count:
        raise DataError(f"{called} should be complete", got=f"{len(samples)} of {count} samples: it is cut off")
    return np.asarray(samples)


def frames(path: Path) -> int:
    """Samples per channel, as the header says. Raises DataError for an unreadable or truncated file."""
    import soundfile

    truncation.require(path, str(path))
    try:
        return int(soundfile.info(path).frames)
    except (OSError, RuntimeError) as error:
        raise _unreadable(str(path), error) from error


def _require_mono(file: SoundFile, rate_hz: int, called: str) -> None:
    rate, channels = file.samplerate, file.channels
    if rate != rate_hz:
        raise DataError(f"{called} should have {rate_hz} Hz", got=f"{rate} Hz", hint=f"resample it to {rate_hz} Hz")
    if channels != 1:
        raise DataError(f"{called} should be mono", got=f"{channels} channels", hint="mix it down to one channel")


def _int16_of_floats(samples: np.ndarray, called: str) -> np.ndarray:
    """libsndfile would round floats to integers without scaling them, which gives silence."""
    if not np.isfinite(samples).all():
        raise DataError(f"{called} should hold numbers", got="NaN or infinity", hint="record it again or remove it")
    return np.clip(np.round(samples * 32_768), -32_768, 32_767).astype(np.int16)


def libsndfile_message(error: Exception) -> str:
    """What libsndfile reports, without the path that soundfile puts before it."""
    return str(getattr(error, "error_string", error)).strip().partition("\n")[0].rstrip(".")


def _unreadable(called: str, error: Exception) -> DataError:
    return DataError(f"{called} should be a .wav file", got=f"something unreadable ({libsndfile_message(error)})")
