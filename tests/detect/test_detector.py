"""The detector: one event a word, smoothing, refractory time; its C and the events of whole streams are equal to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.detect import runs
from edgekws.detect.detector import BINS, Detector, Event
from edgekws.detect.settings import NEVER, Settings
from edgekws.errors import ArtifactError, ConfigError
from firmware_io.build import host_cc
from firmware_io.build.host_detector import CDetector

FAST = (*host_cc.PORTABLE, "-O0")


def one(threshold: int = 500, smoothing: int = 1, refractory: int = 0) -> Settings:
    return Settings(("yes",), (threshold,), smoothing, refractory)


def column(*values: int) -> np.ndarray:
    return np.array(values)[:, None]


def steps(detector: Detector, posteriors: np.ndarray) -> list[int]:
    return [event.step for event in detector.push(posteriors)]


def test_a_word_gives_one_event_until_it_was_below_its_threshold() -> None:
    assert steps(Detector(one()), column(0, 500, 1000, 499, 700, 700)) == [1, 4]


def test_the_mean_of_the_last_steps_passes_and_missing_ones_are_nothing() -> None:
    assert Detector(one(smoothing=4)).push(column(900, 900, 900, 0, 0)) == [Event(0, 2, 675)]
    assert steps(Detector(one(500, 4)), column(1000, 999)) == []
    assert steps(Detector(one(500, 4)), column(1000, 1000)) == [1]


def test_no_event_within_the_refractory_time_of_another_word_and_a_word_that_lasts_follows_it() -> None:
    two = Settings(("yes", "no"), (500, 500), 1, 3)
    assert Detector(two).push(np.array([[900, 0], [0, 900], [0, 900], [0, 900], [0, 900]])) == [
        Event(0, 0, 900),
        Event(1, 3, 900),
    ]
    assert Detector(two).push(np.array([[900, 0], [0, 900], [0, 900], [0, 0]])) == [Event(0, 0, 900)]


def test_of_two_words_at_one_step_the_higher_sum_comes_first_and_then_the_first_word() -> None:
    two = Settings(("yes", "no"), (300, 300), 1, 2)
    assert [event.keyword for event in Detector(two).push(np.array([[400, 600]] * 3))] == [1, 0]
    assert [event.keyword for event in Detector(two).push(np.array([[500, 500]] * 3))] == [0, 1]


def test_a_word_that_is_switched_off_has_no_event() -> None:
    assert steps(Detector(one(NEVER)), column(1000, 1000)) == []


def test_the_histogram_counts_every_posterior() -> None:
    detector = Detector(one())
    detector.push(column(0, 31, 32, 1000))
    assert detector.histogram.tolist() == [[2, 1, *[0] * (BINS - 3), 1]]


@pytest.mark.parametrize("given", [np.zeros((3, 2), int), np.zeros(1, int), column(1001), column(-1)])
def test_other_posteriors_are_refused(given: np.ndarray) -> None:
    with pytest.raises(ArtifactError, match="posteriors should be"):
        Detector(one()).push(given)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0}, {"threshold": 1002}, {"smoothing": 0}, {"smoothing": 33}, {"refractory": -1}]
)
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="should be"):
        one(**wrong)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Settings, np.ndarray]:
    """Three keywords, and posteriors that pass often, in runs."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    chosen = Settings(
        ("a", "b", "c"),
        tuple(rng.integers(1, 1002, 3).tolist()),
        int(rng.choice([1, 2, 5, 32])),
        int(rng.choice([0, 1, 2, 7, 40])),
    )
    held = np.repeat(rng.integers(0, 1001, (60, 3)) * (rng.random((60, 3)) < 0.6), rng.integers(1, 9, 60), axis=0)
    return chosen, np.where(rng.random(held.shape) < 0.02, 1000, held)


@settings(max_examples=30)
@given(streams())
def test_runs_give_the_events_of_the_definition(stream: tuple[Settings, np.ndarray]) -> None:
    chosen, posteriors = stream
    smoothed = runs.sums(posteriors, chosen.smoothing_steps)
    assert runs.events(smoothed, chosen) == Detector(chosen).push(posteriors)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("detector")


@pytest.mark.skipif(not host_cc.has_compiler(), reason="there is no C compiler")
def test_the_c_detector_gives_the_events_and_histogram_of_the_definition(libraries: Path) -> None:
    @settings(max_examples=25)
    @given(streams(), st.integers(0, 300))
    def compare(stream: tuple[Settings, np.ndarray], cut: int) -> None:
        chosen, posteriors = stream
        defined, compiled = Detector(chosen), CDetector(chosen, libraries, FAST)
        assert defined.push(posteriors) == compiled.push(posteriors[:cut]) + compiled.push(posteriors[cut:])
        assert (defined.histogram == compiled.histogram).all()

    compare()


@pytest.mark.skipif(not host_cc.has_compiler(), reason="there is no C compiler")
def test_thresholds_and_smoothing_of_the_c_detector_change_while_it_runs(libraries: Path) -> None:
    detector = CDetector(one(), libraries, FAST)
    assert [event.step for event in detector.push(column(900, 0))] == [0]
    detector.change(one(threshold=950))
    assert detector.push(column(900, 0)) == []
    detector.change(one(threshold=500, smoothing=2))
    assert [event.step for event in detector.push(column(900, 900))] == [5]
    assert detector.histogram.sum() == 6
