"""Any folder of word folders as a data set: every folder is a label, splits are by speaker.

A recording's split is a hash of its speaker (the part of the file name before `_nohash_`), so a
speaker is never in two splits and adding recordings moves none that is there already.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgekws.data.listing import (
    NOISE_FOLDER,
    SILENCE,
    Listing,
    Recording,
    recording,
    silence_windows,
    wavs,
    word_folders,
)

VALIDATION_PERCENT, TEST_PERCENT = 10, 10


def scan(root: Path, clip_samples: int) -> Listing:
    """Raises DataError for a missing folder, an empty word folder or a split without clips."""
    words = word_folders(root)
    splits: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
    for folder in words:
        for path in wavs(folder):
            item = recording(path, folder.name, root)
            splits[split_of(item.speaker)].append(item)
    labels = [folder.name for folder in words]
    noises = tuple(wavs(root / NOISE_FOLDER))
    if noises and SILENCE not in labels:
        labels.append(SILENCE)
        for noise in noises:
            _share(silence_windows([noise], clip_samples, root), splits)
    listing = Listing(root.resolve().name, tuple(labels), {k: tuple(v) for k, v in splits.items()}, noises)
    listing.check()
    return listing


def _share(windows: list[Recording], splits: dict[str, list[Recording]]) -> None:
    """Cut one noise into three stretches; the window at each cut is left out, for it overlaps both sides."""
    last_train = len(windows) * (100 - VALIDATION_PERCENT - TEST_PERCENT) // 100
    last_validation = len(windows) * (100 - TEST_PERCENT) // 100
    splits["train"] += windows[:last_train]
    splits["validation"] += windows[last_train + 1 : last_validation]
    splits["test"] += windows[last_validation + 1 :]


def split_of(speaker: str) -> str:
    """train, validation or test."""
    percent = int(hashlib.sha256(speaker.encode()).hexdigest(), 16) % 100
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < VALIDATION_PERCENT + TEST_PERCENT else "train"
