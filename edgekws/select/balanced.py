"""Clips by chance, as many of each target as of other words together; other words take turns."""

from __future__ import annotations

import numpy as np

from edgekws.select import Pool, Selection
from edgekws.select._pool import generator, quotas, selection, split


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng = generator(seed, "balanced")
    targets = len(pool.targets)
    counts = quotas(pool, size, target_share=targets / (targets + 1))
    own, others = split(pool)
    chosen = [rng.choice(rows, count, replace=False) for rows, count in zip(own, counts, strict=False)]
    rest = sum(counts[targets:])
    return selection(pool, [*chosen, in_turn(others, np.array(pool.words)[others], rng)[:rest]])


def in_turn(rows: np.ndarray, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows in a random order in which every word has its n-th clip before any word has its n+1st."""
    mixed = rng.permutation(len(rows))
    seen: dict[str, int] = {}
    turn = np.empty(len(rows), int)
    for place in mixed:
        turn[place] = seen[words[place]] = seen.get(words[place], 0) + 1
    return np.asarray(rows[mixed[np.argsort(turn[mixed], kind="stable")]])
