"""Histograms of the field against those of the validation."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from firmware_io.listening import drift

QUIET = np.array([9000, 600, 200, 100, 50, 30, 15, 5])


def test_the_same_distribution_is_no_drift() -> None:
    sample = np.random.default_rng(0).multinomial(20_000, QUIET / QUIET.sum())
    row = drift.compared(["yes"], sample[None], QUIET[None])[0]
    assert row.psi < 0.01 and row.verdict == "no drift" and row.steps == 20_000


@pytest.mark.parametrize(("shares", "verdict"), [([0.8, 0.14], "some drift"), ([0.5, 0.3], "DRIFT")])
def test_a_shift_to_higher_posteriors_is_drift(shares: list[float], verdict: str) -> None:
    counts = (np.array([*shares, *[(1 - sum(shares)) / 6] * 6]) * 20_000).astype(int)
    row = drift.compared(["yes"], counts[None], QUIET[None])[0]
    assert row.verdict == verdict
    assert row.often[0] > row.often[1] == pytest.approx(100 / QUIET.sum())


def test_few_steps_say_nothing() -> None:
    row = drift.compared(["yes"], QUIET[None, ::-1] // 100, QUIET[None])[0]
    assert row.psi > drift.MUCH and row.verdict == "too few steps"


def test_psi_of_known_histograms() -> None:
    # shares .5/.5 and .9/.1 of counts so large that the half in each bin does not matter
    expected = (0.5 - 0.9) * np.log(0.5 / 0.9) + (0.5 - 0.1) * np.log(0.5 / 0.1)
    assert drift.psi(np.array([500_000, 500_000]), np.array([900_000, 100_000])) == pytest.approx(expected, abs=1e-4)
    assert drift.psi(np.zeros(4, int), np.zeros(4, int)) == 0


def test_histograms_of_other_keywords_are_refused() -> None:
    with pytest.raises(ArtifactError, match="a row for each of 2 keywords"):
        drift.compared(["yes", "no"], QUIET[None], QUIET[None])
