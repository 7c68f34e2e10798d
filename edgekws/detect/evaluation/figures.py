"""The figures of a detector on streams: rates, shares, latency and the DET curve, each with how it was got."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgekws import stats
from edgekws.detect import runs
from edgekws.detect.detector import Event
from edgekws.detect.evaluation import document as doc
from edgekws.detect.evaluation.matching import Matched, match, nearest
from edgekws.detect.evaluation.streams import Heard, Word, hours
from edgekws.detect.settings import NEVER, ONE, Settings
from edgekws.types import Interval

_FEWEST_SPEAKERS = 10
"""A bootstrap over fewer groups says little."""
_SHIFTS = tuple(round(step / 4, 2) for step in range(-24, 25))
"""Log odds by which the thresholds of the DET curve are moved: a factor of e^6 of the odds to both sides."""


@dataclass(frozen=True)
class Results:
    """The answers of one detector on streams. background: without keywords; scenes: with words."""

    settings: Settings
    tau_samples: int
    background: Sequence[Heard]
    accepts: list[list[Event]]
    scenes: Sequence[Heard]
    matched: list[Matched]

    def words(self) -> Iterable[tuple[Heard, Word, Event | None]]:
        """Each word with its stream and its hit."""
        for stream, matched in zip(self.scenes, self.matched, strict=True):
            for number, word in enumerate(stream.words):
                yield stream, word, matched.hits.get(number)


def results(background: Sequence[Heard], scenes: Sequence[Heard], settings: Settings, tau_ms: float) -> Results:
    """Run the detector over all streams, each from its beginning."""
    rate = next((stream.clock.rate_hz for stream in (*background, *scenes)), 0)
    tau = round(tau_ms * rate / 1000)
    accepts = [stream.events(settings) for stream in background]
    matched = [match(stream.events(settings), stream.words, stream.clock, tau) for stream in scenes]
    return Results(settings, tau, background, accepts, scenes, matched)


def evaluate(background: Sequence[Heard], scenes: Sequence[Heard], settings: Settings, tau_ms: float) -> doc.Evaluation:
    """All figures of a detector. tau_ms: a hit may come this long after the end of its word."""
    got = results(background, scenes, settings, tau_ms)
    words = list(got.words())
    accepts = list(_false_accepts(got))
    synthetic = [stream for stream in background if stream.synthetic]
    by_program = sum(accept.synthetic for accept in accepts)
    return doc.Evaluation(
        hours=hours(background),
        synthetic_hours=hours(synthetic),
        scene_hours=hours(scenes),
        words=len(words),
        speakers=len({word.speaker for _, word, _ in words if word.speaker}),
        false_accepts=rate(len(accepts), hours(background)),
        false_accepts_real=rate(len(accepts) - by_program, hours(background) - hours(synthetic)),
        false_accepts_synthetic=rate(by_program, hours(synthetic)),
        missed=missed(words),
        latency=_latency(words),
        extra=_extra(got),
        keywords=tuple(_keyword(got, number) for number in range(len(settings.keywords))),
        by_snr=tuple(_conditions(words, lambda word: word.snr_db, lambda snr: {"snr_db": snr, "room": None})),
        by_room=tuple(_conditions(words, lambda word: word.room, lambda room: {"snr_db": None, "room": room})),
        det=tuple(det(background, scenes, settings, got.tau_samples)),
        wrong_accepts=tuple(accepts),
        wrong_misses=tuple(_misses(got)),
    )


def rate(events: int, in_hours: float) -> doc.Rate:
    """Events per hour with the exact Poisson interval."""
    if in_hours <= 0:
        return doc.Rate(events=events, hours=0.0, per_hour=None, interval=None)
    bounds = stats.poisson(events)
    interval = doc.Bounds(low=bounds.low / in_hours, high=bounds.high / in_hours)
    return doc.Rate(events=events, hours=in_hours, per_hour=events / in_hours, interval=interval)


def missed(words: Sequence[tuple[Heard, Word, Event | None]]) -> doc.Share:
    """The share of words without a hit. The interval is by speaker where at least ten are known, else Wilson's.

    A bootstrap cannot say anything where no word, or every word, was missed: there it is Wilson's too.
    """
    n, count = len(words), sum(event is None for _, _, event in words)
    speakers = sorted({word.speaker for _, word, _ in words})
    if "" in speakers or len(speakers) < _FEWEST_SPEAKERS or count in (0, n):
        return _share(count, n, stats.wilson(count, n), "Wilson")
    place = {speaker: number for number, speaker in enumerate(speakers)}
    owners = np.array([place[word.speaker] for _, word, _ in words])
    misses = np.bincount(owners, [event is None for _, _, event in words], len(speakers)).astype(int)
    interval = stats.bootstrap(misses, np.bincount(owners, minlength=len(speakers)))
    return _share(count, n, interval, "bootstrap by speaker")


def det(background: Sequence[Heard], scenes: Sequence[Heard], settings: Settings, tau: int) -> Iterable[doc.DetPoint]:
    """False accepts per hour and share of missed words, with all thresholds moved together, lowest thresholds first."""
    total, n = hours(background), sum(len(stream.words) for stream in scenes)
    if not total or not n:
        return
    steps = settings.smoothing_steps
    quiet = [runs.sums(stream.posteriors, steps) for stream in background]
    spoken = [runs.sums(stream.posteriors, steps) for stream in scenes]
    last: tuple[int, ...] = ()
    for shift in _SHIFTS:
        moved = tuple(shifted(threshold, shift) for threshold in settings.thresholds_permille)
        if moved == last:
            continue
        last, at = moved, replace(settings, thresholds_permille=moved)
        accepts = sum(len(runs.events(each, at)) for each in quiet)
        pairs = zip(spoken, scenes, strict=True)
        found = sum(len(match(runs.events(each, at), of.words, of.clock, tau).hits) for each, of in pairs)
        yield doc.DetPoint(shift=shift, false_accepts_per_hour=accepts / total, missed=1 - found / n)


def shifted(threshold: int, shift: float) -> int:
    """A threshold moved by `shift` in log odds, within 1..1000; a word that is switched off stays so."""
    if threshold == NEVER:
        return NEVER
    odds = (threshold - 0.5) / (ONE + 0.5 - threshold) * math.exp(shift)
    return min(max(round(ONE * odds / (1 + odds) + 0.5), 1), ONE)


def _share(count: int, n: int, interval: Interval, method: doc.Method) -> doc.Share:
    bounds = doc.Bounds(low=interval.low, high=interval.high)
    return doc.Share(count=count, n=n, value=count / n if n else None, interval=bounds, method=method)


def _latency(words: Iterable[tuple[Heard, Word, Event | None]]) -> doc.Latency:
    waits = [
        1000 * (stream.clock.samples(event.step) - word.end) / stream.clock.rate_hz
        for stream, word, event in words
        if event is not None
    ]
    if not waits:
        return doc.Latency(n=0, median_ms=None, p95_ms=None)
    median, p95 = np.percentile(waits, [50, 95])
    return doc.Latency(n=len(waits), median_ms=round(float(median), 1), p95_ms=round(float(p95), 1))


def _keyword(got: Results, number: int) -> doc.Keyword:
    words = [each for each in got.words() if each[1].keyword == number]
    return doc.Keyword(
        keyword=got.settings.keywords[number],
        threshold=got.settings.thresholds_permille[number],
        false_accepts=rate(
            sum(event.keyword == number for each in got.accepts for event in each), hours(got.background)
        ),
        missed=missed(words),
        latency=_latency(words),
    )


def _conditions(
    words: Sequence[tuple[Heard, Word, Event | None]],
    key: Callable[[Word], Any],
    names: Callable[[Any], dict[str, Any]],
) -> Iterable[doc.Condition]:
    """Words that were mixed with noise, or spoken in rooms, by what they were mixed with."""
    for value in sorted({key(word) for _, word, _ in words}, key=_order):
        own = [each for each in words if key(each[1]) == value]
        yield doc.Condition(**names(value), missed=missed(own), latency=_latency(own))


def _order(value: object) -> tuple[bool, float, str]:
    """Numbers, falling, then names; nothing added comes first."""
    return value is not None, -value if isinstance(value, float) else 0.0, str(value)


def _extra(got: Results) -> doc.Extra:
    counts = {"wrong": 0, "repeated": 0, "between": 0}
    for stream, matched in zip(got.scenes, got.matched, strict=True):
        for event in matched.extra:
            near = nearest(event, stream.words, stream.clock, got.tau_samples)
            counts["between" if near is None else "repeated" if near.keyword == event.keyword else "wrong"] += 1
    return doc.Extra(**counts)


def _false_accepts(got: Results) -> Iterable[doc.FalseAccept]:
    """The highest score first."""
    pairs = zip(got.background, got.accepts, strict=True)
    each = [(event, stream) for stream, events in pairs for event in events]
    for event, stream in sorted(each, key=lambda pair: -pair[0].score):
        at = stream.clock.samples(event.step)
        recording, seconds = stream.place(at - 1)
        yield doc.FalseAccept(
            keyword=got.settings.keywords[event.keyword],
            score=event.score,
            recording=recording,
            at_s=round(seconds, 2),
            stream=stream.name,
            stream_s=round(at / stream.clock.rate_hz, 2),
            synthetic=stream.synthetic,
        )


def _misses(got: Results) -> Iterable[doc.Missed]:
    """In order of their streams."""
    for stream, matched in zip(got.scenes, got.matched, strict=True):
        smoothed = runs.sums(stream.posteriors, got.settings.smoothing_steps) // got.settings.smoothing_steps
        for number in matched.missed:
            word = stream.words[number]
            inside = (
                got.settings.keywords[event.keyword]
                for event in matched.extra
                if nearest(event, [word], stream.clock, got.tau_samples)
            )
            yield doc.Missed(
                keyword=got.settings.keywords[word.keyword],
                recording=word.clip,
                snr_db=word.snr_db,
                room=word.room,
                highest=highest(smoothed, stream, word, got.tau_samples),
                stream=stream.name,
                stream_s=round(word.onset / stream.clock.rate_hz, 2),
                heard_instead=next(inside, ""),
            )


def highest(smoothed: np.ndarray, stream: Heard, word: Word, tau: int) -> int:
    """The highest of `smoothed` [steps, keywords] of a word's keyword at the steps of its window; 0 without a step."""
    clock = stream.clock
    first = max(-(-(word.onset - clock.first) // clock.step), 0)
    last = (word.end + tau - clock.first) // clock.step
    window = smoothed[first : last + 1, word.keyword]
    return int(window.max()) if last >= first and len(window) else 0
