"""Speech Commands v0.02 (Warden, arXiv 1804.03209) in the 12 classes of MLPerf Tiny.

Splits as in TensorFlow Datasets' `speech_commands`, which the MLPerf Tiny reference trains on:
validation_list.txt and testing_list.txt decide by file; silence is cut from the background
noises (running_tap for validation, the others for training); all other words are `_unknown_`;
the separate test archive, when given, is the test split.
"""

from __future__ import annotations

from pathlib import Path

from edgekws.data.download import MAIN, TEST_ARCHIVE
from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.data.listing import (
    NOISE_FOLDER,
    Listing,
    Recording,
    recording,
    silence_windows,
    wavs,
    word_folders,
)
from edgekws.errors import DataError
from edgekws.files.os_errors import unreadable

KEYWORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
LISTS = ("validation_list.txt", "testing_list.txt")
LABELS = (*KEYWORDS, SILENCE, UNKNOWN)
"""The order of the reference's outputs."""

OFFICIAL_CLIPS = {"train": 85_511, "validation": 10_102, "test": 4_890}
"""Silence included, as TensorFlow Datasets counts them."""

TORCHAUDIO = "SpeechCommands"
"""The folder in which torchaudio keeps the data set."""
VALIDATION_NOISE = "running_tap"


def is_here(root: Path) -> bool:
    """Whether `root` has the layout of Speech Commands: the data set's folder in it, or its lists of splits."""
    return _main(root) != root or all((root / name).is_file() for name in LISTS)


def _main(root: Path) -> Path:
    """The data set's folder below `root`, also where torchaudio puts it; `root` itself where there is none."""
    places = (root / MAIN, root / TORCHAUDIO / MAIN)
    return next((place for place in places if place.is_dir()), root)


def scan(root: Path, clip_samples: int) -> Listing:
    """List the splits below `root`, which holds speech_commands_v0.02/ or is that folder itself.

    torchaudio.datasets.SPEECHCOMMANDS(root) puts it into a folder SpeechCommands, which is looked into, too.

    The test archive speech_commands_test_set_v0.02/ is expected beside the main folder.
    Raises DataError for missing folders, lists or words.
    """
    root = root.resolve()
    main = _main(root)
    archive = main.parent / TEST_ARCHIVE
    words = word_folders(main)
    _require_words(main, {folder.name for folder in words})
    validation, testing = (_read_list(main, name) for name in LISTS)
    splits: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
    for folder in words:
        label = folder.name if folder.name in KEYWORDS else UNKNOWN
        for path in wavs(folder):
            name = path.relative_to(main).as_posix()
            split = "validation" if name in validation else "test" if name in testing else "train"
            splits[split].append(recording(path, label, main))
    noises = wavs(main / NOISE_FOLDER)
    training_noises = tuple(path for path in noises if path.stem != VALIDATION_NOISE)
    splits["train"] += silence_windows(training_noises, clip_samples, main)
    splits["validation"] += silence_windows([p for p in noises if p not in training_noises], clip_samples, main)
    listed = frozenset(item.id for item in splits["test"])
    if archive.is_dir():
        splits["test"] = _scan_archive(archive)
    unused = listed - {item.id for item in splits["test"]}
    name, notes = _name_and_notes(splits, archive)
    listing = Listing(name, LABELS, {k: tuple(v) for k, v in splits.items()}, training_noises, notes, unused)
    listing.check()
    return listing


def _name_and_notes(splits: dict[str, list[Recording]], archive: Path) -> tuple[str, tuple[str, ...]]:
    """(name, notes), which say so when the recordings are only a part of the data set."""
    notes = [] if archive.is_dir() else [f"no {TEST_ARCHIVE} beside the main folder: the test split has no silence"]
    if {split: len(recordings) for split, recordings in splits.items()} == OFFICIAL_CLIPS:
        return "Speech Commands", tuple(notes)
    shown = ", ".join(f"{len(splits[split])} of {count} {split}" for split, count in OFFICIAL_CLIPS.items())
    notes.append(
        f"DEV SPLIT: a part of Speech Commands ({shown} clips); scores are not scores on the official test set"
    )
    return "Speech Commands dev split", tuple(notes)


def _scan_archive(archive: Path) -> list[Recording]:
    _require_words(archive, {folder.name for folder in word_folders(archive)}, LABELS)
    return [recording(p, label, archive) for label in LABELS for p in wavs(archive / label)]


def _require_words(root: Path, present: set[str], required: tuple[str, ...] = KEYWORDS) -> None:
    missing = sorted(set(required) - present)
    if missing:
        raise DataError(
            f"{root} should hold a folder for each of {', '.join(required)}",
            got=f"no {', '.join(missing)}",
            hint=f"give the folder {MAIN} or its parent, or use --source folder for your own words",
        )


def _read_list(main: Path, name: str) -> frozenset[str]:
    try:
        return frozenset((main / name).read_text().split())
    except OSError as error:
        raise unreadable(DataError, main / name, "a list of Speech Commands", error) from error
