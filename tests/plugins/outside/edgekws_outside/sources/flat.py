"""One flat folder: split-word-speaker-number.wav, as in train-yes-anna-0.wav."""

from __future__ import annotations

from pathlib import Path

from edgekws.data.listing import SPLITS, Listing, Recording, wavs
from edgekws.errors import DataError


def scan(root: Path, clip_samples: int) -> Listing:
    """List the recordings of `root`. Raises DataError for another name, and for a split without clips."""
    del clip_samples  # every file is one clip
    splits: dict[str, list[Recording]] = {split: [] for split in SPLITS}
    for path in wavs(root):
        split, word, speaker = _parts(path)
        splits[split].append(Recording(path.name, word, speaker, path))
    labels = tuple(sorted({clip.label for clips in splits.values() for clip in clips}))
    listing = Listing("flat folder", labels, {split: tuple(clips) for split, clips in splits.items()})
    listing.check()
    return listing


def _parts(path: Path) -> tuple[str, str, str]:
    split, *rest = path.stem.split("-")
    if split not in SPLITS or len(rest) != 3:
        raise DataError("a recording should be named split-word-speaker-number.wav", got=path.name)
    return split, rest[0], rest[1]
