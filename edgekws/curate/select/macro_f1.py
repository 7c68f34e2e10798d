"""Macro F1 of predicted labels."""

from __future__ import annotations

import numpy as np


def macro_f1(truth: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean F1 of the classes; one that neither occurs nor is predicted counts as 0. truth, predicted: int [n]."""
    hits = np.bincount(truth[truth == predicted], minlength=classes)
    both = np.bincount(truth, minlength=classes) + np.bincount(predicted, minlength=classes)
    return float(np.mean(2 * hits / np.maximum(both, 1)))
