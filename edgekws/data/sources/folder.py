"""Any folder of word folders as a data set: every folder is a label, splits are by speaker.

A recording's split is a hash of its speaker, so a speaker is never in two splits, and adding recordings does not move
existing ones (but see `edgekws.data.splits` for small sets). The words are joined by a reject class: `_silence_` and
`_unknown_`, made of what there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekws.data import folders
from edgekws.data.cuts import Cut
from edgekws.data.labels import REJECT, SILENCE, UNKNOWN
from edgekws.data.listing import (
    NOISE_FOLDER,
    RATE_HZ,
    SPLITS,
    Listing,
    Recording,
    silence_windows,
    speaker_of,
    wavs,
)
from edgekws.data.reject import recordings as reject
from edgekws.data.reject import speech
from edgekws.data.reject.recordings import Part
from edgekws.data.splits import TEST_PERCENT, VALIDATION_PERCENT, assign

_NO_SPEAKERS = (
    "the recordings do not say who speaks (a sub-folder per speaker, or SPEAKER_nohash_N in the names): one voice may "
    "be in training and test, and the accuracies too high"
)
_BETTER = "for better rejection of other words give --speech-commands FOLDER or --other-words FOLDER"
_NO_ENGINE = f"espeak-ng is not installed, so that `{UNKNOWN}` has no synthesized words: apt-get install espeak-ng"


def scan(
    root: Path,
    clip_samples: int,
    *,
    rate_hz: int = RATE_HZ,
    cuts: Mapping[str, Sequence[Cut]] | None = None,
    no_unknown: bool = False,
    other_words: Path | None = None,
    speech_commands: Path | None = None,
) -> Listing:
    """List the recordings below `root`, a folder per word: any audio format, long ones cut to the word.

    cuts: those of some files, by name, instead of the automatic ones. no_unknown: add no reject class. other_words,
    speech_commands: folders with recordings for `_unknown_`. Raises DataError for a missing or empty folder or split.
    """
    found = folders.words(root, rate_hz, clip_samples, cuts)
    noises, unusable = folders.noises(root)
    splits = assign(found.clips)
    windows = _windows(noises, clip_samples, root, rate_hz, "your background noises")
    if no_unknown:
        labels = (*found.words, SILENCE) if windows.count and SILENCE not in found.words else found.words
        parts = {SILENCE: [windows]} if SILENCE in labels and SILENCE not in found.words else {}
    else:
        words = tuple(word for word in found.words if word not in REJECT)
        labels = (*words, *REJECT)
        own = {name: [item for item in items if item.label in words] for name, items in splits.items()}
        parts = _parts(root, words, own, other_words, speech_commands)
        parts[SILENCE].append(windows)
        if speech_commands is not None:  # rooms, dishes and taps that no synthesis has
            main = reject.main_folder(speech_commands)
            real = _windows(wavs(main / NOISE_FOLDER), clip_samples, main, rate_hz, "noises of Speech Commands")
            parts[SILENCE].append(real)
    made = [part.clips for of_label in parts.values() for part in of_label]
    listing = Listing(
        root.resolve().name,
        labels,
        {name: (*items, *(item for clips in made for item in clips[name])) for name, items in splits.items()},
        noises,
        notes=_notes(found.clips, parts),
        left_out=(*found.left_out, *unusable),
        reject={} if no_unknown else {label: _said(found.clips, label, parts[label]) for label in REJECT},
        cuts=found.cuts,
        make_noise=None if no_unknown else reject.noise_track,
    )
    listing.check()
    return listing


def _parts(
    root: Path, words: Sequence[str], own: dict[str, list[Recording]], other: Path | None, speech_commands: Path | None
) -> dict[str, list[Part]]:
    """What the reject class is made of, by label."""
    unknown = [
        reject.other_words(other, words) if other else None,
        reject.speech_commands(speech_commands, words) if speech_commands else None,
        reject.said_words(root, words),
        reject.fragments_of(own, root),
    ]
    return {SILENCE: [reject.synthesized_noise(root)], UNKNOWN: [part for part in unknown if part]}


def _said(clips: Sequence[Recording], label: str, parts: Sequence[Part]) -> str:
    """What the clips of a label of the reject class are, in words."""
    hers = sum(item.label == label for item in clips)
    return "; ".join(
        [*([f"{hers:,} recordings in {label}"] if hers else []), *(part.said for part in parts if part.count)]
    )


def _notes(clips: Sequence[Recording], parts: Mapping[str, Sequence[Part]]) -> tuple[str, ...]:
    notes = []
    if all(item.speaker == speaker_of(item.path) and "_nohash_" not in item.path.stem for item in clips):
        notes.append(_NO_SPEAKERS)
    if UNKNOWN in parts and not speech.available():
        notes.append(_NO_ENGINE)
    real = len(parts.get(UNKNOWN, ())) > 1 + speech.available() or any(item.label == UNKNOWN for item in clips)
    if UNKNOWN in parts and not real:
        notes.append(_BETTER)
    return tuple(notes)


def _windows(noises: Sequence[Path], clip_samples: int, root: Path, rate_hz: int, what: str) -> Part:
    """Windows of background noises, each noise split in time. what: whose they are."""
    splits: dict[str, list[Recording]] = {name: [] for name in SPLITS}
    for noise in noises:
        _split_windows(silence_windows([noise], clip_samples, root, rate_hz), splits)
    part = Part(splits, "")
    return Part(splits, f"{part.count:,} windows of {what}")


def _split_windows(windows: list[Recording], splits: dict[str, list[Recording]]) -> None:
    """Split the windows of one noise in time; the one at each boundary is dropped, because it overlaps both sides."""
    last_train = len(windows) * (100 - VALIDATION_PERCENT - TEST_PERCENT) // 100
    last_validation = len(windows) * (100 - TEST_PERCENT) // 100
    splits["train"] += windows[:last_train]
    splits["validation"] += windows[last_train + 1 : last_validation]
    splits["test"] += windows[last_validation + 1 :]
