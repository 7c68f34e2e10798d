"""Distances in the scorer's RBF kernel, and greedy subset selection based on them. NumPy only.

The support vector machine that scores a selection uses the kernel exp(-gamma * squared distance) with
gamma = 1 / (dimensions * variance); `scaled` folds gamma into the vectors, so that gamma is 1 here.
"""

from __future__ import annotations

import heapq

import numpy as np

MAX_PAIRWISE_ROWS = 4000
"""Maximum number of rows in a pairwise comparison: float32 [4000, 4000] is 64 MB."""


def scaled(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, dimensions], centred, and scaled so that squared distances include the scorer's gamma."""
    wide = np.asarray(vectors, np.float32)
    variance = float(wide.var(dtype=np.float64))
    factor = 1 / np.sqrt(wide.shape[1] * variance) if variance > 0 else 1.0
    return np.asarray((wide - wide.mean(axis=0)) * np.float32(factor))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[rows of a, rows of b], never negative."""
    table = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.asarray(np.maximum(table, 0, out=table))


def subsample(rows: np.ndarray, rng: np.random.Generator, most: int = MAX_PAIRWISE_ROWS) -> np.ndarray:
    """The row numbers, int [n], or `most` of them drawn at random, in their order."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def facility_location(vectors: np.ndarray, count: int, row_weights: np.ndarray | None = None) -> np.ndarray:
    """Facility location by lazy greedy maximization: int [count], row numbers in the order of selection.

    The objective is the sum over all rows of the kernel similarity to the most similar selected row. vectors: float
    [n, d], scaled; row_weights: float [n], default 1. Lazy evaluation (Minoux 1978): gains never grow, so most are not
    computed again.
    """
    similar = np.exp(-squared_distances(vectors, vectors))
    weights = np.ones(len(vectors), np.float32) if row_weights is None else np.asarray(row_weights, np.float32)
    covered = np.zeros(len(vectors), np.float32)
    heap = [(-float(gain), place) for place, gain in enumerate(similar @ weights)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        _, place = heapq.heappop(heap)
        gain = float(weights @ np.maximum(similar[place] - covered, 0))
        if heap and (-gain, place) > heap[0]:
            heapq.heappush(heap, (-gain, place))
            continue
        chosen.append(place)
        covered = np.maximum(covered, similar[place])
    return np.array(chosen, int)


def k_center(vectors: np.ndarray, count: int, first: int) -> np.ndarray:
    """Greedy k-center (Gonzalez 1985): always the row farthest from those selected. int [count]; vectors: [n, d]."""
    chosen = [first]
    nearest = squared_distances(vectors, vectors[[first]])[:, 0]
    while len(chosen) < count:
        nearest[chosen[-1]] = -1.0
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, squared_distances(vectors, vectors[[chosen[-1]]])[:, 0])
    return np.array(chosen[:count], int)


def kernel_herding(vectors: np.ndarray, count: int) -> np.ndarray:
    """Kernel herding (Chen, Welling, Smola 2010): rows whose kernel mean approximates the mean of all rows.

    int [count], in the order of selection; vectors: [n, d], scaled.
    """
    similar = np.exp(-squared_distances(vectors, vectors))
    mean_similarity = similar.mean(axis=1)
    total = np.zeros(len(vectors), similar.dtype)
    chosen: list[int] = []
    while len(chosen) < count:
        score = mean_similarity - total / (len(chosen) + 1)
        score[chosen] = -np.inf
        chosen.append(int(np.argmax(score)))
        total = total + similar[chosen[-1]]
    return np.array(chosen, int)
