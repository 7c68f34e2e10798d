"""Selections by a score alone."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import groups, quotas, selection


def best_of_each(pool: Pool, size: int, score: np.ndarray) -> Selection:
    """The clips of each class with the highest score; of equals the first in the pool. score: float [n]."""
    pairs = zip(groups(pool), quotas(pool, size), strict=True)
    return selection(pool, [rows[np.argsort(-score[rows], kind="stable")[:count]] for rows, count in pairs])
