"""The figures of an evaluation as lines of text; each says how it was got."""

from __future__ import annotations

from collections.abc import Iterator

from edgekws.detect.evaluation import document as doc
from edgekws.detect.settings import NEVER, ONE


def lines(figures: doc.Evaluation) -> Iterator[str]:
    """False accepts, misses, latency and what else was heard: of all words together."""
    yield f"false accepts: {rate(figures.false_accepts)}{synthetic(figures)}"
    yield f"missed words: {share(figures.missed)}{speakers(figures)}"
    yield f"latency from the end of the word, without the time to compute: {latency(figures.latency)}"
    extra = figures.extra
    yield f"in scenes also {extra.wrong} wrong words, {extra.repeated} repeated ones and {extra.between} between words"


def rate(value: doc.Rate) -> str:
    """3 in 2.00 h: 1.50 an hour (0.31 to 4.38, exact Poisson)"""
    if value.per_hour is None or value.interval is None:
        return "no sound without keywords was heard"
    bounds = f"{value.interval.low:.2f} to {value.interval.high:.2f}"
    return f"{value.events} in {value.hours:.2f} h: {value.per_hour:.2f} an hour ({bounds}, {value.method})"


def share(value: doc.Share) -> str:
    """12 of 100: 12.0 % (7.0 to 19.8 %, Wilson)"""
    if value.value is None:
        return "no words were heard"
    bounds = f"{100 * value.interval.low:.1f} to {100 * value.interval.high:.1f} %"
    return f"{value.count} of {value.n}: {percent(value.value)} ({bounds}, {value.method})"


def latency(value: doc.Latency) -> str:
    if value.median_ms is None or value.p95_ms is None:
        return "no word was heard"
    return f"median {value.median_ms:.0f} ms, p95 {value.p95_ms:.0f} ms of {value.n} words"


def synthetic(figures: doc.Evaluation) -> str:
    """What share of the hours a program spoke."""
    if not figures.synthetic_hours:
        return "; all of it recorded"
    part = figures.synthetic_hours / figures.hours
    real = figures.false_accepts_real
    return f"; {percent(part)} of the hours are synthetic speech; recorded alone: {rate(real)}"


def speakers(figures: doc.Evaluation) -> str:
    return f"; {figures.speakers} speakers" if figures.speakers else "; speakers are not known"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def threshold(permille: int) -> str:
    return "off" if permille == NEVER else f"{permille / ONE:.3f}"


def condition(value: doc.Condition) -> str:
    """What the words of a condition were mixed with."""
    if value.room is not None:
        return value.room or "no room"
    return "no noise" if value.snr_db is None else f"{value.snr_db:g} dB"


def keyword_rows(figures: doc.Evaluation) -> Iterator[tuple[str, ...]]:
    """word, threshold, missed, of, share, false accepts, p95 latency"""
    for each in figures.keywords:
        p95 = "-" if each.latency.p95_ms is None else f"{each.latency.p95_ms:.0f} ms"
        missed = each.missed
        yield (each.keyword, threshold(each.threshold), str(missed.count), str(missed.n), percent(missed.value),
               str(each.false_accepts.events), p95)  # fmt: skip


def condition_rows(figures: doc.Evaluation) -> Iterator[tuple[str, ...]]:
    """condition, missed, of, share, p95 latency"""
    for each in (*figures.by_snr, *figures.by_room):
        p95 = "-" if each.latency.p95_ms is None else f"{each.latency.p95_ms:.0f} ms"
        yield condition(each), str(each.missed.count), str(each.missed.n), percent(each.missed.value), p95


KEYWORD_HEADS = ("word", "threshold", "missed", "of", "share", "false accepts", "p95 latency")
CONDITION_HEADS = ("words in", "missed", "of", "share", "p95 latency")
