"""Kernel herding in each class: clips whose mean approximates the mean of the class."""

from __future__ import annotations

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.geometry import kernel_herding, scaled, subsample
from edgekws.curate.select.pool import generator, quotas, rows_by_class, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    vectors, rng = scaled(pool.vectors), generator(seed, "herding")
    rows = [subsample(group, rng) for group in rows_by_class(pool)]
    return selection(pool, [r[kernel_herding(vectors[r], n)] for r, n in zip(rows, quotas(pool, size), strict=True)])
