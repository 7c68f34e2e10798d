"""A .wav file -> int16 samples, or a DataError that says why not."""

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
    """int16 [n]; 24 bits lose their last 8, floats are +-1 at full scale. called: its name in an error, else `path`.

    Raises DataError for what is unreadable, cut off, empty, not mono, of another rate, or not made of numbers.
    """
    import soundfile

    called = called or str(path)
    truncation.require(path, called)
    try:
        with soundfile.SoundFile(path) as file:
            _require_form(file, rate_hz, called)
            samples = decoded(file, "float64" if file.subtype in _FLOATS else "int16", called)[:, 0]
    except (OSError, RuntimeError) as error:
        raise _unreadable(called, error) from error
    if not len(samples):
        raise DataError(f"{called} should hold sound", got="0 samples", hint="record it again or remove it")
    return samples if samples.dtype == np.int16 else _of_floats(samples, called)


def decoded(file: SoundFile, dtype: str, called: str) -> np.ndarray:
    """All samples of an open file, [n, channels]. called: its name in an error.

    Raises DataError where the header claims more than LONGEST, or more than there is. The number is asked for, because
    soundfile wants to be told it of what libsndfile cannot wind back, as GSM 6.10 and G.721.
    """
    wanted = file.frames
    if not 0 <= wanted * file.channels <= LONGEST:
        raise DataError(f"{called} should have at most {LONGEST:,} samples", got=f"{wanted * file.channels:,}")
    samples = file.read(wanted, dtype=dtype, always_2d=True)
    if len(samples) < wanted:
        raise DataError(f"{called} should be whole", got=f"{len(samples)} of {wanted} samples: it is cut off")
    return np.asarray(samples)


def frames(path: Path) -> int:
    """Samples of a channel, by its header. Raises DataError for what is unreadable or cut off."""
    import soundfile

    truncation.require(path, str(path))
    try:
        return int(soundfile.info(path).frames)
    except (OSError, RuntimeError) as error:
        raise _unreadable(str(path), error) from error


def _require_form(file: SoundFile, rate_hz: int, called: str) -> None:
    rate, channels = file.samplerate, file.channels
    if rate != rate_hz:
        raise DataError(f"{called} should have {rate_hz} Hz", got=f"{rate} Hz", hint=f"resample it to {rate_hz} Hz")
    if channels != 1:
        raise DataError(f"{called} should be mono", got=f"{channels} channels", hint="mix it down to one channel")


def _of_floats(samples: np.ndarray, called: str) -> np.ndarray:
    """libsndfile would round them to integers unscaled: to silence."""
    if not np.isfinite(samples).all():
        raise DataError(f"{called} should hold numbers", got="NaN or infinity", hint="record it again or remove it")
    return np.clip(np.round(samples * 32_768), -32_768, 32_767).astype(np.int16)


def said(error: Exception) -> str:
    """libsndfile's own words, without the path that soundfile puts in front of them."""
    return str(getattr(error, "error_string", error)).strip().partition("\n")[0].rstrip(".")


def _unreadable(called: str, error: Exception) -> DataError:
    return DataError(f"{called} should be a .wav file", got=f"something unreadable ({said(error)})")
