"""The report of `edgekws detect-eval` as one page: no network, no scripts; false accepts and misses can be played."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edgekws.detect.evaluation import document as doc
from edgekws.detect.evaluation import texts
from edgekws.detect.evaluation.streams import Heard
from edgekws.report.attached import ShownClip, wav_bytes
from edgekws.report.attached.spectrogram import bitmap
from edgekws.report.detection import plots
from edgekws.report.html import render

Row = dict[str, Any]
MOST_PLAYABLE = 12
"""Of false accepts and of misses each, so that a page stays below 3 MB."""
_BEFORE_S, _AFTER_S = 1.5, 0.3
"""Around a false accept: it is said at the end of what sounded like the word."""
_LEAD_S, _WORD_S = 0.3, 1.5
"""Before and after the onset of a missed word."""


def to_html(document: doc.Document, streams: Iterable[Heard]) -> str:
    """The page. streams: those of the test, to play from; without them nothing can be played."""
    by_name = {stream.name: stream for stream in streams}
    test = document.test
    return render(
        "detection/page.html.j2",
        report=document,
        test=test,
        verdict=verdict(document),
        lines=list(texts.lines(test)),
        validation=list(texts.lines(document.validation)) if document.validation else [],
        keyword_heads=texts.KEYWORD_HEADS,
        keywords=list(texts.keyword_rows(test)),
        condition_heads=texts.CONDITION_HEADS,
        conditions=list(texts.condition_rows(test)),
        plots=_plots(document),
        accepts=[_accept(each, by_name) for each in test.wrong_accepts[:MOST_PLAYABLE]],
        more_accepts=len(test.wrong_accepts[MOST_PLAYABLE:]),
        misses=[_miss(each, by_name) for each in _spread(test.wrong_misses)],
        more_misses=max(len(test.wrong_misses) - MOST_PLAYABLE, 0),
    )


def verdict(document: doc.Document) -> Row:
    """What the observed rate and its interval say about the budget."""
    rate, budget = document.test.false_accepts, document.budget_per_hour
    if rate.interval is None or budget is None:
        return {"level": "uncertain", "text": ""}
    if rate.interval.high <= budget:
        return {"level": "good", "text": "The rate is within the budget, and so is all of its interval."}
    if rate.interval.low > budget:
        return {"level": "poor", "text": "The rate is above the budget, and so is all of its interval."}
    return {
        "level": "uncertain",
        "text": "The interval of the rate holds the budget: these hours are too few to tell whether it is kept.",
    }


def _plots(document: doc.Document) -> list[Row]:
    from markupsafe import Markup

    test = document.test
    parts = [("test", test), *([("validation", document.validation)] if document.validation else [])]
    drawn = [
        ("Detection error trade-off", "all thresholds moved together; dots: those chosen, with their intervals",
         plots.det_svg(parts, document.budget_per_hour)),
        ("Missed, by word", "whiskers: 95 % intervals",
         plots.missed_svg([(each.keyword, each.missed) for each in test.keywords], "words", "Missed words, by word")),
    ]  # fmt: skip
    rows = [(texts.condition(each), each.missed) for each in (*test.by_snr, *test.by_room)]
    if rows:
        title = "Missed words, by noise and room"
        drawn.append(("Missed, by noise and room", "whiskers: 95 % intervals", plots.missed_svg(rows, "rooms", title)))
    return [{"title": title, "caption": caption, "svg": Markup(svg)} for title, caption, svg in drawn]


def _spread(misses: Sequence[doc.Missed]) -> list[doc.Missed]:
    """Some of all misses, from the first to the last, so that every condition is among them."""
    if len(misses) <= MOST_PLAYABLE:
        return list(misses)
    return [misses[number * len(misses) // MOST_PLAYABLE] for number in range(MOST_PLAYABLE)]


def _accept(each: doc.FalseAccept, streams: Mapping[str, Heard]) -> Row:
    sound = _sound(streams.get(each.stream), each.stream_s - _BEFORE_S, each.stream_s + _AFTER_S)
    return {**each.model_dump(), **sound}


def _miss(each: doc.Missed, streams: Mapping[str, Heard]) -> Row:
    sound = _sound(streams.get(each.stream), each.stream_s - _LEAD_S, each.stream_s + _WORD_S)
    condition = "no noise" if each.snr_db is None else f"{each.snr_db:g} dB"
    return {**each.model_dump(), "condition": f"{condition}, {each.room}" if each.room else condition, **sound}


def _sound(stream: Heard | None, first_s: float, last_s: float) -> Row:
    """A short recording and its picture, in base64; "" where there is nothing to read."""
    samples = np.zeros(0, np.int16)
    if stream is not None and stream.read is not None:
        rate = stream.clock.rate_hz
        samples = stream.read(max(round(first_s * rate), 0), min(round(last_s * rate), stream.samples))
    if stream is None or not len(samples):
        return {"sound": "", "picture": ""}
    clip = ShownClip(1, samples, stream.clock.rate_hz)
    return {"sound": b64encode(wav_bytes(clip)).decode(), "picture": b64encode(bitmap(clip)).decode()}
