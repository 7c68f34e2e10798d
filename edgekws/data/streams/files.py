"""A file of any format and length as a stream: what edgekws.data.audio decodes, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekws.data import audio, containers, truncation, wav
from edgekws.data.streams.source import BLOCK_S, Source
from edgekws.errors import DataError, MissingPackageError

if TYPE_CHECKING:
    from soundfile import SoundFile

_FLOATS = ("FLOAT", "DOUBLE")
CUT_OFF = "cut off: what is there was heard"


def opened(path: Path, rate_hz: int, called: str = "") -> Source:
    """The file as a stream. called: its name in an error, by default `path`. A truncated file is a fault of the source.

    Raises DataError for a file that is no recording, and MissingPackageError without a decoder for its format.
    """
    import soundfile

    called = called or str(path)
    faults = _truncation(path, called)
    try:
        file = soundfile.SoundFile(path)
    except (OSError, RuntimeError) as error:
        if containers.is_known(path):
            return _of_container(path, rate_hz, called, faults)
        message = wav.libsndfile_message(error)
        raise DataError(f"{called} should be a recording", got=f"something unreadable ({message})") from error
    if containers.has_guessed_length(path):
        try:
            track = _of_container(path, rate_hz, called, faults)
            file.close()
            return track
        except MissingPackageError:
            faults.append(containers.GUESSED)
    audio.require_rate(file.samplerate, called)
    total = round(max(file.frames, 0) * rate_hz / file.samplerate) or None
    return Source(called, rate_hz, file.samplerate, file.channels, _blocks(file, faults), total, faults)


def _truncation(path: Path, called: str) -> list[str]:
    """A truncated file still has a beginning. Raises DataError for one that is empty, unreadable or no file."""
    try:
        truncation.require(path, called)
    except DataError as error:
        if "cut off" not in error.got:
            raise
        return [CUT_OFF]
    return []


def _blocks(file: SoundFile, faults: list[str]) -> Iterator[np.ndarray]:
    """Fewer samples than the file declares are a fault: an MP3 has their number in its first frame."""
    dtype = "float64" if file.subtype in _FLOATS else "int16"
    count = 0
    with closing(file):
        while True:
            try:
                block = file.read(int(file.samplerate * BLOCK_S), dtype=dtype, always_2d=True)
            except (OSError, RuntimeError) as error:
                faults.append(f"damaged at {file.tell() / file.samplerate:.1f} s ({wav.libsndfile_message(error)})")
                return
            if not len(block):
                break
            count += len(block)
            yield block
        if count < file.frames - containers.MISSING_S * file.samplerate and CUT_OFF not in faults:
            faults.append(CUT_OFF)


def _of_container(path: Path, rate_hz: int, called: str, faults: list[str]) -> Source:
    track = containers.track(path, called)
    audio.require_rate(track.rate_hz, called)
    total = round(track.declared_s * rate_hz) or None
    return Source(called, rate_hz, track.rate_hz, track.channels, _of_track(track, faults), total, faults)


def _of_track(track: containers.Track, faults: list[str]) -> Iterator[np.ndarray]:
    """Fewer samples than the container declares are a fault, and so is a part that cannot be decoded."""
    count = 0
    try:
        for block in track.blocks:
            count += len(block)
            yield block
    except DataError as error:
        faults.append(f"damaged at {count / track.rate_hz:.1f} s: {error.got}")
        return
    if count / track.rate_hz < track.declared_s - containers.MISSING_S and CUT_OFF not in faults:
        faults.append(CUT_OFF)
