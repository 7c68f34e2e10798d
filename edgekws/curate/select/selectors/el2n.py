"""EL2N (Paul, Ganguli, Dziugaite 2021) over linear probes: the length of the error vector early in training.

The score is a mean over probes that stop after a few steps on different halves of the pool, each judged on the half
that it did not see. For a few dozen clips from a noisy pool the smallest scores are the ones to learn from.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import fit, folds
from edgekws.curate.select.ranked import best_of_each

HALVINGS, STEPS = 5, 8


def select(pool: Pool, size: int, seed: int) -> Selection:
    return best_of_each(pool, size, -scores(pool, seed))


def scores(pool: Pool, seed: int) -> np.ndarray:
    """float [n], between 0 (learned at once) and the square root of 2."""
    rng, truth = generator(seed, "el2n"), labels(pool)
    classes = len(pool.targets) + 1
    wanted, total = np.eye(classes)[truth], np.zeros(len(truth))
    for _ in range(HALVINGS):
        half = folds(truth, 2, rng) == 0
        for seen in (half, ~half) if half.any() and not half.all() else ():  # classes of one clip may be in one half
            guess = fit(pool.vectors[seen], truth[seen], classes, STEPS)(pool.vectors[~seen])
            total[~seen] += np.linalg.norm(guess - wanted[~seen], axis=1)
    return np.asarray(total / HALVINGS)
