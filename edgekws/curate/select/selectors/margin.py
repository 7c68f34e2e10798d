"""Clips with the largest margin of an out-of-fold probe: own label minus the most probable other one."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import out_of_fold
from edgekws.curate.select.ranked import top_of_each_class


def select(pool: Pool, size: int, seed: int) -> Selection:
    truth = labels(pool)
    probabilities = out_of_fold(pool.vectors, truth, generator(seed, "margin"))
    own = np.arange(len(truth)), truth
    own_probability = probabilities[own].copy()
    probabilities[own] = -1
    return top_of_each_class(pool, size, own_probability - probabilities.max(axis=1))
