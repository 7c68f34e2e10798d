"""The most confident half of each class by an out-of-fold probe, then facility location within each class.

edgekws/curate/shards/methods/filtered.py does the same for data larger than memory, with class means instead of a
probe, and selects other clips.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import facility_location, scaled, subsample
from edgekws.curate.select.pool import generator, labels, quotas, rows_by_class, selection
from edgekws.curate.select.probe import self_confidence

KEPT_SHARE = 0.5


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng = generator(seed, "filtered")
    vectors, confidence = scaled(pool.vectors), self_confidence(pool.vectors, labels(pool), rng)
    chosen = []
    for rows, count in zip(rows_by_class(pool), quotas(pool, size), strict=True):
        kept = subsample(top_rows(rows, confidence, max(count, int(np.ceil(KEPT_SHARE * len(rows))))), rng)
        chosen.append(kept[facility_location(vectors[kept], count)])
    return selection(pool, chosen)


def top_rows(rows: np.ndarray, score: np.ndarray, count: int) -> np.ndarray:
    """The `count` rows with the highest score, in their order. rows: int [n]; score: float, of the whole pool."""
    return np.sort(rows[np.argsort(-score[rows], kind="stable")[:count]])
