"""Equally many clips of each word, at random within a word; a small word contributes all of its clips."""

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
    """int64 [size]: rows with the smallest `order` of each word, in equal shares: the first of every word, and so on.

    words: int [n]; order: [n], any number.
    """
    by_word, rank, _ = rank_within_word(words, order)
    first = np.lexsort((order[by_word], rank))[:size]
    return by_word[first]


def rank_within_word(words: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows by word, and by `order` within one; for each its rank within the word, and the number of rows of the word.

    words: int [n]; order: [n], any number. Each result is int64 [n].
    """
    by_word = np.lexsort((order, words))
    starts = np.flatnonzero(np.diff(words[by_word], prepend=-1))
    counts = np.diff([*starts, len(words)])
    repeated = np.repeat(counts, counts)
    return by_word, np.arange(len(words)) - np.repeat(starts, counts), repeated
