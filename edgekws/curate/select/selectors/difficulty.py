"""As balanced, but with more clips for classes that a probe misclassifies more often; for hundreds of clips or more.

In a selection this large no single clip matters; what matters is the number of clips per class. It is proportional to
the error rate of an out-of-fold probe on the class, similar to optimal allocation of strata (Neyman 1934). The
lowest-confidence clips of each class, whose labels are most likely wrong, are left out; the rest is drawn at random,
words in round-robin order.
"""

from __future__ import annotations

import heapq

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels, quotas, rows_by_class, selection
from edgekws.curate.select.probe import out_of_fold
from edgekws.curate.select.selectors.balanced import round_robin
from edgekws.curate.select.selectors.filtered import top_rows

KEPT_SHARE = 0.95
MIN_ERROR_RATE = 0.1
"""Floor of the error rate, so that a class without errors gets clips too."""


def select(pool: Pool, size: int, seed: int) -> Selection:
    quotas(pool, size)  # raises for a size without room for each class
    rng, truth, rows = generator(seed, "difficulty"), labels(pool), rows_by_class(pool)
    probabilities = out_of_fold(pool.vectors, truth, rng)
    counts = allocate([len(one) for one in rows], error_rates(probabilities, truth), size)
    confidence, words = probabilities[np.arange(len(truth)), truth], np.array(pool.words)
    chosen = []
    for one, count in zip(rows, counts, strict=True):
        kept = rng.permutation(top_rows(one, confidence, max(count, int(np.ceil(KEPT_SHARE * len(one))))))
        chosen.append(round_robin(kept, words[kept])[:count])
    return selection(pool, chosen)


def error_rates(probabilities: np.ndarray, truth: np.ndarray) -> list[float]:
    """Error rate of each class under a uniform class prior, at least MIN_ERROR_RATE.

    probabilities: float [n, classes], under the class frequencies of the pool; truth: int [n].
    """
    predicted = (probabilities / np.bincount(truth)).argmax(axis=1)
    rates = [float(np.mean(predicted[truth == label] != label)) for label in range(probabilities.shape[1])]
    return [max(rate, MIN_ERROR_RATE) for rate in rates]


def allocate(room: list[int], weights: list[float], size: int) -> list[int]:
    """Number of clips of each class: one each, the rest by the highest-averages method with `weights`."""
    taken = [1] * len(room)
    heap = [(-weight / 2, label) for label, weight in enumerate(weights) if room[label] > 1]
    heapq.heapify(heap)
    for _ in range(min(size, sum(room)) - len(room)):
        _, label = heapq.heappop(heap)
        taken[label] += 1
        if taken[label] < room[label]:
            heapq.heappush(heap, (-weights[label] / (taken[label] + 1), label))
    return taken
