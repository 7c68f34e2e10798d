"""Linear probes: multinomial logistic regression on standardized vectors, and its out-of-fold probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

L2_WEIGHT = 0.01
"""Weight of the L2 penalty relative to the mean loss."""


@dataclass(frozen=True)
class Probe:
    """mean, spread: float32 [dimensions]; weights: float32 [dimensions + 1, classes], the last row is the bias."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Probabilities [n, classes]."""
        return softmax((vectors - self.mean) / self.spread @ self.weights[:-1] + self.weights[-1])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Row-wise: float [n, classes] -> [n, classes], same dtype."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit(vectors: np.ndarray, labels: np.ndarray, classes: int, iterations: int = 60) -> Probe:
    """vectors: float [n, dimensions]; labels: int [n], 0..classes-1. L-BFGS from zero, with early stopping."""
    from scipy.optimize import minimize

    x = np.asarray(vectors, np.float32)
    mean, spread = x.mean(axis=0), x.std(axis=0) + np.float32(1e-6)
    x = (x - mean) / spread
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    shape = (x.shape[1] + 1, classes)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        scores = x @ weights[:-1].astype(np.float32) + weights[-1].astype(np.float32)
        probabilities = softmax(scores)
        own = np.maximum(probabilities[np.arange(len(x)), labels], 1e-30)
        residual = (probabilities - one_hot) / len(x)
        gradient = np.vstack([x.T @ residual, residual.sum(axis=0)]).astype(np.float64)
        gradient[:-1] += 2 * L2_WEIGHT * weights[:-1]
        return float(-np.log(own).mean() + L2_WEIGHT * (weights[:-1] ** 2).sum()), gradient.ravel()

    result = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return Probe(mean, spread, result.x.reshape(shape).astype(np.float32))


def folds(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """int [n]: stratified folds, 0..count-1. labels: int [n]."""
    fold = np.empty(len(labels), int)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        fold[rows] = (np.arange(len(rows)) + rng.integers(count)) % count
    return fold


def out_of_fold(vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator, count: int = 5) -> np.ndarray:
    """float32 [n, classes]: probabilities of each row by a probe that was not trained on it. labels: int [n]."""
    classes = int(labels.max()) + 1
    fold = folds(labels, count, rng)
    probabilities = np.full((len(labels), classes), 1 / classes, np.float32)
    for test_fold in np.unique(fold):
        train = fold != test_fold
        if not train.any():  # all clips are in one fold: uniform probabilities remain
            break
        probabilities[~train] = fit(vectors[train], labels[train], classes)(np.asarray(vectors[~train], np.float32))
    return probabilities


def self_confidence(vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 [n]: the out-of-fold probability of each row's own label."""
    own: np.ndarray = out_of_fold(vectors, labels, rng)[np.arange(len(labels)), labels]
    return own
