"""Distances as the scorer sees them, and the greedy choices built on them. NumPy only.

The support vector machine that scores a selection looks at clips through exp(-gamma * squared distance) with
gamma = 1 / (dimensions * variance); `scaled` folds gamma into the vectors, so that here 1 is that kernel's length.
"""

from __future__ import annotations

import heapq

import numpy as np

LARGEST = 4000
"""Rows that are compared with each other at most: float32 [4000, 4000] is 64 MB."""


def scaled(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, dimensions], centred; squared distances times the scorer's gamma."""
    wide = np.asarray(vectors, np.float32)
    variance = float(wide.var(dtype=np.float64))
    factor = 1 / np.sqrt(wide.shape[1] * variance) if variance > 0 else 1.0
    return np.asarray((wide - wide.mean(axis=0)) * np.float32(factor))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[rows of a, rows of b], never negative."""
    table = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.asarray(np.maximum(table, 0, out=table))


def thinned(rows: np.ndarray, rng: np.random.Generator, most: int = LARGEST) -> np.ndarray:
    """The row numbers, int [n], or `most` of them by chance, in their order."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def facility(vectors: np.ndarray, count: int, gains: np.ndarray | None = None) -> np.ndarray:
    """Facility location by lazy greedy: `count` places whose kernel similarity to all rows is largest in sum.

    Each row counts with the most similar place chosen so far. gains: [n] weights of the rows, 1 each by default.
    Minoux 1978: a gain only shrinks, so most need not be computed again.
    """
    similar = np.exp(-squared_distances(vectors, vectors))
    weights = np.ones(len(vectors), np.float32) if gains is None else np.asarray(gains, np.float32)
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


def farthest(vectors: np.ndarray, count: int, first: int) -> np.ndarray:
    """Greedy k-center (Gonzalez 1985): always the row farthest from those chosen. int [count]; vectors: [n, d]."""
    chosen = [first]
    nearest = squared_distances(vectors, vectors[[first]])[:, 0]
    while len(chosen) < count:
        nearest[chosen[-1]] = -1.0
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, squared_distances(vectors, vectors[[chosen[-1]]])[:, 0])
    return np.array(chosen[:count], int)


def herded(vectors: np.ndarray, count: int) -> np.ndarray:
    """Kernel herding (Chen, Welling, Smola 2010): rows whose mean comes nearest to the mean of all.

    int [count], in the order of choice; vectors: [n, d], scaled.
    """
    similar = np.exp(-squared_distances(vectors, vectors))
    wanted = similar.mean(axis=1)
    total = np.zeros(len(vectors), similar.dtype)
    chosen: list[int] = []
    while len(chosen) < count:
        score = wanted - total / (len(chosen) + 1)
        score[chosen] = -np.inf
        chosen.append(int(np.argmax(score)))
        total = total + similar[chosen[-1]]
    return np.array(chosen, int)
