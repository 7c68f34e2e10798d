"""Confident learning (Northcutt, Jiang, Chuang 2021): drop likely label errors, select at random from the rest."""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.confident_learning import label_errors
from edgekws.curate.select.pool import generator, labels, quotas, rows_by_class, selection
from edgekws.curate.select.probe import out_of_fold


def select(pool: Pool, size: int, seed: int) -> Selection:
    rng, truth = generator(seed, "confident"), labels(pool)
    errors = label_errors(truth, out_of_fold(pool.vectors, truth, rng))
    chosen = []
    for rows, count in zip(rows_by_class(pool), quotas(pool, size), strict=True):
        shuffled = rng.permutation(rows)
        chosen.append(shuffled[np.argsort(errors[shuffled], kind="stable")][:count])
    return selection(pool, chosen)
