"""Confident learning: likely label errors from out-of-sample probabilities.

Source: Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021. A clip is a
confident member of class j when its probability of j reaches the mean probability of j among the clips labelled j. The
confident joint (labels against confident classes) estimates how many labels of each kind are wrong; that many clips,
those with the worst margin, are flagged.
"""

from __future__ import annotations

import numpy as np


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """int [classes, classes]: clips labelled i that are confidently j; a class without clips has a row of zeros.

    labels: int [n]; probabilities: float [n, classes], out of sample.
    """
    confident = np.where(probabilities >= _thresholds(labels, probabilities) - 1e-6, probabilities, -1.0)
    best, any_class = confident.argmax(axis=1), confident.max(axis=1) >= 0
    table = np.zeros((probabilities.shape[1],) * 2, int)
    np.add.at(table, (labels[any_class], best[any_class]), 1)
    return table


def _thresholds(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    means = [
        probabilities[labels == j, j].mean() if np.any(labels == j) else np.inf for j in range(probabilities.shape[1])
    ]
    return np.array(means)


def calibrated_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The confident joint scaled to the data: float [classes, classes]; each row sums to the clips with its label.

    labels: int [n]; probabilities: float [n, classes].
    """
    table = confident_joint(labels, probabilities).astype(float)
    np.fill_diagonal(table, np.maximum(np.diag(table), 1))
    counts = np.bincount(labels, minlength=len(table))
    return np.asarray(table * (counts / table.sum(axis=1))[:, None])


def round_rows(table: np.ndarray) -> np.ndarray:
    """int, the shape of `table`: rounded such that rows keep their integer sums (largest-remainder method)."""
    rounded = np.round(table).astype(int)
    for exact, row in zip(table, rounded, strict=True):
        off = round(float(exact.sum())) - int(row.sum())
        order = np.argsort((row - exact) * (1 if off > 0 else -1), kind="stable")
        row[order[: abs(off)]] += np.sign(off)
    return rounded


def label_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """bool [n]: likely label errors, by the rule "prune by noise rate": for each pair of classes the worst margins.

    A clip whose predicted class is its label is never flagged. labels: int [n]; probabilities: float [n, classes].
    """
    wrong = np.zeros(len(labels), bool)
    counts = round_rows(calibrated_joint(labels, probabilities))
    for label in range(len(counts)):
        rows = np.flatnonzero(labels == label)
        for other in np.flatnonzero(counts[label]):
            if other != label:
                margin = probabilities[rows, other] - probabilities[rows, label]
                wrong[rows[np.argsort(-margin, kind="stable")[: counts[label, other]]]] = True
    flagged: np.ndarray = wrong & (probabilities.argmax(axis=1) != labels)
    return flagged
