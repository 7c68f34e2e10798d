"""What was heard, over time, as a picture or a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgekws.detect.timeline import Envelope, clock_text
from edgekws.files import picture
from edgekws.report.html import render
from edgekws.report.svg import ACCENT, BAD, INK, grid, plain, to_svg
from edgekws.types import Detection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 800
_ROW_IN, _WIDTH_IN = 0.4, 9.0
_TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)
_MOST_TICKS = 9


class Track(NamedTuple):
    """One recording."""

    name: str
    keywords: Sequence[str]
    envelope: Envelope
    events: Sequence[Detection]
    seconds: float
    rate_hz: int


def write_svg(tracks: Sequence[Track], path: Path, title: str) -> None:
    """All recordings below each other, as a file that stands alone. Raises ArtifactError when it cannot be written."""
    figure = _figure(tracks, _Colours("black", "tab:blue", "tab:red"), is_page=False)
    picture.write_svg(figure, path, title)


def to_html(tracks: Sequence[Track], model: str) -> str:
    """A page with a picture and the events of each recording."""
    from markupsafe import Markup

    rows = []
    for number, track in enumerate(tracks):
        svg = to_svg(_figure([track], _Colours(INK, ACCENT, BAD), is_page=True), f"timeline{number}", track.name)
        events = [
            (clock_text(event.time_samples / track.rate_hz, 2), event.keyword, f"{event.score / 1000:.2f}")
            for event in track.events
        ]
        rows.append({"name": track.name, "length": clock_text(track.seconds, 1), "events": events, "svg": Markup(svg)})
    return render("detection/timeline.html.j2", tracks=rows, model=model)


class _Colours(NamedTuple):
    ink: str
    level: str
    event: str


def _figure(tracks: Sequence[Track], colours: _Colours, is_page: bool) -> Figure:
    from matplotlib.figure import Figure

    heights = [max(len(track.keywords), 1) for track in tracks] or [1]
    figure = Figure(figsize=(_WIDTH_IN, _ROW_IN * sum(heights) + 0.8 * len(heights)), layout="constrained")
    grid_of = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, track in zip(grid_of[:, 0], tracks, strict=False):
        _draw(axes, track, colours)
        if is_page:
            grid(axes, "x")
            plain(axes)
        else:
            axes.set_title(track.name, fontsize=9, loc="left", parse_math=False)
    return figure


def _draw(axes, track: Track, colours: _Colours) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """A row for each keyword: its highest posteriors as an area, its events as lines."""
    from matplotlib.ticker import MultipleLocator

    columns, count = track.envelope.columns(_COLUMNS), len(track.keywords)
    width = track.seconds / max(len(columns), 1)
    at = [(number + 0.5) * width for number in range(len(columns))]
    for row in range(count):
        base = count - 1 - row
        axes.fill_between(at, base, base + 0.85 * columns[:, row] / 1000, color=colours.level, alpha=0.45, lw=0)
    for event in track.events:
        base = count - 1 - list(track.keywords).index(event.keyword)
        axes.vlines(event.time_samples / track.rate_hz, base, base + 0.9, color=colours.event, lw=1.6)
    axes.set_yticks([count - 1 - row + 0.4 for row in range(count)], track.keywords, parse_math=False)
    axes.set_ylim(0, max(count, 1))
    axes.set_xlim(0, max(track.seconds, 0.001))
    every_s, digits = tick_step(track.seconds)
    axes.xaxis.set_major_locator(MultipleLocator(every_s))
    axes.xaxis.set_major_formatter(lambda value, _: clock_text(max(value, 0.0) + 1e-6, digits))


def tick_step(seconds: float) -> tuple[float, int]:
    """(seconds between the ticks of a time axis, digits of a label): a label says exactly where its tick is."""
    every_s = next((step for step in _TICKS_S if seconds / step <= _MOST_TICKS), seconds / _MOST_TICKS)
    return every_s, 0 if every_s >= 1 else 1
