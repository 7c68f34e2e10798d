"""Greedy k-center in each class, from the clip nearest to the mean. Loves outliers: clean the pool first."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import farthest, scaled, squared_distances
from edgekws.curate.select.pool import groups, quotas, selection


def select(pool: Pool, size: int, seed: int) -> Selection:  # noqa: ARG001  nothing is left to chance
    vectors = scaled(pool.vectors)
    pairs = zip(groups(pool), quotas(pool, size), strict=True)
    return selection(pool, [rows[farthest(vectors[rows], n, _middle(vectors[rows]))] for rows, n in pairs])


def _middle(vectors: np.ndarray) -> int:
    return int(np.argmin(squared_distances(vectors, vectors.mean(axis=0, keepdims=True))[:, 0]))
