"""K-means in each class: the clip nearest to each centre."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import scaled, squared_distances
from edgekws.curate.select.pool import generator, quotas, rows_by_class, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    vectors, rng = scaled(pool.vectors), generator(seed, "kmeans")
    pairs = zip(rows_by_class(pool), quotas(pool, size), strict=True)
    return selection(pool, [rows[_nearest_to_centres(vectors[rows], count, rng)] for rows, count in pairs])


def _nearest_to_centres(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    from sklearn.cluster import KMeans

    state = int(rng.integers(2**31))
    if len(np.unique(vectors, axis=0)) <= count:  # fewer distinct vectors than centres: k-means would warn
        return np.arange(len(vectors))[:count]
    centres = KMeans(count, n_init=4, random_state=state).fit(vectors).cluster_centers_
    table = squared_distances(np.asarray(centres, np.float32), vectors)
    chosen: list[int] = []
    for row in table:  # two centres may share their nearest clip; the second takes its next nearest
        row[chosen] = np.inf
        chosen.append(int(np.argmin(row)))
    return np.array(chosen, int)
