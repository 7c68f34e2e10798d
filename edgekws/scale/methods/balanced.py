"""As many clips of each word as of every other, at random within a word; a small word gives all that it has."""

from __future__ import annotations

import numpy as np

from edgekws.scale.methods import Picks
from edgekws.scale.methods.random import keys
from edgekws.scale.run import Run


def choose(run: Run, size: int, seed: int) -> Picks:
    return Picks(first_of_each(words_of(run), keys(run, seed), size))


def words_of(run: Run) -> np.ndarray:
    """int32 [rows]: index into the store's words."""
    return np.concatenate([run.store.word_numbers(part) for part in range(len(run.store.parts))])


def first_of_each(words: np.ndarray, order: np.ndarray, size: int) -> np.ndarray:
    """Rows with the smallest `order` of each word, in even shares: first the first of every word, and so on."""
    by_word = np.lexsort((order, words))
    starts = np.flatnonzero(np.diff(words[by_word], prepend=-1))
    counts = np.diff([*starts, len(words)])
    turn = np.arange(len(words)) - np.repeat(starts, counts)
    wanted = np.lexsort((order[by_word], turn))[:size]
    return by_word[wanted]
