"""Thresholds for a budget: kept on streams that nobody chose on, and of equals the one that misses least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekws.detect.evaluation import choice
from edgekws.detect.settings import NEVER
from edgekws.errors import DataError
from tests.detect.evaluation.posteriors import KEYWORDS, background, scene


def test_the_budget_holds_on_other_streams() -> None:
    """Chosen on an hour, where a rate of one an hour can hardly be counted; kept, by and large, on forty others."""
    rates = []
    for seed in range(4):
        chosen = choice.choose([background(1, seed)], [scene(60, seed)], KEYWORDS, 20, 1.0, 500, smoothings=(1,))
        assert chosen.observed <= 1
        others = background(8, 100 + seed)
        rates.append(len(others.events(chosen.settings)) / others.hours)
    assert 0.2 < float(np.mean(rates)) < 2.5


def test_a_larger_budget_misses_less() -> None:
    streams = ([background(1, 1)], [scene(60, 2, level=2)])
    misses = [choice.choose(*streams, KEYWORDS, 20, budget, 500, (1,)).missed for budget in (0.1, 1, 10, 100)]
    assert misses == sorted(misses, reverse=True)
    assert misses[0] > misses[-1]


def test_a_word_without_a_recording_gets_its_share_of_the_budget() -> None:
    words = scene(30, 1)
    only = [each for each in words.words if each.keyword == 0]
    chosen = choice.choose(
        [background(2, 1)], [replace(words, words=tuple(only))], KEYWORDS, 20, 3.0, 500, (1,)
    ).settings
    assert all(1 < threshold < NEVER for threshold in chosen.thresholds_permille)


def test_no_budget_switches_every_word_off() -> None:
    chosen = choice.choose([background(2, 1)], [scene(30, 1)], KEYWORDS, 20, 0.0, 500, (1,))
    assert chosen.settings.thresholds_permille == (NEVER,) * 3
    assert (chosen.missed, chosen.observed) == (30, 0)


def test_a_longer_smoothing_is_chosen_where_it_misses_less() -> None:
    """Background peaks of one step, words of four."""
    quiet = background(1, 1, rate=200)
    lone = np.where(np.arange(len(quiet.posteriors))[:, None] % 3 == 0, quiet.posteriors, 0).astype(np.int16)
    chosen = choice.choose([replace(quiet, posteriors=lone)], [scene(60, 2)], KEYWORDS, 20, 1.0, 500, (1, 4, 32))
    assert chosen.settings.smoothing_steps == 4


def test_both_kinds_of_streams_are_needed() -> None:
    with pytest.raises(DataError, match="with and without keywords"):
        choice.choose([background(0.1, 1)], [], KEYWORDS, 20, 1.0, 500)


def test_a_smoothing_that_is_quick_enough_is_chosen() -> None:
    """The highest mean comes later with a longer smoothing."""
    streams = ([background(1, 1)], [scene(60, 2, level=2)])
    every = {limit: choice.choose(*streams, KEYWORDS, 20, 5.0, 500, (1, 4), limit) for limit in (0, 150, np.inf)}
    assert every[150].p95_ms <= 150 < every[np.inf].p95_ms
    assert every[np.inf].missed < every[150].missed
    assert every[0] == every[150]
