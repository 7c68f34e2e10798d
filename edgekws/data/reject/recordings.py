"""The clips of `_silence_` and `_unknown_` for own words, as recordings that a listing can hold.

    _silence_   synthesized noise of every kind, her own background noises
    _unknown_   her folder, Speech Commands, an installed speech engine, fragments of her own recordings

Every part is limited to a few thousand clips, so that an epoch stays short. The same inputs give the same clips.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

from edgekws.data import folders, splits
from edgekws.data.decoding import decode
from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.data.listing import SPLITS, Recording, recording, state, wavs, word_folders
from edgekws.data.reject import fragments, noise, speech
from edgekws.errors import DataError

NOISE_CLIPS, TRACKS = 700, 60
FRAGMENTS, OTHER_WORDS = 1_000, 2_000
"""At most so many training clips of each."""
NOISE_SECONDS = 60
_MANY_WORDS = 10
"""With so many other words, those of validation and test are never heard in training."""
_VALIDATION_DIGIT, _TEST_DIGIT = 3, 7
_engine = Lock()
"""One clip at a time: the next one is cut out of the same track."""


@dataclass(frozen=True)
class Part:
    """Clips by split, and what they were made of, in words."""

    clips: dict[str, list[Recording]]
    said: str

    @property
    def count(self) -> int:
        return sum(map(len, self.clips.values()))


@dataclass(frozen=True)
class _Noise:
    kind: str
    seed: int

    def __call__(self, rate_hz: int, clip_samples: int) -> np.ndarray:
        return noise.make(self.kind, self.seed, clip_samples, rate_hz)


@dataclass(frozen=True)
class _Said:
    track: speech.Track
    number: int

    def __call__(self, rate_hz: int, clip_samples: int) -> np.ndarray:
        with _engine:
            return speech.clip(self.track, self.number, clip_samples, rate_hz)


@dataclass(frozen=True)
class _Fragment:
    kind: str
    seed: int
    item: Recording
    other: Recording

    def __call__(self, rate_hz: int, clip_samples: int) -> np.ndarray:
        clip, other = (_decoded(each, state(each.path), rate_hz, clip_samples) for each in (self.item, self.other))
        return fragments.make(self.kind, clip, other, self.seed, rate_hz)


@lru_cache(maxsize=256)
def _decoded(item: Recording, _state: str, rate_hz: int, clip_samples: int) -> np.ndarray:
    return decode(item, rate_hz, clip_samples)


def noise_track(rate_hz: int) -> np.ndarray:
    """int16 [m]: synthesized noise for augmentation to mix into clips."""
    return noise.track(NOISE_SECONDS, rate_hz)


def synthesized_noise(root: Path) -> Part:
    """Every kind of noise, also digital silence and very quiet clips. root: of the listing, for the paths."""
    kinds = list(noise.KINDS)
    clips: dict[str, list[Recording]] = {name: [] for name in SPLITS}
    for number in range(NOISE_CLIPS):
        kind = kinds[number % len(kinds)]
        name = f"noise-{noise.VERSION}/{kind}/{number // len(kinds):03d}"
        clips[_dealt(number // len(kinds))].append(_made(name, SILENCE, name, root, _Noise(kind, number)))
    return Part(clips, f"{NOISE_CLIPS} clips of synthesized noise ({', '.join(kinds[:7])}, ...)")


def said_words(root: Path, without: Iterable[str]) -> Part | None:
    """Common words by the installed speech engine, except those in `without`; None when there is no engine."""
    if not speech.available():
        return None
    clips: dict[str, list[Recording]] = {name: [] for name in SPLITS}
    for track in speech.tracks(TRACKS, without):
        for number in range(len(track.words)):
            item = _made(f"{track.id}/{number:02d}", UNKNOWN, track.id, root, _Said(track, number))
            clips[_dealt(track.number)].append(item)
    count = sum(map(len, clips.values()))
    return Part(clips, f"{count:,} clips of common words and sentences by {speech.ENGINE} ({TRACKS} voices)")


def fragments_of(own: dict[str, list[Recording]], root: Path) -> Part:
    """Halves, reversals and other orders of her own recordings, each in the split of its recording."""
    clips: dict[str, list[Recording]] = {name: [] for name in SPLITS}
    for name, items in own.items():
        each = max(1, min(len(fragments.KINDS), FRAGMENTS // max(1, len(items))))
        for number, item in enumerate(sorted(items, key=_hash)[:FRAGMENTS]):
            others = [other for other in items if other.label != item.label] or [item]
            for turn in range(each):
                kind = list(fragments.KINDS)[(number + turn) % len(fragments.KINDS)]
                make = _Fragment(kind, number, item, others[(7 * number + turn) % len(others)])
                made = _made(f"fragments-{fragments.VERSION}/{kind}/{item.id}", UNKNOWN, item.speaker, root, make)
                clips[name].append(made)
    count = sum(map(len, clips.values()))
    return Part(clips, f"{count:,} fragments of your own recordings (halves, backwards, pieces in another order)")


def other_words(folder: Path, without: Iterable[str]) -> Part:
    """Recordings of any format below a folder, flat or in word folders, except of the words in `without`.

    Raises DataError for a missing folder, or one without such recordings.
    """
    if not folder.is_dir():
        raise DataError(f"--other-words {folder} should be a folder of recordings", got="no folder")
    refused = {_plain(word) for word in without}
    found = []
    for path in folders.files_below(folder, folder)[0]:
        below = path.relative_to(folder)
        word = below.parts[0] if len(below.parts) > 1 else ""
        if _plain(word) not in refused or not word:
            who = folders.speaker(path, folder / word)
            found.append((word, Recording(f"other words/{below.as_posix()}", UNKNOWN, who, path, convert=True)))
    if not found:
        raise DataError(f"--other-words {folder} should hold recordings of other words", got="none")
    return _counted(found, f"recordings in {folder.name}")


def main_folder(speech_commands: Path) -> Path:
    """The folder of the words: the given one, or speech_commands_v0.02/ below it."""
    below = speech_commands / "speech_commands_v0.02"
    return below if below.is_dir() else speech_commands


def speech_commands(folder: Path, without: Iterable[str]) -> Part:
    """Words of Speech Commands except those in `without`. folder: speech_commands_v0.02/ or its parent."""
    main = main_folder(folder)
    refused = {_plain(word) for word in without}
    found = [
        (each.name, replace(recording(path, UNKNOWN, main), id=f"Speech Commands/{each.name}/{path.name}"))
        for each in word_folders(main)
        if _plain(each.name) not in refused and not each.name.startswith("_")
        for path in wavs(each)
    ]
    if not found:
        raise DataError(f"--speech-commands {folder} should hold other words than yours", got="none")
    return _counted(found, "recordings of Speech Commands")


def _counted(found: Sequence[tuple[str, Recording]], what: str) -> Part:
    """At most OTHER_WORDS of them in training, as many of each word as of the others, split by speaker and by word."""
    words = sorted({word for word, _ in found})
    by_word: dict[str, defaultdict[str, list[Recording]]] = {name: defaultdict(list) for name in SPLITS}
    for word, item in found:
        split = splits.split_of(item.speaker)
        if len(words) < _MANY_WORDS or split == _dealt(words.index(word)):
            by_word[split][word].append(item)
    clips = {}
    for name, limit in (("train", OTHER_WORDS), ("validation", OTHER_WORDS // 8), ("test", OTHER_WORDS // 8)):
        share = max(1, limit // max(1, len(by_word[name])))
        clips[name] = [item for word in by_word[name].values() for item in sorted(word, key=_hash)[:share]]
    count = sum(map(len, clips.values()))
    return Part(clips, f"{count:,} {what} ({len(words)} words)" if len(words) > 1 else f"{count:,} {what}")


def _dealt(number: int) -> str:
    """The split of the word or voice of this number: eight of ten train."""
    return {_VALIDATION_DIGIT: "validation", _TEST_DIGIT: "test"}.get(number % 10, "train")


def _made(name: str, label: str, speaker: str, root: Path, make: _Noise | _Said | _Fragment) -> Recording:
    return Recording(f"made/{name}", label, speaker, root / "made" / name, convert=True, make=make)


def _hash(item: Recording) -> str:
    return hashlib.sha256(item.id.encode()).hexdigest()


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
