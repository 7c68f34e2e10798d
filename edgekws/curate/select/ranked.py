"""Selections by a score per clip."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import quotas, rows_by_class, selection


def top_of_each_class(pool: Pool, size: int, score: np.ndarray) -> Selection:
    """The clips of each class with the highest score; ties go to the first in the pool. score: float [n]."""
    pairs = zip(rows_by_class(pool), quotas(pool, size), strict=True)
    return selection(pool, [rows[np.argsort(-score[rows], kind="stable")[:count]] for rows, count in pairs])
