"""The half of each class that an out-of-fold probe believes most, then facility location within each class.

edgekws/curate/shards/methods/filtered.py is this idea for data larger than memory, by sums instead of a probe: it
chooses other clips.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import facility, scaled, thinned
from edgekws.curate.select.pool import generator, groups, labels, quotas, selection
from edgekws.curate.select.probe import self_confidence

KEPT = 0.5


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng = generator(seed, "filtered")
    vectors, sure = scaled(pool.vectors), self_confidence(pool.vectors, labels(pool), rng)
    chosen = []
    for rows, count in zip(groups(pool), quotas(pool, size), strict=True):
        kept = thinned(upper(rows, sure, max(count, int(np.ceil(KEPT * len(rows))))), rng)
        chosen.append(kept[facility(vectors[kept], count)])
    return selection(pool, chosen)


def upper(rows: np.ndarray, score: np.ndarray, count: int) -> np.ndarray:
    """The `count` rows with the highest score, in their order. rows: int [n]; score: float, of the whole pool."""
    return np.sort(rows[np.argsort(-score[rows], kind="stable")[:count]])
