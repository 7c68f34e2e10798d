"""Word folders of recordings: of each ten in order of their names one is for validation, one for testing."""

from __future__ import annotations

from pathlib import Path

from edgekws.data.listing import NOISE_FOLDER, Listing, Recording, speaker_of, wavs

SPLITS = ("validation", "test", *("train",) * 8)


def scan(root: Path, clip_samples: int) -> Listing:
    """List the recordings of `root`. Raises DataError for a folder without any, and for a split without clips."""
    del clip_samples  # every file is one clip
    splits: dict[str, list[Recording]] = {split: [] for split in SPLITS}
    words = sorted(path for path in root.glob("*") if path.is_dir() and path.name != NOISE_FOLDER)
    for word in words:
        for number, path in enumerate(wavs(word)):
            clip = Recording(f"{word.name}/{path.name}", word.name, speaker_of(path), path)
            splits[SPLITS[number % len(SPLITS)]].append(clip)
    labels = tuple(word.name for word in words if wavs(word))
    listing = Listing("every tenth", labels, {split: tuple(clips) for split, clips in splits.items()})
    listing.check()
    return listing
