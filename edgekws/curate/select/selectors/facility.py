"""Facility location in each class: every clip of the class is similar to a selected one."""

from __future__ import annotations

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import facility_location, scaled, subsample
from edgekws.curate.select.pool import generator, quotas, rows_by_class, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    vectors, rng = scaled(pool.vectors), generator(seed, "facility")
    rows = [subsample(group, rng) for group in rows_by_class(pool)]
    return selection(pool, [r[facility_location(vectors[r], n)] for r, n in zip(rows, quotas(pool, size), strict=True)])
