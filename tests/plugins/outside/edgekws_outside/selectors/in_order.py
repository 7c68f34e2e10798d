"""The first clips of each class, in the order of the pool."""

from __future__ import annotations

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import quotas, rows_by_class, selection


def select(pool: Pool, size: int, seed: int) -> Selection:
    del seed
    return selection(pool, [rows[:count] for rows, count in zip(rows_by_class(pool), quotas(pool, size), strict=True)])
