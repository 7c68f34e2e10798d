"""Probabilities from int8 scores with integers only, so that a board prints what the host computes.

The table holds round(65535 * exp(-scale * d)) for d = 0..255 steps below the highest score; the
probability in thousandths is table[max - score] * 1000 // sum, truncated as MLPerf Tiny prints it. Models that end in a
softmax give the probabilities themselves, in steps of 1/256 from -128. Graph.permille and Graph.probabilities choose.
"""

from __future__ import annotations

import numpy as np

TABLE_ONE = 65_535
PROBABILITY_ZERO, PROBABILITY_STEPS = -128, 256
"""The score of probability 0, and how many steps above it probability 1 is."""


def exp_table(score_scale: float) -> np.ndarray:
    """uint16 [256]. score_scale: real value of one step of the scores (Graph.score_scale)."""
    steps = np.arange(256, dtype=np.float64)
    return np.round(TABLE_ONE * np.exp(-score_scale * steps)).astype(np.uint16)


def permille(scores: np.ndarray, score_scale: float) -> np.ndarray:
    """scores int8 [n, labels] -> probabilities in thousandths, int [n, labels], truncated."""
    wide = scores.astype(np.int64)
    terms = exp_table(score_scale).astype(np.int64)[wide.max(axis=1, keepdims=True) - wide]
    thousandths: np.ndarray = terms * 1000 // terms.sum(axis=1, keepdims=True)
    return thousandths


def permille_of_probabilities(scores: np.ndarray) -> np.ndarray:
    """The same for scores that are probabilities already. They need not add up to one."""
    return np.asarray((scores.astype(np.int64) - PROBABILITY_ZERO) * 1000 // PROBABILITY_STEPS)


def normalized(scores: np.ndarray) -> np.ndarray:
    """Scores that are probabilities -> float64 [n, labels] that add up to one; equal ones if all are 0."""
    steps = scores.astype(np.float64) - PROBABILITY_ZERO
    steps[~steps.any(axis=1)] = 1
    return np.asarray(steps / steps.sum(axis=1, keepdims=True))
