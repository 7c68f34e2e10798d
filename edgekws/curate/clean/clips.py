"""The clips to check, from a prepared data set or a folder of recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.data import decoding, folders
from edgekws.data.dataset import Dataset
from edgekws.data.listing import NOISE_FOLDER, Recording, state
from edgekws.errors import ConfigError, DataError
from edgekws.files.fields import as_text
from edgekws.types import Progress

_BLOCK = 256
_SHOWN = 3
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Unreadable:
    """A recording that cannot be decoded, and why."""

    id: str
    label: str
    why: str


@dataclass(frozen=True)
class Clips:
    """Clips and how to read them, so that they need not fit into memory.

    labels: int64 [n], index into `words`; splits: the split of each, "" for a folder; read: int64 [k] -> int16
    [k, clip_samples]; sha256: pins ids, labels and, of a prepared set, the samples; unreadable: not among the others.
    """

    name: str
    words: tuple[str, ...]
    ids: tuple[str, ...]
    labels: np.ndarray
    splits: tuple[str, ...]
    rate_hz: int
    read: Callable[[np.ndarray], np.ndarray]
    sha256: str
    unreadable: tuple[Unreadable, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def blocks(self, size: int = _BLOCK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(numbers int64 [k], samples int16 [k, clip_samples]) of all clips, in order."""
        for start in range(0, len(self), size):
            numbers = np.arange(start, min(start + size, len(self)))
            yield numbers, self.read(numbers)


def of_dataset(data: Dataset, splits: Sequence[str]) -> Clips:
    """Raises ConfigError for a split that the data set does not have."""
    unknown = [split for split in splits if split not in data.splits]
    if unknown or not splits:
        raise ConfigError(f"splits are {', '.join(data.splits)}", got=", ".join(unknown) or "none")
    parts = [data.splits[split] for split in splits]
    starts = np.cumsum([0, *map(len, parts)])

    def read(numbers: np.ndarray) -> np.ndarray:
        home = np.searchsorted(starts, numbers, side="right") - 1
        rows = [parts[part].samples[number - starts[part]] for part, number in zip(home, numbers, strict=True)]
        return np.stack(rows) if rows else parts[0].samples[:0]

    return Clips(
        data.name,
        data.labels,
        tuple(clip for part in parts for clip in part.ids),
        np.concatenate([part.labels for part in parts]),
        tuple(part.name for part in parts for _ in range(len(part))),
        data.rate_hz,
        read,
        _pin(data.sha256, *splits),
    )


def of_folder(root: Path, rate_hz: int, clip_samples: int, progress: Progress = lambda *_: None) -> Clips:
    """Word folders, without splits. Every recording is decoded once to detect unreadable ones.

    Raises DataError when there is no word folder, or none with recordings.
    """
    listed, misnamed = _listed(root)
    pin = _pin(*(f"{item.id} {state(item.path)}" for item in listed), *(each.id for each in misnamed))
    readable: list[Recording] = []
    unreadable = list(misnamed)
    for number, clip in enumerate(decoding.decode_all(listed, rate_hz, clip_samples, called="it")):
        if isinstance(clip, DataError):
            unreadable.append(Unreadable(listed[number].id, listed[number].label, f"{clip.expected}, got {clip.got}"))
        else:
            readable.append(listed[number])
        progress("read", number + 1, len(listed))
    words = tuple(sorted({item.label for item in listed}))
    order = {word: number for number, word in enumerate(words)}

    def read(numbers: np.ndarray) -> np.ndarray:
        return np.stack([decoding.decode(readable[number], rate_hz, clip_samples) for number in numbers])

    labels = np.array([order[item.label] for item in readable], np.int64)
    ids = tuple(item.id for item in readable)
    none = ("",) * len(readable)
    return Clips(root.resolve().name, words, ids, labels, none, rate_hz, read, pin, tuple(unreadable))


def _listed(root: Path) -> tuple[list[Recording], list[Unreadable]]:
    """Recordings sorted by word and file name, and those that cannot be opened or have unusable names."""
    listed, unusable = [], []
    for folder in folders.word_folders(root):
        files, left_out = folders.files_below(folder, root)
        word = as_text(folder.name)
        listed += [
            Recording(path.relative_to(root).as_posix(), word, folders.speaker(path, folder), path, convert=True)
            for path in files
        ]
        meant = (each for each in left_out if folders.is_named_as_recording(each))
        unusable += [Unreadable(each.file, word, each.reason) for each in meant]
    return listed, unusable


def some(clips: Clips, count: int, seed: int) -> Clips:
    """`count` random readable clips, in their order; all when there are fewer."""
    if count >= len(clips):
        return clips
    chosen = np.sort(np.random.default_rng(seed).permutation(len(clips))[:count])
    return Clips(
        clips.name,
        clips.words,
        tuple(clips.ids[number] for number in chosen),
        clips.labels[chosen],
        tuple(clips.splits[number] for number in chosen),
        clips.rate_hz,
        lambda numbers: clips.read(chosen[numbers]),
        _pin(clips.sha256, str(count), str(seed)),
    )


def require(clips: Clips) -> None:
    """Raises DataError when there are no readable clips."""
    if not len(clips):
        got = f"none that is readable. {shown(clips)}" if clips.unreadable else "none"
        raise DataError(f"{clips.name} should have clips", got=got, hint=f"all folders but {NOISE_FOLDER} are read")


def shown(clips: Clips) -> str:
    """The first unreadable recordings, as text."""
    more = len(clips.unreadable) - _SHOWN
    named = "; ".join(f"{each.id}: {each.why}" for each in clips.unreadable[:_SHOWN])
    return named + (f"; and {more} more" if more > 0 else "")


def _pin(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
