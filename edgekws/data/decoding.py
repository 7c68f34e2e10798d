"""A listed recording -> one clip of the data set, and what was changed to make it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgekws.data import audio, containers, wav
from edgekws.data.labels import REJECT
from edgekws.data.listing import Recording, state
from edgekws.errors import DataError, MissingPackageError

PADDED, CUT = "padded with silence", "cut to the clip's length"
_READERS = 4
_SILENT_RANGE = 8
"""Steps of 16 bits between the lowest and the highest sample of a recording of nothing."""


class Decoded(NamedTuple):
    """samples: int16 [clip_samples]; changed: what was done to the recording."""

    samples: np.ndarray
    changed: tuple[str, ...]


def decode(item: Recording, rate_hz: int, clip_samples: int, called: str = "") -> np.ndarray:
    """One clip, int16 [clip_samples].

    A recording to be converted is centred between zeros where it is shorter; another one is padded at its end. A longer
    one is cut to its loudest part. Raises DataError as `audio.load` and `wav.read` do, with the same `called`.
    """
    return _decode(item, rate_hz, clip_samples, called).samples


def decode_all(
    recordings: Sequence[Recording], rate_hz: int, clip_samples: int, called: str = ""
) -> Iterator[Decoded | DataError]:
    """Each clip as `decode` makes it, in order, or the DataError it raised.

    A missing decoder of some formats is a DataError too for recordings to be converted.
    """

    def attempt(item: Recording) -> Decoded | DataError:
        try:
            return _decode(item, rate_hz, clip_samples, called)
        except DataError as error:
            return error
        except MissingPackageError as error:
            if not item.convert or not containers.is_optional(error):
                raise
            return DataError(f"{called or item.path} should have a decoder", got=containers.needs(error))

    pool, items = ThreadPoolExecutor(_READERS), iter(recordings)
    try:
        while batch := list(islice(items, 256)):  # bounded: a map over all would hold every clip at once
            yield from pool.map(attempt, batch)
    finally:  # without waiting: whoever drops this half-read may be a thread of the pool
        pool.shutdown(wait=False, cancel_futures=True)


def is_silent(samples: np.ndarray) -> bool:
    """Whether int16 [n] are a recording of nothing: none, or all within a few steps."""
    return not len(samples) or int(samples.max()) - int(samples.min()) <= _SILENT_RANGE


def reason(error: DataError, path: Path) -> str:
    """Why a recording was left out, in a few words and without its path."""
    if error.got and (not error.got[0].isdigit() or "cut off" in error.got):
        return error.got
    expected = error.expected.removeprefix(str(path)).strip()
    return f"{expected}, got {error.got}" if error.got else expected


def _decode(item: Recording, rate_hz: int, clip_samples: int, called: str) -> Decoded:
    if item.make is not None:
        return Decoded(item.make(rate_hz, clip_samples), ())
    if item.convert:
        return _converted(item, rate_hz, clip_samples, called)
    samples = wav.read(item.path, rate_hz, called)
    if item.start is not None:
        return Decoded(samples[item.start : item.start + clip_samples], ())
    if len(samples) < clip_samples:
        return Decoded(np.pad(samples, (0, clip_samples - len(samples))), ())
    return Decoded(audio.loudest(samples, clip_samples), ())


def _converted(item: Recording, rate_hz: int, clip_samples: int, called: str) -> Decoded:
    if item.start is None:
        sound = audio.load(item.path, rate_hz, called)
        part = sound.samples
    else:  # the next clips are of the same file
        sound = _recent(item.path, state(item.path), rate_hz, called)
        stop = item.start + clip_samples if item.stop is None else item.stop
        part = sound.samples[item.start : stop]
    if item.label not in REJECT and is_silent(part):
        raise DataError(f"{called or item.path} should hold a word", got="silence")
    whole = len(sound.samples)
    fitting = () if whole == clip_samples else (PADDED if whole < clip_samples else CUT,)
    return Decoded(audio.fit(part, clip_samples), (*sound.changed, *fitting))


@lru_cache(maxsize=2)
def _recent(path: Path, _state: str, rate_hz: int, called: str) -> audio.Sound:
    return audio.load(path, rate_hz, called)
