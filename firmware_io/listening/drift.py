"""Whether a board in the field still hears what its thresholds were chosen for, from its histograms alone.

A board counts how often each keyword had which posterior; detect-eval has counted the same on the background of the
validation. The distance is the population stability index (PSI; Siddiqi, Credit Risk Scorecards, 2006), whose usual
limits are 0.1 and 0.25. Keywords that were said raise it too, so it is for days of a place, not for minutes of tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.errors import ArtifactError

SOME, MUCH = 0.1, 0.25
"""Limits of the PSI."""
FEWEST_STEPS = 1000
"""Below this, a distance says little."""
_HALF = 0.5
"""Added to each count, so that an empty bin has no infinite weight."""


@dataclass(frozen=True)
class Drift:
    """Of one keyword. steps: in the field; psi: distance to the validation; often: share of steps in the upper half of
    the posteriors, in the field and in validation.
    """

    keyword: str
    steps: int
    psi: float
    often: tuple[float, float]

    @property
    def verdict(self) -> str:
        if self.steps < FEWEST_STEPS:
            return "too few steps"
        return "no drift" if self.psi < SOME else "some drift" if self.psi < MUCH else "DRIFT"


def compared(keywords: Sequence[str], field: np.ndarray, validation: np.ndarray) -> list[Drift]:
    """field, validation: int [keywords, bins]. Raises ArtifactError for histograms of different shapes."""
    if field.shape != validation.shape or len(field) != len(keywords):
        raise ArtifactError(
            f"a histogram should have a row for each of {len(keywords)} keywords, as that of the validation",
            got=f"{list(field.shape)} on the board, {list(validation.shape)} of the validation",
        )
    return [
        Drift(keyword, int(counts.sum()), psi(counts, reference), (_upper(counts), _upper(reference)))
        for keyword, counts, reference in zip(keywords, field, validation, strict=True)
    ]


def psi(counts: np.ndarray, reference: np.ndarray) -> float:
    """Population stability index of two histograms, int [bins]; bins that are empty in both do not count."""
    used = (counts + reference) > 0
    if not used.any():
        return 0.0
    p, q = ((each[used] + _HALF) / (each[used] + _HALF).sum() for each in (counts, reference))
    return float(((p - q) * np.log(p / q)).sum())


def _upper(counts: np.ndarray) -> float:
    return float(counts[len(counts) // 2 :].sum() / max(counts.sum(), 1))
