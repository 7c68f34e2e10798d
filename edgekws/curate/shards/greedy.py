"""Facility location among some thousand clips: exact lazy greedy (Minoux 1978), ties to the first clip.

The objective is the weighted sum over all clips of the similarity to the nearest selected clip. Gains never grow, so an
old gain is an upper bound: only clips whose old gain reaches the best new one are evaluated again. Similarities are on
a grid and weights are integers, so every sum is an integer below 2**53 and exact in float64 in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.shards.arithmetic import GRID, grid_norms, similarities

_BATCH = 256

FINAL_CLIPS = 8192
"""So many clips at least go into one greedy choice at once."""
SPARE = 8
"""Winners of all blocks together, for each clip that is chosen at the end; fewer lose value, see the tests."""


def candidates(size: int) -> int:
    """Most clips that the last greedy chooses from: twice what the stages leave, so that no stage is for a few."""
    return max(FINAL_CLIPS, 2 * SPARE * size)


@dataclass(frozen=True)
class Summary:
    """picks: indices in the order of selection; weights: total weight of the clips nearest to each pick. int64 [k]."""

    picks: np.ndarray
    weights: np.ndarray


def summarize(rows: np.ndarray, weights: np.ndarray, count: int, stored: bool) -> Summary:
    """rows: integers as float32 [n, d]; weights: int64 [n]. stored: keep all n x n similarities as int16.

    With count >= n every clip is its own summary.
    """
    if count >= len(rows):
        return Summary(np.arange(len(rows)), weights.astype(np.int64))
    similar = _Similar(rows, stored)
    exact = weights.astype(np.float64)
    best = np.full(len(rows), -GRID, np.int16)
    owner = np.zeros(len(rows), np.int64)
    bounds = np.full(len(rows), np.inf)
    picks: list[int] = []
    for number in range(count):
        pick = _best(similar, best, exact, bounds)
        bounds[pick] = -np.inf
        picks.append(pick)
        row = similar.rows(np.array([pick]))[0]
        nearer = row > best if number else np.ones(len(rows), bool)
        owner[nearer] = number
        np.maximum(best, row, out=best)
    owned = np.bincount(owner, weights=exact, minlength=count)
    return Summary(np.array(picks, np.int64), owned.astype(np.int64))


def _best(similar: _Similar, best: np.ndarray, weights: np.ndarray, bounds: np.ndarray) -> int:
    """The first clip with the largest gain; updates the bounds that it evaluates."""
    now = float(best.astype(np.float64) @ weights)
    stale = bounds > -np.inf
    leader, size = -np.inf, 8
    while True:
        left = np.flatnonzero(stale & (bounds >= leader))
        if not len(left):
            return int(np.argmax(bounds))
        if len(left) > size:
            left = left[np.argpartition(-bounds[left], size - 1)[:size]]
        reached = np.maximum(similar.rows(left), best)
        bounds[left] = reached.astype(np.float64) @ weights - now
        stale[left] = False
        leader, size = max(leader, float(bounds[left].max())), min(2 * size, _BATCH)


class _Similar:
    """Similarities of candidates to all clips, on the grid: stored, or computed on demand."""

    def __init__(self, rows: np.ndarray, stored: bool) -> None:
        self._rows, self._norms = rows, grid_norms(rows)
        self._stored: np.ndarray | None = None
        if stored:
            self._stored = np.empty((len(rows), len(rows)), np.int16)
            for start in range(0, len(rows), _BATCH):
                block = self._computed(slice(start, start + _BATCH), start)
                self._stored[start : start + _BATCH, start:] = block
                self._stored[start:, start : start + _BATCH] = block.T

    def rows(self, candidates: np.ndarray) -> np.ndarray:
        """int16 [candidates, clips]"""
        return self._computed(candidates) if self._stored is None else self._stored[candidates]

    def _computed(self, candidates: np.ndarray | slice, first: int = 0) -> np.ndarray:
        rows, norms = self._rows, self._norms
        return similarities(rows[candidates], rows[first:], norms[candidates], norms[first:])
