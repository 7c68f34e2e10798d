"""Any folder of word folders as a data set: every folder is a label, splits are by speaker.

A recording's split is a hash of its speaker (the part of the file name before `_nohash_`), so a
speaker is never in two splits, and adding recordings does not move existing ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekws.data import folders
from edgekws.data.cuts import Cut
from edgekws.data.labels import SILENCE
from edgekws.data.listing import RATE_HZ, Listing, Recording, silence_windows

VALIDATION_PERCENT, TEST_PERCENT = 10, 10


def scan(
    root: Path, clip_samples: int, *, rate_hz: int = RATE_HZ, cuts: Mapping[str, Sequence[Cut]] | None = None
) -> Listing:
    """List the recordings below `root`, a folder per word: any audio format, long ones cut to the word.

    cuts: those of some files, by name, instead of the automatic ones. Raises DataError for a missing or empty folder or
    split.
    """
    found = folders.words(root, rate_hz, clip_samples, cuts)
    splits: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
    for item in found.clips:
        splits[split_of(item.speaker)].append(item)
    labels = list(found.words)
    noises, unusable = folders.noises(root)
    if noises and SILENCE not in labels:
        labels.append(SILENCE)
        for noise in noises:
            _split_windows(silence_windows([noise], clip_samples, root, rate_hz), splits)
    listing = Listing(
        root.resolve().name,
        tuple(labels),
        {name: tuple(items) for name, items in splits.items()},
        noises,
        left_out=(*found.left_out, *unusable),
        cuts=found.cuts,
    )
    listing.check()
    return listing


def _split_windows(windows: list[Recording], splits: dict[str, list[Recording]]) -> None:
    """Split the windows of one noise in time; the one at each boundary is dropped, because it overlaps both sides."""
    last_train = len(windows) * (100 - VALIDATION_PERCENT - TEST_PERCENT) // 100
    last_validation = len(windows) * (100 - TEST_PERCENT) // 100
    splits["train"] += windows[:last_train]
    splits["validation"] += windows[last_train + 1 : last_validation]
    splits["test"] += windows[last_validation + 1 :]


def split_of(speaker: str) -> str:
    """The split of a speaker: "train", "validation" or "test"."""
    percent = int(hashlib.sha256(speaker.encode()).hexdigest(), 16) % 100
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < VALIDATION_PERCENT + TEST_PERCENT else "train"
