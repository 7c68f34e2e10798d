"""Forgetting (Toneva et al. 2019) over a linear probe: how often a clip, once right, becomes wrong again.

A probe learns by gradient steps on small batches; after each pass every clip is looked at. Chosen are the clips that
are learned first and never forgotten; of equals those that end with the largest probability.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import softmax
from edgekws.curate.select.ranked import best_of_each

PASSES, BATCH, RATE = 12, 64, 0.05


def select(pool: Pool, size: int, seed: int) -> Selection:
    events, learned, sure = history(pool, seed)
    return best_of_each(pool, size, -10.0 * events - learned + sure)


def history(pool: Pool, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[n] each: times forgotten, first pass after which the clip was right (PASSES: never), its last probability."""
    rng, truth = generator(seed, "forgetting"), labels(pool)
    x = np.asarray(pool.vectors, np.float32)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + np.float32(1e-6)) / np.float32(np.sqrt(x.shape[1]))
    weights, bias = np.zeros((x.shape[1], len(pool.targets) + 1), np.float32), np.zeros(len(pool.targets) + 1)
    wanted = np.eye(len(bias), dtype=np.float32)[truth]
    events, learned, right = np.zeros(len(x)), np.full(len(x), PASSES), np.zeros(len(x), bool)
    for step in range(PASSES):
        for rows in np.array_split(rng.permutation(len(x)), max(1, len(x) // BATCH)):
            error = softmax(x[rows] @ weights + bias) - wanted[rows]
            weights -= (RATE * x[rows].T @ error).astype(np.float32)
            bias -= RATE * error.mean(axis=0)
        guess = softmax(x @ weights + bias)
        now = guess.argmax(axis=1) == truth
        events += right & ~now
        learned = np.where(now & (learned == PASSES), step, learned)
        right = now
    return events, learned, guess[np.arange(len(x)), truth]
