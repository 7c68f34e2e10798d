"""A custom selector: in each class the clips nearest to its mean.

    edgekws select run --selector examples/dataperf/mine.py --sandbox --train-size 25 ...

It sees vectors and ids only. Deterministic: a random selector must take all randomness from `seed`.
"""

import numpy as np

from edgekws.curate.select import Pool, Selection


def select(pool: Pool, size: int, seed: int) -> Selection:  # noqa: ARG001  nothing here is random
    each = size // (len(pool.targets) + 1)
    targets = {word: nearest(pool, label, each) for label, word in enumerate(pool.targets)}
    return Selection(targets, nearest(pool, -1, size - sum(map(len, targets.values()))))


def nearest(pool: Pool, label: int, count: int) -> tuple[str, ...]:
    rows = np.flatnonzero(pool.classes == label)
    away = np.linalg.norm(pool.vectors[rows] - pool.vectors[rows].mean(axis=0), axis=1)
    return tuple(pool.ids[row] for row in rows[np.argsort(away, kind="stable")[:count]])
