"""A proxy for the scorer during the search for a selection: microseconds per evaluation instead of a second.

The official scorer is a soft vote of an RBF support vector machine and logistic regression. The proxy is a kernel ridge
regression with the sum of the RBF kernel and a linear one. It is trained on the selection and validated on other clips
of the pool by a soft macro F1, computed from probabilities, so that small improvements show.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select.geometry import squared_distances
from edgekws.curate.select.probe import softmax

RIDGE, LINEAR, TEMPERATURE = 0.1, 0.7, 0.1


class Proxy:
    """A selection is an array of indices into `candidates`; `labels` has the class of each candidate.

    vectors: float32 [n, dimensions], scaled (see geometry.py); truth: int [n], 0..classes-1; candidates: int [c], rows
    that may be selected; validation: int [v], sorted rows that the proxy is validated on; weights: float [v]. A
    selected clip never counts in its own validation.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        truth: np.ndarray,
        candidates: np.ndarray,
        validation: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        self.classes = int(truth.max()) + 1
        self.candidates, self.labels = candidates, truth[candidates]
        chosen, validating = vectors[candidates], vectors[validation]
        self._columns = _kernel(chosen, validating)  # [candidates, validation]
        self._between = _kernel(chosen, chosen) + np.float32(RIDGE) * np.eye(len(chosen), dtype=np.float32)
        self._one_hot = np.eye(self.classes, dtype=np.float32)
        self._truth = self._one_hot[truth[validation]]
        self._weights = weights.astype(np.float32)
        self._own = np.searchsorted(validation, candidates)  # index of each candidate in validation, -1 if absent
        self._own[~np.isin(candidates, validation)] = -1

    def score(self, places: np.ndarray) -> float:
        """Soft macro F1, 0..1, on the validation clips after training on these candidates. places: int [k]."""
        one_hot = self._one_hot[self.labels[places]]
        mean = one_hot.mean(axis=0)
        inner = self._between[np.ix_(places, places)]
        predicted = self._columns[places].T @ np.linalg.solve(inner, one_hot - mean) + mean
        return self._soft_macro_f1(predicted, self._weights_without(places))

    def with_replaced(self, places: np.ndarray, at: int, tries: np.ndarray) -> np.ndarray:
        """The score with `places[at]` replaced by each of `tries`: float [tries].

        The regression on the other clips is solved once; adding one clip is a rank-one update (block inverse).
        """
        stay = np.delete(places, at)
        inverse = np.linalg.inv(self._between[np.ix_(stay, stay)])
        spread = self._columns[stay].T @ inverse  # [validation, stay]
        cross = self._between[np.ix_(stay, tries)]
        step = self._columns[tries].T - spread @ cross  # [validation, tries]
        through = inverse @ cross
        pivot = self._between[tries, tries] - (cross * through).sum(axis=0)
        one_hot, weights = self._one_hot[self.labels[stay]], self._weights_without(stay)
        kept, ones = spread @ one_hot, spread.sum(axis=1, keepdims=True)
        scores = np.empty(len(tries))
        for number, place in enumerate(tries):
            new = self._one_hot[self.labels[place]]
            mean = (one_hot.sum(axis=0) + new) / len(places)
            rest = new - mean - through[:, number] @ (one_hot - mean)
            predicted = kept - ones * mean + np.outer(step[:, number], rest / pivot[number]) + mean
            own = self._own[place]
            scores[number] = self._soft_macro_f1(predicted, weights, own)
        return scores

    def _weights_without(self, places: np.ndarray) -> np.ndarray:
        weights = self._weights.copy()
        own = self._own[places]
        weights[own[own >= 0]] = 0
        return weights

    def _soft_macro_f1(self, predicted: np.ndarray, weights: np.ndarray, excluded: int = -1) -> float:
        soft = softmax(predicted / np.float32(TEMPERATURE))
        hits, both = weights @ (soft * self._truth), weights @ (soft + self._truth)
        if excluded >= 0:
            hits -= weights[excluded] * soft[excluded] * self._truth[excluded]
            both -= weights[excluded] * (soft[excluded] + self._truth[excluded])
        return float(np.mean(2 * hits / np.maximum(both, 1e-9)))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-squared_distances(a, b)) + np.float32(LINEAR) * (a @ b.T))
