"""Kernel herding in each class: clips whose mean comes near to the mean of the class."""

from __future__ import annotations

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import herded, scaled, thinned
from edgekws.curate.select.pool import generator, groups, quotas, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    vectors, rng = scaled(pool.vectors), generator(seed, "herding")
    rows = [thinned(found, rng) for found in groups(pool)]
    return selection(pool, [r[herded(vectors[r], n)] for r, n in zip(rows, quotas(pool, size), strict=True)])
