"""What streams are made of, from a prepared data set and folders of long recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekws.data import audio
from edgekws.data.dataset import Dataset
from edgekws.data.folders import files_below
from edgekws.data.labels import REJECT, SILENCE
from edgekws.data.scenes import recordings, words
from edgekws.data.scenes.compose import Sources
from edgekws.errors import DataError
from edgekws.files import sha256
from edgekws.training.options import TrainOptions
from edgekws.types import Progress


def sources(data: Dataset, options: TrainOptions, progress: Progress) -> tuple[Sources, str]:
    """(what streams are composed of, a hash of the names and lengths of the long recordings).

    Words are the training split of `data`; its noises are used where no folder of noises is given. Raises DataError for
    a folder without recordings, or with an unreadable one.
    """
    split = data.splits["train"]
    spoken = np.flatnonzero(split.labels != _number(data, SILENCE))
    found = words.located(np.asarray(split.samples)[spoken], split.labels[spoken], data.rate_hz)
    keywords = tuple(number for number, label in enumerate(data.labels) if label not in REJECT)
    long = {name: _read(name, folder, data.rate_hz, progress) for name, folder in options.folders.items() if folder}
    noise = long.get("noise") or [("noise", np.asarray(data.noise))]
    parts = {name: [samples for _, samples in each] for name, each in {**long, "noise": noise}.items()}
    speech, rooms = parts.get("background", []), parts.get("rooms", [])
    text = "".join(f"{kind} {name} {len(samples)}\n" for kind, each in long.items() for name, samples in each)
    joined = recordings.joined(speech), recordings.joined(parts["noise"])
    return Sources(found, keywords, *joined, rooms, data.rate_hz), sha256(text.encode())


def _number(data: Dataset, label: str) -> int:
    return data.labels.index(label) if label in data.labels else -1


def _read(name: str, folder: Path, rate_hz: int, progress: Progress) -> list[tuple[str, np.ndarray]]:
    files, _ = files_below(folder, folder) if folder.is_dir() else ([], [])
    if not files:
        hint = "give a folder of recordings of any format"
        raise DataError(f"--{name} {folder} should hold recordings", got="none", hint=hint)
    read = []
    for number, path in enumerate(files):
        read.append((path.relative_to(folder).as_posix(), audio.read(path, rate_hz)))
        progress(f"read {name}", number + 1, len(files))
    return read
