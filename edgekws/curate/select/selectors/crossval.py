"""The idea of DataPerf's published baseline, seeded: of many random splits the one that predicts the rest best.

Ten splits of the targets' clips, each in the proportions of the pool, are tried with ten of the other words'; a
support vector machine learns each pair of them and is judged by macro F1 on all clips that are not in it.
"""

from __future__ import annotations

import itertools

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.macro_f1 import macro_f1
from edgekws.curate.select.pool import generator, labels, quotas, selection, split

SPLITS, TARGET_SHARE = 10, 0.6
"""The baseline's own, whatever ours become."""


def select(pool: Pool, size: int, seed: int) -> Selection:
    from sklearn.svm import SVC

    rng, truth = generator(seed, "crossval"), labels(pool)
    quotas(pool, size)
    own, others = split(pool)
    wanted = max(len(own), min(int(size * TARGET_SHARE), size - 1), size - len(others))
    wanted = min(wanted, sum(map(len, own)))
    left = [_proportional(own, wanted, rng) for _ in range(SPLITS)]
    right = [rng.permutation(others)[: size - wanted] for _ in range(SPLITS)]
    best, best_rows = -1.0, np.empty(0, int)
    for targets, nontargets in itertools.product(left, right):
        rows = np.concatenate([targets, nontargets])
        rest = np.setdiff1d(np.arange(len(truth)), rows)
        score = 0.0
        if len(rest):
            guess = SVC(random_state=0).fit(pool.vectors[rows], truth[rows]).predict(pool.vectors[rest])
            score = macro_f1(truth[rest], guess, len(own) + 1)
        if score > best:
            best, best_rows = score, rows
    return selection(pool, [best_rows[truth[best_rows] == label] for label in range(len(own) + 1)])


def _proportional(own: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` rows at most, of each class by its share of all, at least one."""
    total = sum(map(len, own))
    exact = [count * len(rows) / total for rows in own]
    taken = [max(1, int(value)) for value in exact]
    for place in sorted(range(len(own)), key=lambda place: int(exact[place]) - exact[place]):
        taken[place] += sum(taken) < count and taken[place] < len(own[place])
    while sum(taken) > count:
        taken[int(np.argmax(taken))] -= 1
    return np.concatenate([rng.permutation(rows)[:n] for rows, n in zip(own, taken, strict=True)])
