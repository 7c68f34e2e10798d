"""As balanced, but classes that a probe mistakes more often have more clips. For hundreds and thousands.

A network that learns from a selection this large is told by no single clip; what counts is how many clips it has of
what. An out-of-fold probe says how often each class is mistaken, and its clips are in proportion to that, as in the
allocation of strata by their spread (Neyman 1934). The least believed of each class, whose labels are most likely
wrong, are left out; the rest is drawn by chance, words in turn.
"""

from __future__ import annotations

import heapq

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, groups, labels, quotas, selection
from edgekws.curate.select.probe import out_of_fold
from edgekws.curate.select.selectors.balanced import in_turn
from edgekws.curate.select.selectors.filtered import upper

KEPT = 0.95
LEAST_ERROR = 0.1
"""A class that the probe never mistakes is learned from some clips all the same."""


def select(pool: Pool, size: int, seed: int) -> Selection:
    quotas(pool, size)  # refuses a size without room for each class
    rng, truth, rows = generator(seed, "difficulty"), labels(pool), groups(pool)
    guess = out_of_fold(pool.vectors, truth, rng)
    counts = allotted([len(one) for one in rows], errors(guess, truth), size)
    sure, words = guess[np.arange(len(truth)), truth], np.array(pool.words)
    chosen = []
    for one, count in zip(rows, counts, strict=True):
        kept = rng.permutation(upper(one, sure, max(count, int(np.ceil(KEPT * len(one))))))
        chosen.append(in_turn(kept, words[kept])[:count])
    return selection(pool, chosen)


def errors(guess: np.ndarray, truth: np.ndarray) -> list[float]:
    """How often each class is taken for another when all classes are alike frequent, at least LEAST_ERROR.

    guess: probabilities [n, classes], which know how frequent the classes are in the pool; truth: int [n].
    """
    taken = (guess / np.bincount(truth)).argmax(axis=1)
    mistaken = [float(np.mean(taken[truth == label] != label)) for label in range(guess.shape[1])]
    return [max(error, LEAST_ERROR) for error in mistaken]


def allotted(room: list[int], weights: list[float], size: int) -> list[int]:
    """Clips of each class: one, then always one more of the class with the most weight for what it would then have."""
    taken = [1] * len(room)
    heap = [(-weight / 2, label) for label, weight in enumerate(weights) if room[label] > 1]
    heapq.heapify(heap)
    for _ in range(min(size, sum(room)) - len(room)):
        _, label = heapq.heappop(heap)
        taken[label] += 1
        if taken[label] < room[label]:
            heapq.heappush(heap, (-weights[label] / (taken[label] + 1), label))
    return taken
