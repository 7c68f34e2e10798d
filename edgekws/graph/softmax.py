"""Probabilities from int8 scores with integers only, so that a board prints what the host computes.

The table holds round(65535 * exp(-scale * d)) for d = 0..255 steps below the highest score; the
probability in thousandths is table[max - score] * 1000 // sum, truncated as MLPerf Tiny prints it.
"""

from __future__ import annotations

import numpy as np

TABLE_ONE = 65_535


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
