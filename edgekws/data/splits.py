"""Which split a speaker belongs to: by a hash, so that added recordings do not move existing ones."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from edgekws.data.listing import SPLITS, Recording

VALIDATION_PERCENT, TEST_PERCENT = 10, 10
_FEWEST_RECORDINGS, _FEWEST_SPEAKERS = 8, 3
_WANTED = 3
"""Validation and test clips of a word, or a tenth of its recordings when that is less."""


def split_of(speaker: str) -> str:
    """The split of a speaker: "train", "validation" or "test"."""
    percent = _hash(speaker) % 100
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < VALIDATION_PERCENT + TEST_PERCENT else "train"


def assign(recordings: Sequence[Recording]) -> dict[str, list[Recording]]:
    """The recordings by split, in their order; a speaker is in one split only.

    The hash decides. Where it leaves a word of at least 8 recordings and 3 speakers with too few validation or test
    clips (3, or a tenth), speakers of that word move there from training, those with the lowest hash first. They move
    back when enough other speakers were recorded; no other speaker ever moves.
    """
    chosen = {item.speaker: split_of(item.speaker) for item in recordings}
    by_word: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in recordings:
        by_word[item.label][item.speaker] += 1
    for word in sorted(by_word):
        speakers = by_word[word]
        if speakers.total() < _FEWEST_RECORDINGS or len(speakers) < _FEWEST_SPEAKERS:
            continue
        for split in ("validation", "test"):
            _fill(split, speakers, chosen, by_word)
    splits: dict[str, list[Recording]] = {name: [] for name in SPLITS}
    for item in recordings:
        splits[chosen[item.speaker]].append(item)
    return splits


def _fill(split: str, speakers: Counter[str], chosen: dict[str, str], by_word: dict[str, Counter[str]]) -> None:
    """Move speakers of one word from training to `split`, in place, until it has enough clips of the word."""
    wanted = min(_WANTED, max(1, speakers.total() // 10))
    for speaker in sorted(speakers, key=_hash):
        if sum(count for name, count in speakers.items() if chosen[name] == split) >= wanted:
            return
        others_train = all(
            any(chosen[name] == "train" and name != speaker for name in word)
            for word in by_word.values()
            if word[speaker]
        )
        small = speakers[speaker] <= max(wanted, speakers.total() // 3)
        if chosen[speaker] == "train" and others_train and small:
            chosen[speaker] = split


def _hash(speaker: str) -> int:
    return int(hashlib.sha256(speaker.encode()).hexdigest(), 16)
