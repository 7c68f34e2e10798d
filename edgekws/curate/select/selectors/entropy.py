"""Clips whose label an out-of-fold probe predicts with the lowest entropy."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import out_of_fold
from edgekws.curate.select.ranked import top_of_each_class


def select(pool: Pool, size: int, seed: int) -> Selection:
    truth = labels(pool)
    probabilities = out_of_fold(pool.vectors, truth, generator(seed, "entropy"))
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1)
    wrong = probabilities.argmax(axis=1) != truth
    return top_of_each_class(pool, size, -entropy - wrong * (1 + np.log(probabilities.shape[1])))
