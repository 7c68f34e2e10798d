"""A classifier that takes the scorer's part while a selection is searched: microseconds a try instead of a second.

The official scorer lets a support vector machine with an exponential kernel and logistic regression vote. In their
place a kernel ridge regression learns the selection, with the sum of the exponential kernel and a linear one, and is
judged on other clips of the pool by macro F1 in which each clip counts by its probabilities, so that small steps show.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select.geometry import squared_distances
from edgekws.curate.select.probe import softmax

RIDGE, LINEAR, TEMPERATURE = 0.1, 0.7, 0.1


class Proxy:
    """A selection is an array of places in `candidates`; `labels` has the class of each.

    vectors: float32 [n, dimensions], scaled (see _geometry); truth: int [n], 0..classes-1; candidates: rows that may
    be chosen; judges: rows that judge; weights: [judges], how much each counts. A clip never judges itself.
    """

    def __init__(
        self, vectors: np.ndarray, truth: np.ndarray, candidates: np.ndarray, judges: np.ndarray, weights: np.ndarray
    ) -> None:
        self.classes = int(truth.max()) + 1
        self.candidates, self.labels = candidates, truth[candidates]
        chosen, judging = vectors[candidates], vectors[judges]
        self._columns = _kernel(chosen, judging)  # [candidates, judges]
        self._between = _kernel(chosen, chosen) + np.float32(RIDGE) * np.eye(len(chosen), dtype=np.float32)
        self._one_hot = np.eye(self.classes, dtype=np.float32)
        self._truth = self._one_hot[truth[judges]]
        self._weights = weights.astype(np.float32)
        self._own = np.searchsorted(judges, candidates)  # where a candidate is among the (sorted) judges
        self._own[~np.isin(candidates, judges)] = -1

    def score(self, places: np.ndarray) -> float:
        """How well the other clips are predicted after learning these; 0 to 1."""
        wanted = self._one_hot[self.labels[places]]
        mean = wanted.mean(axis=0)
        inner = self._between[np.ix_(places, places)]
        guess = self._columns[places].T @ np.linalg.solve(inner, wanted - mean) + mean
        return self._judged(guess, self._weights_without(places))

    def with_replaced(self, places: np.ndarray, at: int, tries: np.ndarray) -> np.ndarray:
        """The score with each of `tries` in the place of `places[at]`: float [tries].

        The regression on what stays is solved once; one clip more is a step along one vector (block inverse).
        """
        stay = np.delete(places, at)
        inverse = np.linalg.inv(self._between[np.ix_(stay, stay)])
        spread = self._columns[stay].T @ inverse  # [judges, stay]
        cross = self._between[np.ix_(stay, tries)]
        step = self._columns[tries].T - spread @ cross  # [judges, tries]
        through = inverse @ cross
        pivot = self._between[tries, tries] - (cross * through).sum(axis=0)
        wanted, weights = self._one_hot[self.labels[stay]], self._weights_without(stay)
        kept, ones = spread @ wanted, spread.sum(axis=1, keepdims=True)
        found = np.empty(len(tries))
        for number, place in enumerate(tries):
            new = self._one_hot[self.labels[place]]
            mean = (wanted.sum(axis=0) + new) / len(places)
            rest = new - mean - through[:, number] @ (wanted - mean)
            guess = kept - ones * mean + np.outer(step[:, number], rest / pivot[number]) + mean
            own = self._own[place]
            found[number] = self._judged(guess, weights, own)
        return found

    def _weights_without(self, places: np.ndarray) -> np.ndarray:
        weights = self._weights.copy()
        own = self._own[places]
        weights[own[own >= 0]] = 0
        return weights

    def _judged(self, guess: np.ndarray, weights: np.ndarray, besides: int = -1) -> float:
        sure = softmax(guess / np.float32(TEMPERATURE))
        hits, both = weights @ (sure * self._truth), weights @ (sure + self._truth)
        if besides >= 0:
            hits -= weights[besides] * sure[besides] * self._truth[besides]
            both -= weights[besides] * (sure[besides] + self._truth[besides])
        return float(np.mean(2 * hits / np.maximum(both, 1e-9)))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-squared_distances(a, b)) + np.float32(LINEAR) * (a @ b.T))
