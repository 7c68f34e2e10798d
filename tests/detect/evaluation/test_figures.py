"""Figures of a detector: events are counted, each word once; rates and shares have their intervals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekws import stats
from edgekws.detect.detector import Event
from edgekws.detect.evaluation import document, figures
from edgekws.detect.evaluation.matching import match
from edgekws.detect.evaluation.streams import Heard, Piece, Word
from edgekws.detect.settings import NEVER, Settings
from tests.detect.evaluation.posteriors import CLOCK, KEYWORDS, background, scene

AT = Settings(KEYWORDS, (600, 600, 600), 1, 20)


def at(step: int, keyword: int = 0) -> Event:
    return Event(keyword, step, 700)


def word(onset: int, end: int, keyword: int = 0) -> Word:
    return Word(keyword, CLOCK.samples(onset), CLOCK.samples(end))


def test_a_hit_comes_between_onset_and_end_plus_tau() -> None:
    tau = 5 * CLOCK.step
    events = [at(9), at(10), at(36)]
    assert match(events[:1], [word(10, 30)], CLOCK, tau).extra == [at(9)]
    assert match(events[1:], [word(10, 30)], CLOCK, tau).hits == {0: at(10)}
    assert match([at(35)], [word(10, 30)], CLOCK, tau).hits == {0: at(35)}
    assert match([at(36)], [word(10, 30)], CLOCK, tau).missed == [0]


def test_a_word_has_one_hit_and_an_event_is_the_hit_of_one_word() -> None:
    one = match([at(12), at(20)], [word(10, 30)], CLOCK, 0)
    assert (one.hits, one.extra) == ({0: at(12)}, [at(20)])
    two = match([at(25)], [word(10, 30), word(20, 40)], CLOCK, 0)
    assert (two.hits, two.missed) == ({0: at(25)}, [1])


def test_events_of_another_keyword_are_no_hits() -> None:
    assert match([at(20, keyword=1)], [word(10, 30)], CLOCK, 0).missed == [0]


def test_many_frames_above_the_threshold_are_one_false_accept() -> None:
    posteriors = np.full((1000, 3), 0, np.int16)
    posteriors[100:400, 1] = 900
    stream = Heard("x", posteriors, CLOCK.samples(999), CLOCK)
    got = figures.evaluate([stream], [scene(3, 0)], AT, 500)
    assert (got.false_accepts.events, got.keywords[1].false_accepts.events) == (1, 1)
    assert got.false_accepts.per_hour == pytest.approx(3600 / 40.01, rel=1e-3)


def test_the_interval_of_a_rate_is_exact() -> None:
    """Garwood's limits, as tables of the Poisson distribution list them."""
    for count, low, high in ((0, 0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (100, 81.364, 121.627)):
        interval = stats.poisson(count)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-4)
    empty = figures.rate(0, 2.0)
    assert empty.interval is not None and empty.interval.high == pytest.approx(3.689 / 2, abs=1e-3)
    assert figures.rate(0, 0).per_hour is None


def test_misses_are_resampled_by_speaker_where_speakers_are_known() -> None:
    known = figures.evaluate([background(0.03, 1)], [scene(90, 2, level=0.5)], AT, 500)
    unknown_speakers = scene(90, 2, level=0.5, speakers=3)
    few = figures.evaluate([background(0.03, 1)], [unknown_speakers], AT, 500)
    assert (known.missed.method, known.speakers) == ("bootstrap by speaker", 12)
    assert few.missed.method == "Wilson"
    assert known.missed.count == few.missed.count > 0
    assert known.missed.interval.low < (known.missed.value or 0) < known.missed.interval.high


def test_latency_is_from_the_end_of_the_word() -> None:
    got = figures.evaluate([background(0.03, 1)], [scene(30, 2, level=9, late=5)], AT, 500)
    assert (got.latency.median_ms, got.latency.p95_ms, got.latency.n) == (200, 200, 30)


def test_words_by_condition_add_up() -> None:
    got = figures.evaluate([background(0.03, 1)], [scene(90, 2, level=0.5)], AT, 500)
    assert [each.snr_db for each in got.by_snr] == [None, 20, 10]
    assert [each.room for each in got.by_room] == ["", "hall"]
    for part in (got.by_snr, got.by_room, got.keywords):
        assert sum(each.missed.count for each in part) == got.missed.count == len(got.wrong_misses)
        assert sum(each.missed.n for each in part) == got.words == 90


def test_false_accepts_say_where_they_are_and_which_hours_are_synthetic() -> None:
    streams = [background(0.2, 1, rate=90), background(0.1, 2, rate=90, synthetic=True)]
    got = figures.evaluate(streams, [scene(3, 3)], AT, 500)
    assert got.false_accepts_real.events + got.false_accepts_synthetic.events == got.false_accepts.events > 0
    assert got.synthetic_hours == pytest.approx(0.1, rel=1e-3)
    assert {each.recording for each in got.wrong_accepts} == {"a.wav", "b.wav"}
    assert [each.score for each in got.wrong_accepts] == sorted((e.score for e in got.wrong_accepts), reverse=True)


def test_the_det_curve_falls_and_holds_the_figures() -> None:
    got = figures.evaluate([background(0.3, 1, rate=90)], [scene(60, 2, level=1)], AT, 500)
    rates = [point.false_accepts_per_hour for point in got.det]
    misses = [point.missed for point in got.det]
    assert rates == sorted(rates, reverse=True)
    assert misses == sorted(misses)
    own = next(point for point in got.det if point.shift == 0)
    assert own.false_accepts_per_hour == got.false_accepts.per_hour
    assert own.missed == pytest.approx(got.missed.value)


def test_events_in_scenes_that_are_no_hits_are_told_apart() -> None:
    posteriors = np.zeros((200, 3), np.int16)
    posteriors[[20, 50, 60, 80, 120], [0, 1, 0, 0, 0]] = 900
    stream = Heard("x", posteriors, CLOCK.samples(199), CLOCK, (word(10, 30), word(45, 85)))
    got = figures.evaluate([background(0.03, 1)], [stream], replace(AT, refractory_steps=0), 0)
    assert got.extra == document.Extra(wrong=1, repeated=1, between=1)
    assert got.missed.count == 0


def test_a_threshold_moves_in_log_odds_and_a_word_that_is_off_stays_off() -> None:
    assert figures.shifted(600, 0) == 600
    assert figures.shifted(NEVER, 3) == NEVER
    assert figures.shifted(990, 6) <= 1000
    assert figures.shifted(2, -6) == 1


def test_a_place_in_a_stream_is_a_place_in_a_recording() -> None:
    stream = Heard("x", np.zeros((1, 3), np.int16), 48_000, CLOCK, (), (Piece(0, "a"), Piece(16_000, "b")))
    assert stream.place(15_999)[0] == "a"
    assert stream.place(24_000) == ("b", 0.5)


def test_the_schema_is_of_this_version() -> None:
    said = "run python -m edgekws.detect.evaluation.document"
    assert json.loads(document.SCHEMA.read_text()) == document.schema(), said
