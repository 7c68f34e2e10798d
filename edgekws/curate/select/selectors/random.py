"""Clips by chance from the whole pool; one of each class is always there."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, groups, quotas, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng = generator(seed, "random")
    quotas(pool, size)  # refuses a size without room for each class
    first = [int(rng.choice(rows)) for rows in groups(pool)]
    rest = rng.permutation(np.setdiff1d(np.arange(len(pool.ids)), first))[: size - len(first)]
    chosen = np.concatenate([first, rest])
    return selection(pool, [chosen[np.isin(chosen, rows)] for rows in groups(pool)])
