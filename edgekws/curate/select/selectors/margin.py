"""Clips whose out-of-fold probe is surest: the largest margin between their own label and the best other one."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import out_of_fold
from edgekws.curate.select.ranked import best_of_each


def select(pool: Pool, size: int, seed: int) -> Selection:
    truth = labels(pool)
    guess = out_of_fold(pool.vectors, truth, generator(seed, "margin"))
    own = np.arange(len(truth)), truth
    mine = guess[own].copy()
    guess[own] = -1
    return best_of_each(pool, size, mine - guess.max(axis=1))
