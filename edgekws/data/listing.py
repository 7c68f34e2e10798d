"""What a data source returns: which recordings belong to which split, before anything is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgekws.data import audio, wav
from edgekws.data.cuts import Cut
from edgekws.data.labels import SILENCE
from edgekws.errors import DataError
from edgekws.files import fields

NOISE_FOLDER = "_background_noise_"
HIDDEN = "a hidden or system file"
"""Why such files are left out: nobody misses them."""
SPLITS = ("train", "validation", "test")
RATE_HZ = 16_000
"""Of Speech Commands, and of the features of every released model."""
SILENCE_HOP = 8_000
"""Samples. MLPerf Tiny cuts the noises into one-second windows, half a second apart."""


@dataclass(frozen=True)
class Recording:
    """A future clip: a whole file, or the part of a long file that starts at sample `start`; or one that is made.

    convert: the file may have any format, rate and number of channels; its clip is centred, and it is left out when it
    is unreadable. Otherwise it must be mono of the data set's rate, and preparing stops when it is not. stop: where the
    part ends; without it, it is one clip long. Both count samples at the rate of the data set. make: (rate in Hz, clip
    samples) -> int16 [clip samples], always the same; then there is no file at `path`.
    """

    id: str
    label: str
    speaker: str
    path: Path
    start: int | None = None
    stop: int | None = None
    convert: bool = False
    make: Callable[[int, int], np.ndarray] | None = None


@dataclass(frozen=True)
class LeftOut:
    """A file below the source's folder that gave no clip, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """Recordings by split. `noises`: long files that augmentation may mix in; `unused`: ids that are in no split.

    left_out: files that gave no clip; reject: label of the reject class -> what its clips were made of; cuts: how long
    recordings were cut; make_noise: rate in Hz -> int16 [m], noise that augmentation may mix in too.
    """

    name: str
    labels: tuple[str, ...]
    splits: dict[str, tuple[Recording, ...]]
    noises: tuple[Path, ...] = ()
    notes: tuple[str, ...] = field(default=())
    unused: frozenset[str] = frozenset()
    left_out: tuple[LeftOut, ...] = ()
    reject: Mapping[str, str] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()
    make_noise: Callable[[int], np.ndarray] | None = None

    def without(self, ids: AbstractSet[str]) -> Listing:
        """The listing without these recordings."""
        splits = {name: tuple(item for item in items if item.id not in ids) for name, items in self.splits.items()}
        return replace(self, splits=splits)

    def check(self, left_out: Sequence[LeftOut] = ()) -> None:
        """Raises DataError when a split is empty or a label has no training clip. left_out: what to name as a cause."""
        why = f": {left_out[0].file} {left_out[0].reason}" if left_out else ""
        why += f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        for split in SPLITS:
            if not self.splits.get(split):
                raise DataError(f"the {split} split of {self.name} should have clips", got=f"none{why}")
        counts = Counter(recording.label for recording in self.splits["train"])
        missing = [label for label in self.labels if not counts[label]]
        if missing:
            raise DataError(
                f"each label of {self.name} should have training clips",
                got=f"none of {', '.join(missing)}{why}",
                hint="record some, or omit the label",
            )


def word_folders(root: Path) -> list[Path]:
    """The folders of words below `root`, sorted. Raises DataError for a missing or empty one."""
    if not root.is_dir():
        raise DataError(f"{root} should be a folder of word folders", got="no such folder", hint="check the path")
    folders = sorted(p for p in root.iterdir() if p.is_dir() and p.name != NOISE_FOLDER and not p.name.startswith("."))
    if not folders:
        raise DataError(f"{root} should hold one folder per word", got="no folder in it", hint="check the path")
    for folder in folders:
        if not wavs(folder):
            raise DataError(
                f"each word folder should hold .wav files, {folder.name} too",
                got="none",
                hint=f"add recordings to {folder} or remove it",
            )
    return folders


def wavs(folder: Path) -> list[Path]:
    """The .wav and .WAV files in a folder, sorted; empty when there is no folder."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() == ".wav")


def speaker_of(path: Path) -> str:
    """Speech Commands names files <speaker>_nohash_<n>.wav; other files count as their own speaker."""
    return path.stem.split("_nohash_")[0]


def state(path: Path) -> str:
    """Size in bytes and modification time in ns, which change with the file; "" for a dangling link."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def recording(path: Path, label: str, root: Path) -> Recording:
    """The recording at `path` below `root`. Raises DataError for a name that is not UTF-8: ids are written as UTF-8."""
    name = str(path.relative_to(root))
    if not fields.is_text(name):
        raise DataError("the name of a recording should be UTF-8", got=fields.as_text(name), hint="rename it")
    return Recording(path.relative_to(root).as_posix(), label, speaker_of(path), path)


def silence_windows(
    noises: Iterable[Path], clip_samples: int, root: Path, rate_hz: int | None = None
) -> list[Recording]:
    """One-second windows of each noise, as the reference cuts them.

    rate_hz: to convert noises of any format to; without it they must be mono of the data set's rate.
    """
    windows = []
    for path in noises:
        name = path.relative_to(root).as_posix()
        length = wav.frames(path) if rate_hz is None else _length(path, rate_hz)
        for start in range(0, length - clip_samples, SILENCE_HOP):
            item = Recording(f"{name}@{start}", SILENCE, path.stem, path, start, convert=rate_hz is not None)
            windows.append(item)
    return windows


def _length(path: Path, rate_hz: int) -> int:
    known = audio.length(path, rate_hz)
    return len(audio.read(path, rate_hz)) if known is None else known
