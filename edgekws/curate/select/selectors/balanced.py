"""Clips at random, as many of each target as of all other words together; other words in round-robin order."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, quotas, selection, split


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng = generator(seed, "balanced")
    targets = len(pool.targets)
    counts = quotas(pool, size, target_share=targets / (targets + 1))
    own, others = split(pool)
    chosen = [rng.choice(rows, count, replace=False) for rows, count in zip(own, counts, strict=False)]
    mixed, rest = others[rng.permutation(len(others))], sum(counts[targets:])
    return selection(pool, [*chosen, round_robin(mixed, np.array(pool.words)[mixed])[:rest]])


def round_robin(rows: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The rows reordered such that every word has its n-th clip before any word has its n+1st.

    rows: int [n]; words: str [n], the word of each row.
    """
    seen: dict[str, int] = {}
    turn = np.empty(len(rows), int)
    for place, word in enumerate(words.tolist()):
        turn[place] = seen[word] = seen.get(word, 0) + 1
    return np.asarray(rows[np.argsort(turn, kind="stable")])
