"""Confident learning: which labels are likely wrong, from out-of-sample probabilities.

A clip is a confident member of class j when its probability of j reaches the mean that the clips labelled j have of
it. The table of labels against confident classes estimates how many labels of each kind are wrong; as many clips,
those with the worst margin, are named.
"""

from __future__ import annotations

import numpy as np


def confident_joint(labels: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """int [classes, classes]: clips labelled i that are confidently j. labels: int [n]; guess: [n, classes].

    Raises nothing; a class without clips has a row of zeros.
    """
    confident = np.where(guess >= _thresholds(labels, guess) - 1e-6, guess, -1.0)
    best, any_class = confident.argmax(axis=1), confident.max(axis=1) >= 0
    table = np.zeros((guess.shape[1],) * 2, int)
    np.add.at(table, (labels[any_class], best[any_class]), 1)
    return table


def _thresholds(labels: np.ndarray, guess: np.ndarray) -> np.ndarray:
    means = [guess[labels == j, j].mean() if np.any(labels == j) else np.inf for j in range(guess.shape[1])]
    return np.array(means)


def calibrated_joint(labels: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """float [classes, classes], sums to the number of clips; each row to the clips that carry its label."""
    table = confident_joint(labels, guess).astype(float)
    np.fill_diagonal(table, np.maximum(np.diag(table), 1))
    counts = np.bincount(labels, minlength=len(table))
    return np.asarray(table * (counts / table.sum(axis=1))[:, None])


def whole(table: np.ndarray) -> np.ndarray:
    """int, nearest to `table`, whose rows keep their (whole) sums: the largest remainders are evened out first."""
    found = np.round(table).astype(int)
    for exact, row in zip(table, found, strict=True):
        off = round(float(exact.sum())) - int(row.sum())
        order = np.argsort((row - exact) * (1 if off > 0 else -1), kind="stable")
        row[order[: abs(off)]] += np.sign(off)
    return found


def label_errors(labels: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """bool [n]: likely wrong. Prunes by noise rate: for each pair of classes the worst margins first.

    A clip that its probe itself puts into the class of its label is never named.
    """
    wrong = np.zeros(len(labels), bool)
    counts = whole(calibrated_joint(labels, guess))
    for label in range(len(counts)):
        rows = np.flatnonzero(labels == label)
        for other in np.flatnonzero(counts[label]):
            if other != label:
                margin = guess[rows, other] - guess[rows, label]
                wrong[rows[np.argsort(-margin, kind="stable")[: counts[label, other]]]] = True
    named: np.ndarray = wrong & (guess.argmax(axis=1) != labels)
    return named
