"""The method of DataPerf's published baseline, seeded: of many random splits the one that predicts the rest best.

Ten stratified splits of the targets' clips are combined with ten of the other words'. A support vector machine is
trained on each of the 100 combinations and validated by macro F1 on all clips outside it.
"""

from __future__ import annotations

import itertools

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.macro_f1 import macro_f1
from edgekws.curate.select.pool import generator, labels, quotas, selection, split

SPLITS, TARGET_SHARE = 10, 0.6
"""The baseline's constants."""


def select(pool: Pool, size: int, seed: int) -> Selection:
    from sklearn.svm import SVC

    rng, truth = generator(seed, "crossval"), labels(pool)
    quotas(pool, size)
    own, others = split(pool)
    count = max(len(own), min(int(size * TARGET_SHARE), size - 1), size - len(others))
    count = min(count, sum(map(len, own)))
    left = [_stratified(own, count, rng) for _ in range(SPLITS)]
    right = [rng.permutation(others)[: size - count] for _ in range(SPLITS)]
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


def _stratified(own: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """At most `count` rows, of each class in proportion to its size, at least one."""
    total = sum(map(len, own))
    exact = [count * len(rows) / total for rows in own]
    taken = [max(1, int(value)) for value in exact]
    for place in sorted(range(len(own)), key=lambda place: int(exact[place]) - exact[place]):
        taken[place] += sum(taken) < count and taken[place] < len(own[place])
    while sum(taken) > count:
        taken[int(np.argmax(taken))] -= 1
    return np.concatenate([rng.permutation(rows)[:n] for rows, n in zip(own, taken, strict=True)])
