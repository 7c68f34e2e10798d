"""Clips at random from the whole pool, at least one of each class."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, quotas, rows_by_class, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng = generator(seed, "random")
    quotas(pool, size)  # raises for a size without room for each class
    first = [int(rng.choice(rows)) for rows in rows_by_class(pool)]
    rest = rng.permutation(np.setdiff1d(np.arange(len(pool.ids)), first))[: size - len(first)]
    chosen = np.concatenate([first, rest])
    return selection(pool, [chosen[np.isin(chosen, rows)] for rows in rows_by_class(pool)])
