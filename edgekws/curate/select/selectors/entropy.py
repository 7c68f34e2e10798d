"""Clips whose label an out-of-fold probe agrees with and is least in doubt about: the smallest entropy."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import out_of_fold
from edgekws.curate.select.ranked import best_of_each


def select(pool: Pool, size: int, seed: int) -> Selection:
    truth = labels(pool)
    guess = out_of_fold(pool.vectors, truth, generator(seed, "entropy"))
    doubt = -(guess * np.log(np.maximum(guess, 1e-12))).sum(axis=1)
    wrong = guess.argmax(axis=1) != truth
    return best_of_each(pool, size, -doubt - wrong * (1 + np.log(guess.shape[1])))
