"""As many clips of each word as of every other, at random within a word; a small word gives all that it has."""

from __future__ import annotations

import numpy as np

from edgekws.curate.shards.methods.random import keys
from edgekws.curate.shards.run import Picks, Run


def choose(run: Run, size: int, seed: int) -> Picks:
    return Picks(first_of_each(words_of(run), keys(run, seed), size))


def words_of(run: Run) -> np.ndarray:
    """int32 [rows]: index into the store's words."""
    return np.concatenate([run.store.word_numbers(part) for part in range(len(run.store.parts))])


def first_of_each(words: np.ndarray, order: np.ndarray, size: int) -> np.ndarray:
    """int64 [size]: rows with the smallest `order` of each word, in even shares: the first of every word, and so on.

    words: int [n]; order: [n], any number.
    """
    by_word, turn, _ = in_turn(words, order)
    wanted = np.lexsort((order[by_word], turn))[:size]
    return by_word[wanted]


def in_turn(words: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows by word, and by `order` within one; of each its place in its word, and how many rows the word has.

    words: int [n]; order: [n], any number. Each result is int64 [n].
    """
    by_word = np.lexsort((order, words))
    starts = np.flatnonzero(np.diff(words[by_word], prepend=-1))
    counts = np.diff([*starts, len(words)])
    repeated = np.repeat(counts, counts)
    return by_word, np.arange(len(words)) - np.repeat(starts, counts), repeated
