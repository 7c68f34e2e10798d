"""Facility location in each class: clips that every other clip of the class is near to one of."""

from __future__ import annotations

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import facility, scaled, thinned
from edgekws.curate.select.pool import generator, groups, quotas, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    vectors, rng = scaled(pool.vectors), generator(seed, "facility")
    rows = [thinned(found, rng) for found in groups(pool)]
    return selection(pool, [r[facility(vectors[r], n)] for r, n in zip(rows, quotas(pool, size), strict=True)])
