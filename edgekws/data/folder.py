"""Any folder of word folders as a data set: every folder is a label, splits are by speaker.

A recording's split is a hash of its speaker (the part of the file name before `_nohash_`), so a
speaker is never in two splits and adding recordings moves none that is there already.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgekws.data.listing import NOISE_FOLDER, SILENCE, Listing, Recording, recording, silence_windows, word_folders

VALIDATION_PERCENT, TEST_PERCENT = 10, 10


def scan(root: Path, clip_samples: int) -> Listing:
    """Raises DataError for a missing folder, an empty word folder or a split without clips."""
    words = word_folders(root)
    splits: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
    for folder in words:
        for path in sorted(folder.glob("*.wav")):
            item = recording(path, folder.name, root)
            splits[_split(item.speaker)].append(item)
    labels = [folder.name for folder in words]
    noises = tuple(sorted((root / NOISE_FOLDER).glob("*.wav")))
    if noises and SILENCE not in labels:
        labels.append(SILENCE)
        for item in silence_windows(noises, clip_samples, root):
            splits[_split(item.id)].append(item)
    listing = Listing(root.resolve().name, tuple(labels), {k: tuple(v) for k, v in splits.items()}, noises)
    listing.check()
    return listing


def _split(speaker: str) -> str:
    percent = int(hashlib.sha256(speaker.encode()).hexdigest(), 16) % 100
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < VALIDATION_PERCENT + TEST_PERCENT else "train"
