"""Confident learning (Northcutt, Jiang, Chuang 2021): drop the likely label errors, choose by chance from the rest."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.confident_learning import label_errors
from edgekws.curate.select.pool import generator, groups, labels, quotas, selection
from edgekws.curate.select.probe import out_of_fold


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng, truth = generator(seed, "confident"), labels(pool)
    bad = label_errors(truth, out_of_fold(pool.vectors, truth, rng))
    chosen = []
    for rows, count in zip(groups(pool), quotas(pool, size), strict=True):
        mixed = rng.permutation(rows)
        chosen.append(mixed[np.argsort(bad[mixed], kind="stable")][:count])
    return selection(pool, chosen)
