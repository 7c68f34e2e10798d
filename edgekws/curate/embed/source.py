"""Where recordings come from: a folder of word folders, or a split of a prepared data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgekws.curate.embed import audio
from edgekws.curate.embed.audio import Skipped
from edgekws.data.listing import NOISE_FOLDER, state
from edgekws.errors import DataError
from edgekws.files import fields, sha256

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset

INDEX = "index.json"


@dataclass(frozen=True)
class Word:
    """ids: `word/file`, sorted. stamps: change when a recording does. skipped: files that are not recordings."""

    name: str
    ids: tuple[str, ...]
    stamps: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()


class Source(Protocol):
    """Can be pickled; a worker reads recordings by their ids."""

    @property
    def name(self) -> str: ...

    def words(self) -> list[Word]:
        """Sorted by name. Raises DataError when there are none."""

    def read(self, clip: str) -> tuple[np.ndarray, int]:
        """(float32 [n], rate in Hz). Raises DataError that says what is wrong with the recording."""


def open_source(path: Path, split: str | None) -> Source:
    """Raises DataError for a folder that is neither, and for a split of word folders, which have none."""
    if (path / INDEX).is_file():
        _dataset.cache_clear()  # it may have been prepared again
        _numbers.cache_clear()
        return Prepared(path, split or "train")
    if split is not None:
        got = f"--split {split} for word folders"
        raise DataError("a split belongs to a prepared data set", got=got, hint="run edgekws data prepare, or leave it")
    return Folder(path)


@dataclass(frozen=True)
class Folder:
    """Word folders. root: their parent folder."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.resolve().name

    def words(self) -> list[Word]:
        if not self.root.is_dir():
            raise DataError(
                f"{self.root} should be a folder of word folders", got="no such folder", hint="check the path"
            )
        folders = sorted(p.name for p in self.root.iterdir() if p.is_dir() and not p.name.startswith("."))
        words = [_word(self.root, name) for name in folders if name != NOISE_FOLDER]
        if not any(word.ids for word in words):
            raise DataError(
                f"{self.root} should hold one folder per word", got="no recording in one", hint=self._hint()
            )
        return words

    def _hint(self) -> str:
        if any(path.suffix.lower() in audio.SUFFIXES for path in self.root.iterdir()):
            return "the recordings are right in this folder; give the one above it, where folders are words"
        return f"each folder is a word and holds recordings: {', '.join(audio.SUFFIXES)}"

    def read(self, clip: str) -> tuple[np.ndarray, int]:
        return audio.read(self.root / clip)


def _word(root: Path, name: str) -> Word:
    ids, stamps, skipped = [], [], []
    for path in _files(root / name):
        clip = f"{name}/{path.name}"
        reason = _reason_to_skip(path, clip)
        if reason:
            skipped.append(Skipped(fields.as_text(clip), reason))
        else:
            ids.append(clip)
            stamps.append(state(path))
    return Word(fields.as_text(name), tuple(ids), tuple(stamps), tuple(skipped))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} should be readable", got=error.strerror or str(error)) from error


def _reason_to_skip(path: Path, clip: str) -> str:
    """Why this cannot be a recording, by its name and type, or ""; parquet needs names in UTF-8."""
    if not fields.is_text(clip):
        return "its name should be UTF-8"
    if path.suffix.lower() not in audio.SUFFIXES:
        return f"it should be a recording ({', '.join(audio.SUFFIXES)})"
    return "" if path.is_file() else "it should be a file. Got: a folder, a pipe, or a link to nothing."


@dataclass(frozen=True)
class Prepared:
    """A split of a prepared data set. Words come from the clips' ids, so that clips of `_unknown_` keep theirs."""

    folder: Path
    split: str

    @property
    def name(self) -> str:
        return f"{_dataset(self.folder).name}, {self.split}"

    def words(self) -> list[Word]:
        data = _dataset(self.folder)
        if self.split not in data.splits:
            raise DataError(f"the split should be one of {', '.join(data.splits)}", got=self.split)
        part = data.splits[self.split]
        groups: dict[str, list[str]] = {}
        for clip in sorted(part.ids):
            groups.setdefault(clip.partition("/")[0], []).append(clip)
        return [Word(name, tuple(ids), (part.sha256,) * len(ids)) for name, ids in sorted(groups.items())]

    def read(self, clip: str) -> tuple[np.ndarray, int]:
        data = _dataset(self.folder)
        samples = data.splits[self.split].samples[_numbers(self.folder, self.split)[clip]]
        return samples.astype(np.float32) / 32_768, data.rate_hz


@cache
def _dataset(folder: Path) -> Dataset:
    from edgekws.data import dataset

    return dataset.load(folder)


@cache
def _numbers(folder: Path, split: str) -> dict[str, int]:
    return {clip: number for number, clip in enumerate(_dataset(folder).splits[split].ids)}


@dataclass(frozen=True)
class Shard:
    """Some clips of a word, one task of a worker. stamp: names its result."""

    word: str
    ids: tuple[str, ...]
    stamp: str


def shards(word: Word, size: int, key: str) -> list[Shard]:
    """The word cut into pieces of `size` clips. key: a hash of everything else the result depends on."""
    cuts = range(0, len(word.ids), size)
    pieces = [(word.ids[start : start + size], word.stamps[start : start + size]) for start in cuts]
    return [Shard(word.name, ids, stamp_of([key, *ids, *stamps])) for ids, stamps in pieces]


def stamp_of(lines: Iterable[str]) -> str:
    """128 bits of a hash, in hex."""
    return sha256("\n".join(lines).encode(errors="surrogateescape"))[:32]
