"""Recordings to predict: a file, every file of a folder, standard input, or samples in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edgekws.data import audio, containers
from edgekws.errors import ConfigError, DataError, MissingPackageError

STDIN = "standard input"
_FULL_SCALE = 32_768


def listed(path: Path) -> list[Path]:
    """`path`, or the files of that folder and of those in it, sorted; hidden files are no recordings.

    Raises DataError when there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path} should be a recording or a folder of recordings", got="no such file or folder")
    files = files_below(path)
    if not files:
        raise DataError(f"{path} should hold recordings", got="no file in it")
    return files


def files_below(folder: Path) -> list[Path]:
    """The files in `folder` and in the folders in it, sorted, without hidden ones; dangling links are files too."""
    return sorted(each for each in folder.rglob("*") if not each.is_dir() and not _is_hidden(each, folder))


def read(path: Path, rate_hz: int, called: str = "") -> np.ndarray:
    """int16 [n] at `rate_hz`, of any format. Raises DataError for what is not a recording that can be decoded here."""
    try:
        return audio.read(path, rate_hz, called)
    except MissingPackageError as error:
        if not containers.is_optional(error):
            raise
        raise DataError(f"{called or path} should have a decoder", got=containers.needs(error)) from error


def from_bytes(content: bytes, rate_hz: int, raw_hz: int | None = None) -> np.ndarray:
    """int16 [n] at `rate_hz` of the content of a file, or of raw int16 samples, little-endian, at `raw_hz`.

    Raises DataError for what is not a recording.
    """
    if raw_hz is not None:
        if not content or len(content) % 2:
            raise DataError("raw samples should be int16, two bytes each", got=f"{len(content)} bytes")
        return from_samples(np.frombuffer(content, "<i2"), raw_hz, rate_hz)
    if not content:
        raise DataError(f"{STDIN} should hold a recording", got="nothing", hint="pipe a file into it")
    with tempfile.TemporaryDirectory(prefix="edgekws-stdin-") as folder:
        file = Path(folder) / "stdin.wav"
        file.write_bytes(content)
        return read(file, rate_hz, STDIN)


def from_samples(samples: np.ndarray, own_hz: int, rate_hz: int) -> np.ndarray:
    """int16 [n] at `rate_hz` of int16 or float (+-1) samples [n] at `own_hz`.

    Raises DataError for another shape or type, no sample, NaN or infinity, and ConfigError for a rate below 1.
    """
    if own_hz < 1:
        raise ConfigError("the rate of samples should be above 0", got=f"{own_hz} Hz")
    if samples.ndim != 1 or not len(samples) or not (samples.dtype == np.int16 or samples.dtype.kind == "f"):
        got = f"{samples.dtype} {list(samples.shape)}"
        raise DataError("samples should be int16 or float in +-1, shape [n]", got=got)
    if samples.dtype == np.int16 and own_hz == rate_hz:
        return samples
    real = samples / np.float32(_FULL_SCALE) if samples.dtype == np.int16 else samples.astype(np.float32)
    if not np.isfinite(real).all():
        raise DataError("samples should be numbers", got="NaN or infinity")
    if own_hz != rate_hz:
        import soxr

        real = soxr.resample(real, own_hz, rate_hz)
    return np.asarray(np.clip(np.round(real * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1), np.int16)


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
