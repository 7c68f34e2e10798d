"""Wrong labels by confident learning (Northcutt, Jiang, Chuang, JAIR 2021, arXiv 1911.00068).

From probabilities that were made without a clip's own label: a class's threshold is the mean probability of that
class among the clips which carry its label, so that a class which the probe finds hard asks for less. A clip counts
for the most probable class among those above their thresholds; where that is not its label, and more probable than
it, the label is likely wrong.
The ranking is by the probability of the label itself, the lowest first, which orders the unflagged ones too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WRONG_LABEL = "wrong label"


@dataclass(frozen=True)
class Judged:
    """score: float64 [n], how sure the label is wrong; flagged: bool [n]; suggested: int64 [n], the likelier class.

    joint: int64 [classes, classes], clips by label (row) and by what they count for (column).
    """

    score: np.ndarray
    flagged: np.ndarray
    suggested: np.ndarray
    joint: np.ndarray

    @property
    def noise(self) -> float:
        """The share of clips that count for another label; the probe's own errors are in it, so it is too high."""
        counted = int(self.joint.sum())
        return float(1 - np.trace(self.joint) / counted) if counted else 0.0


def judge(probabilities: np.ndarray, labels: np.ndarray) -> Judged:
    """probabilities: float [n, classes], rows of NaN where a clip could not be judged; labels: int [n]."""
    known = ~np.isnan(probabilities).any(axis=1)
    given = np.where(known, probabilities[np.arange(len(labels)), labels], 1.0)
    counts_for = _counted(np.where(known[:, None], probabilities, 0.0), labels, known)
    joint = np.zeros((probabilities.shape[1],) * 2, np.int64)
    confident = known & (counts_for >= 0)
    np.add.at(joint, (labels[confident], counts_for[confident]), 1)
    others = np.where(known[:, None], probabilities, 0.0)
    others[np.arange(len(labels)), labels] = -1.0
    flagged = confident & (counts_for != labels) & (others.max(axis=1) > given)
    return Judged(1.0 - given, flagged, others.argmax(axis=1), joint)


def _counted(probabilities: np.ndarray, labels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """int64 [n]: the most probable class above its threshold, -1 where none is."""
    classes = probabilities.shape[1]
    members = [probabilities[known & (labels == label), label] for label in range(classes)]
    thresholds = np.array([part.mean() if len(part) else np.inf for part in members])
    above = np.where(probabilities >= thresholds, probabilities, -1.0)
    return np.where(above.max(axis=1) >= 0, above.argmax(axis=1), -1)
