"""The clips that are looked at, whether they are prepared or still a folder of recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.data import dataset as datasets
from edgekws.data.dataset import Dataset
from edgekws.data.listing import NOISE_FOLDER, Recording, recording, wavs, word_folders
from edgekws.errors import ConfigError, DataError

_BLOCK = 256


@dataclass(frozen=True)
class Clips:
    """Clips and how to read them, so that they need not fit into memory.

    labels: int64 [n], index into `words`; splits: the split of each, "" for a folder; read: int64 [k] -> int16
    [k, clip_samples]; sha256: pins ids, labels and, of a prepared set, the samples.
    """

    name: str
    words: tuple[str, ...]
    ids: tuple[str, ...]
    labels: np.ndarray
    splits: tuple[str, ...]
    rate_hz: int
    read: Callable[[np.ndarray], np.ndarray]
    sha256: str

    def __len__(self) -> int:
        return len(self.ids)

    def blocks(self, size: int = _BLOCK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(numbers, samples) of all clips, in order."""
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


def of_folder(root: Path, rate_hz: int, clip_samples: int) -> Clips:
    """Word folders as they lie, without splits. Raises DataError when there is none or a recording is unreadable."""
    folders = word_folders(root)
    found: list[Recording] = [recording(path, folder.name, root) for folder in folders for path in wavs(folder)]
    words = tuple(folder.name for folder in folders)
    order = {word: number for number, word in enumerate(words)}

    def read(numbers: np.ndarray) -> np.ndarray:
        return np.stack([datasets.decode(found[number], rate_hz, clip_samples) for number in numbers])

    stats = [f"{item.id} {item.path.stat().st_size} {item.path.stat().st_mtime_ns}" for item in found]
    labels = np.array([order[item.label] for item in found], np.int64)
    ids = tuple(item.id for item in found)
    return Clips(root.resolve().name, words, ids, labels, ("",) * len(found), rate_hz, read, _pin(*stats))


def some(clips: Clips, count: int, seed: int) -> Clips:
    """`count` of the clips, drawn by `seed`, in their order; all when there are no more."""
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
    """Raises DataError unless there are clips to look at."""
    if not len(clips):
        raise DataError(f"{clips.name} should have clips", got="none", hint=f"all but {NOISE_FOLDER} are looked at")


def _pin(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
