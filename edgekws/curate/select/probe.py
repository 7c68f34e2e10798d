"""Cheap linear probes: multinomial logistic regression on standardized vectors, and what it says out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRENGTH = 0.01
"""Weight of the squared coefficients against the mean loss."""


@dataclass(frozen=True)
class Probe:
    """weights: float [dimensions + 1, classes], the last row is the bias; of standardized vectors."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Probabilities [n, classes]."""
        return softmax((vectors - self.mean) / self.spread @ self.weights[:-1] + self.weights[-1])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Of each row: [n, classes] -> [n, classes], in the type given."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit(vectors: np.ndarray, labels: np.ndarray, classes: int, iterations: int = 60) -> Probe:
    """labels: int [n], 0..classes-1. Starts at zero and stops early, which is a regularization too."""
    from scipy.optimize import minimize

    x = np.asarray(vectors, np.float32)
    mean, spread = x.mean(axis=0), x.std(axis=0) + np.float32(1e-6)
    x = (x - mean) / spread
    wanted = np.eye(classes, dtype=np.float32)[labels]
    shape = (x.shape[1] + 1, classes)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        scores = x @ weights[:-1].astype(np.float32) + weights[-1].astype(np.float32)
        guess = softmax(scores)
        picked = np.maximum(guess[np.arange(len(x)), labels], 1e-30)
        error = (guess - wanted) / len(x)
        slope = np.vstack([x.T @ error, error.sum(axis=0)]).astype(np.float64)
        slope[:-1] += 2 * STRENGTH * weights[:-1]
        return float(-np.log(picked).mean() + STRENGTH * (weights[:-1] ** 2).sum()), slope.ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return Probe(mean, spread, found.x.reshape(shape).astype(np.float32))


def folds(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """int [n]: a fold for each row, every class spread evenly."""
    fold = np.empty(len(labels), int)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        fold[rows] = (np.arange(len(rows)) + rng.integers(count)) % count
    return fold


def out_of_fold(vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator, count: int = 5) -> np.ndarray:
    """Probabilities [n, classes] of each row by a probe that did not see it. labels: int, 0..classes-1."""
    classes = int(labels.max()) + 1
    fold = folds(labels, count, rng)
    guess = np.full((len(labels), classes), 1 / classes, np.float32)
    for held in np.unique(fold):
        seen = fold != held
        if not seen.any():  # two clips in one fold: nothing is known of either
            break
        guess[~seen] = fit(vectors[seen], labels[seen], classes)(np.asarray(vectors[~seen], np.float32))
    return guess


def self_confidence(vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float [n]: the probability that an out-of-fold probe gives to a row's own label."""
    own: np.ndarray = out_of_fold(vectors, labels, rng)[np.arange(len(labels)), labels]
    return own
