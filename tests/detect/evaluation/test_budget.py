"""The lowest threshold of a word that keeps a budget, from streams without it."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.detect.clock import Clock
from edgekws.detect.evaluation import budget
from edgekws.detect.evaluation.streams import Heard
from edgekws.detect.settings import NEVER
from edgekws.errors import DataError

CLOCK = Clock(16_000, 640, 16_000)


def stream(hours: float, seed: int) -> Heard:
    """Low posteriors with about sixty peaks an hour, few of them high."""
    rng, steps = np.random.default_rng(seed), int(hours * 3600 * 25)
    posteriors = rng.integers(0, 15, steps)
    at = rng.integers(0, steps, int(hours * 60))
    posteriors[at] = 1000 / (1 + np.exp(rng.exponential(1.0, len(at)) * -1 + 4))
    return Heard("stream", posteriors[:, None].astype(np.int16), steps * 640, CLOCK)


def test_the_budget_is_kept_on_other_streams() -> None:
    rates = []
    for seed in range(5):
        chosen = budget.lowest([stream(2, seed)], "word", 1, 25, 2.0)
        assert chosen.observed <= 4 and chosen.expected_per_hour <= 2
        rates.append(len(stream(20, 100 + seed).events(chosen.settings)) / 20)
    assert 0.3 < float(np.mean(rates)) < 4


def test_a_larger_budget_has_a_lower_threshold() -> None:
    chosen = [budget.lowest([stream(2, 0)], "word", 1, 25, rate).settings.thresholds_permille[0] for rate in (0.5, 20)]
    assert 1 < chosen[1] < chosen[0] < NEVER


def test_without_sound_there_is_no_threshold() -> None:
    with pytest.raises(DataError, match="streams without the word"):
        budget.lowest([], "word", 4, 25, 0.5)


def test_a_stream_at_full_posterior_switches_the_word_off() -> None:
    loud = Heard("loud", np.full((2000, 1), 1000, np.int16), 2000 * 640, CLOCK)
    assert budget.lowest([loud], "word", 4, 25, 0.5).settings.thresholds_permille == (NEVER,)
