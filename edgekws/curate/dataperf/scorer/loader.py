"""From lists of ids to vectors and classes, in the order that the challenge's evaluation has them.

The order affects the score, because the classifier's inner folds are drawn by position. The rules:

- targets: words in the order of the list's keys; within a word the rows of the parquet file in *their* order, those
  whose id is listed. So the order of a target's ids, and an id listed twice, change nothing; an id that the file
  lacks is skipped; an id that the file has twice is taken twice.
- nontargets: grouped by word (the part of the id before the first slash) in the order of first appearance, then in
  the order of the list. An id listed twice is taken twice; of two rows with one id the first is taken.
- classes: 0 for nontargets, 1... for the target words sorted by name, of *that* list. (Until November 2022: in the
  order of the keys.) A word that one list lacks shifts the classes of one list against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.curate.dataperf.formats import words
from edgekws.curate.dataperf.formats.lists import IdLists, first_part
from edgekws.errors import ArtifactError, DataError

Warn = Callable[[str], None]
NONTARGET = "nontarget"


@dataclass(frozen=True)
class Block:
    """Clips of one file, in the order of evaluation. classes: int64 [n]; vectors: float [n, dimensions]."""

    ids: tuple[str, ...]
    classes: np.ndarray
    vectors: np.ndarray


def class_ids(lists: IdLists, by_name: bool = True) -> dict[str, int]:
    """The class of each target word; nontargets are 0."""
    ordered = sorted(lists.targets) if by_name else list(lists.targets)
    return {word: place + 1 for place, word in enumerate(ordered)} | {NONTARGET: 0}


def load(lists: IdLists, folder: Path, warn: Warn, by_name: bool = True) -> Iterator[Block]:
    """The clips of `lists`, a file at a time. Raises DataError for a missing file or nontarget."""
    classes, dimensions = class_ids(lists, by_name), 0
    for block in _blocks(lists, folder, classes, warn):
        if not len(block.ids):
            continue
        dimensions = dimensions or block.vectors.shape[1]
        if block.vectors.shape[1] != dimensions:
            got = f"{block.ids[0]} has {block.vectors.shape[1]}, the ones before {dimensions}"
            raise ArtifactError(f"all vectors below {folder} should have one length", got=got, hint="embed them alike")
        yield block


def _blocks(lists: IdLists, folder: Path, classes: dict[str, int], warn: Warn) -> Iterator[Block]:
    for word, ids in lists.targets.items():
        yield _target(words.read(words.path_of(folder, word)), ids, word, classes[word], warn)
    for word, clips in by_word(lists.nontargets).items():
        yield _nontargets(words.read(words.path_of(folder, word)), clips)


def by_word(ids: tuple[str, ...]) -> dict[str, list[str]]:
    """Ids grouped by their first part, both in order of appearance."""
    groups: dict[str, list[str]] = {}
    for clip in ids:
        groups.setdefault(word_of(clip), []).append(clip)
    return groups


def word_of(clip: str) -> str:
    """The first part of an id. Raises DataError when that cannot be the name of a file."""
    word = first_part(clip)
    if not word:
        raise DataError("an id should begin with its word (word/file.wav)", got=clip)
    return word


def _target(word: words.Word, ids: tuple[str, ...], name: str, label: int, warn: Warn) -> Block:
    listed = set(ids)
    rows = [row for row, clip in enumerate(word.ids) if clip in listed]
    taken = tuple(word.ids[row] for row in rows)
    missing = listed - set(taken)
    if missing:
        some = f"{len(missing)} of the clips listed for {name} ({min(missing)})"
        warn(f"{word.path} lacks {some}; skipped, as the challenge does")
    if len(rows) > len(set(taken)):
        warn(f"{word.path} has {len(rows) - len(set(taken))} ids twice; every row counts, as in the challenge")
    return Block(taken, np.full(len(rows), label, np.int64), word.vectors(rows))


def _nontargets(word: words.Word, ids: list[str]) -> Block:
    return Block(tuple(ids), np.zeros(len(ids), np.int64), first_rows(word, ids))


def first_rows(word: words.Word, ids: list[str]) -> np.ndarray:
    """float [n, dimensions]: of each id, as often as it is given, the first row that has it. Raises DataError."""
    first: dict[str, int] = {}
    for row, clip in enumerate(word.ids):
        first.setdefault(clip, row)
    missing = [clip for clip in ids if clip not in first]
    if missing:
        raise DataError(
            f"{word.path} should hold every clip that is listed",
            got=f"{len(missing)} are missing, the first is {missing[0]}",
            hint="leave them out of the list, or embed them",
        )
    return word.vectors([first[clip] for clip in ids])
