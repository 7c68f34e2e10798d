"""Label errors by confident learning (Northcutt, Jiang, Chuang, JAIR 2021, arXiv 1911.00068).

From out-of-fold probabilities: a class's threshold is the mean probability of that class among the clips with its
label, so that classes that are hard for the probe have lower thresholds. A clip's confident class is the most probable
one among those above their thresholds; where that is not its label, and more probable than it, the label is likely
wrong. The ranking is by the probability of the label itself, lowest first, which also orders unflagged clips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

WRONG_LABEL = "wrong label"


@dataclass(frozen=True)
class LabelIssues:
    """score: float64 [n], confidence in an error; flagged: bool [n]; suggested: int64 [n], a likelier class.

    joint: int64 [classes, classes], clips by label (row) and confident class (column).
    """

    score: np.ndarray
    flagged: np.ndarray
    suggested: np.ndarray
    joint: np.ndarray

    @property
    def noise(self) -> float:
        """Share of clips whose confident class is another label; too high, as it includes the probe's errors."""
        counted = int(self.joint.sum())
        return float(1 - np.trace(self.joint) / counted) if counted else 0.0


def find_issues(probabilities: np.ndarray, labels: np.ndarray) -> LabelIssues:
    """Likely label errors. probabilities: float [n, classes], rows of NaN where there are none; labels: int [n]."""
    known = ~np.isnan(probabilities).any(axis=1)
    given = np.where(known, probabilities[np.arange(len(labels)), labels], 1.0)
    confident_class = _confident_class(np.where(known[:, None], probabilities, 0.0), labels, known)
    joint = np.zeros((probabilities.shape[1],) * 2, np.int64)
    confident = known & (confident_class >= 0)
    np.add.at(joint, (labels[confident], confident_class[confident]), 1)
    others = np.where(known[:, None], probabilities, 0.0)
    others[np.arange(len(labels)), labels] = -1.0
    flagged = confident & (confident_class != labels) & (others.max(axis=1) > given)
    return LabelIssues(1.0 - given, flagged, others.argmax(axis=1), joint)


TYPICAL_NOISE = 0.034
"""Share of wrong labels in ten well-known test sets, on average (Northcutt et al., arXiv 2103.14749)."""


def weighed(issues: LabelIssues, classes: int) -> LabelIssues:
    """The same issues, each score the probability that the label is wrong where labels are wrong as often as usual.

    By Bayes' rule: a probe that learned from few clips contradicts many right labels, so a contradiction proves little.
    The order of the clips stays.
    """
    wrong = TYPICAL_NOISE / max(1, classes - 1) * issues.score
    right = (1 - TYPICAL_NOISE) * (1 - issues.score)
    return replace(issues, score=wrong / np.maximum(wrong + right, np.finfo(np.float64).tiny))


def _confident_class(probabilities: np.ndarray, labels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """int64 [n]: the most probable class above its threshold, -1 where none is."""
    classes = probabilities.shape[1]
    members = [probabilities[known & (labels == label), label] for label in range(classes)]
    thresholds = np.array([part.mean() if len(part) else np.inf for part in members])
    above = np.where(probabilities >= thresholds, probabilities, -1.0)
    return np.where(above.max(axis=1) >= 0, above.argmax(axis=1), -1)
