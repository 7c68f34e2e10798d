"""A custom selector: the clips of each class that are nearest to its mean.

    edgekws select run --selector examples/dataperf/mine.py --sandbox --train-size 25 ...

A selector sees vectors and ids only. It must be deterministic: a random one takes all randomness from `seed`.
"""

import numpy as np

from edgekws.curate.select import Pool, Selection


def select(pool: Pool, size: int, seed: int) -> Selection:  # noqa: ARG001  deterministic without it
    """At most `size` clips: the same number of each target, the rest of other words."""
    each = size // (len(pool.targets) + 1)
    targets = {word: nearest(pool, label, each) for label, word in enumerate(pool.targets)}
    return Selection(targets, nearest(pool, -1, size - sum(map(len, targets.values()))))


def nearest(pool: Pool, label: int, count: int) -> tuple[str, ...]:
    """Ids of `count` clips of a class; label -1 is that of other words."""
    rows = np.flatnonzero(pool.classes == label)
    distances = np.linalg.norm(pool.vectors[rows] - pool.vectors[rows].mean(axis=0), axis=1)
    return tuple(pool.ids[row] for row in rows[np.argsort(distances, kind="stable")[:count]])
