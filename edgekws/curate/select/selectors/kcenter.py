"""Greedy k-center in each class, from the clip nearest to the mean. Sensitive to outliers: clean the pool first."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import k_center, scaled, squared_distances
from edgekws.curate.select.pool import quotas, rows_by_class, selection


def select(pool: Pool, size: int, seed: int) -> Selection:  # noqa: ARG001  deterministic
    vectors = scaled(pool.vectors)
    pairs = zip(rows_by_class(pool), quotas(pool, size), strict=True)
    return selection(pool, [rows[k_center(vectors[rows], n, _nearest_to_mean(vectors[rows]))] for rows, n in pairs])


def _nearest_to_mean(vectors: np.ndarray) -> int:
    return int(np.argmin(squared_distances(vectors, vectors.mean(axis=0, keepdims=True))[:, 0]))
