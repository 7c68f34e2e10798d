"""EL2N (Paul, Ganguli, Dziugaite 2021) with linear probes: the norm of the error vector early in training.

The score is a mean over probes that are stopped after a few steps on random halves of the pool, each evaluated on the
other half. For a few dozen clips from a noisy pool the clips with the smallest scores are selected.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import fit, folds
from edgekws.curate.select.ranked import top_of_each_class

HALVINGS, STEPS = 5, 8


def select(pool: Pool, size: int, seed: int) -> Selection:
    return top_of_each_class(pool, size, -scores(pool, seed))


def scores(pool: Pool, seed: int) -> np.ndarray:
    """float64 [n], from 0 (learned immediately) to the square root of 2."""
    rng, truth = generator(seed, "el2n"), labels(pool)
    classes = len(pool.targets) + 1
    one_hot, total = np.eye(classes)[truth], np.zeros(len(truth))
    for _ in range(HALVINGS):
        half = folds(truth, 2, rng) == 0
        for train in (
            (half, ~half) if half.any() and not half.all() else ()
        ):  # all classes of one clip may fall into one half
            probabilities = fit(pool.vectors[train], truth[train], classes, STEPS)(pool.vectors[~train])
            total[~train] += np.linalg.norm(probabilities - one_hot[~train], axis=1)
    return np.asarray(total / HALVINGS)
