"""Pictures of an evaluation in streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekws.detect.evaluation import document as doc
from edgekws.report.svg import ACCENT, BAD, INK, SOFT, grid, legend, plain, to_svg


def det_svg(parts: Sequence[tuple[str, doc.Evaluation]], budget_per_hour: float | None) -> str:
    """Missed words against false accepts per hour, with all thresholds moved together; dots are the thresholds chosen.

    Detection error trade-off, after A. Martin et al., Eurospeech 1997, with a rate in time instead of a probability.
    parts: name and figures of validation and test. Where nothing was accepted falsely there is no place on the axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.add_axes((0.11, 0.13, 0.86, 0.74))
    styles = ((ACCENT, "-"), (SOFT, "--"))
    for (name, figures), (colour, style) in zip(parts, styles, strict=False):
        points = [(point.false_accepts_per_hour, 100 * point.missed) for point in figures.det]
        seen = [point for point in points if point[0] > 0]
        axes.plot(*zip(*seen, strict=True) if seen else ((), ()), color=colour, ls=style, lw=1.7, label=name)
        _chosen(axes, figures, colour)
    if budget_per_hour:
        axes.axvline(budget_per_hour, color=BAD, lw=1, ls=":", label="budget")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 100)
    axes.set_xlabel("false accepts per hour", color=INK)
    axes.set_ylabel("missed words, %", color=INK)
    grid(axes)
    plain(axes)
    legend(axes, 3)
    return to_svg(figure, "det", "Detection error trade-off")


def _chosen(axes: Any, figures: doc.Evaluation, colour: str) -> None:  # noqa: ANN401 - matplotlib's stubs differ
    """The thresholds that were chosen, with both intervals; an empty dot where nothing was accepted falsely."""
    rate, missed = figures.false_accepts, figures.missed
    if rate.per_hour is None or rate.interval is None or missed.value is None:
        return
    at, height = rate.per_hour or rate.interval.high / _HIGH_OF_NONE, 100 * missed.value
    axes.plot((max(rate.interval.low, at / 10), rate.interval.high), (height, height), color=colour, lw=1)
    axes.plot((at, at), (100 * missed.interval.low, 100 * missed.interval.high), color=colour, lw=1)
    axes.plot(at, height, marker="o", color=colour, markerfacecolor=colour if rate.events else "none")


_HIGH_OF_NONE = 8.0
"""Where no event is drawn: below the end of its interval by this factor, since 0 has no place on the axis."""


def missed_svg(rows: Sequence[tuple[str, doc.Share]], name: str, title: str) -> str:
    """Bars of missed words with their 95 % intervals. rows: what the words have in common, and their misses."""
    from matplotlib.figure import Figure

    height = 0.34 * len(rows) + 0.8
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((0.24, 0.55 / height, 0.64, 1 - 0.6 / height))
    for row, (_, missed) in enumerate(rows):
        value = 100 * (missed.value or 0)
        axes.barh(row, value, height=0.62, color=ACCENT, alpha=0.75, lw=0)
        bounds = (100 * missed.interval.low, 100 * missed.interval.high)
        if missed.n:
            axes.plot(bounds, (row, row), color=INK, lw=1.4, marker="|", markersize=6)
        axes.text(101.5, row, f"{value:.1f} %" if missed.n else "no words", va="center", fontsize=9, color=INK)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [f"{label}  ({missed.n})" for label, missed in rows], parse_math=False)
    axes.set_xlabel("missed, %  (words in brackets)", color=INK)
    grid(axes, "x")
    plain(axes)
    return to_svg(figure, name, title)
