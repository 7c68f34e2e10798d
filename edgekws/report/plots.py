"""Plots of an accuracy: confusion and recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekws.report.svg import ACCENT, BAD, GRID, INK, ON_ACCENT, grid, plain, to_svg

_CELL_IN = 0.42
_MARGIN_IN = 1.05
_RIGHT_IN = 0.5  # room for the last slanted label
_FAINTEST = 0.08


def confusion_svg(table: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> str:
    """Heat map, SVG: row = true class, column = prediction of the board; shade = share of the row."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    side = _CELL_IN * len(labels)
    width, height = _MARGIN_IN + side + _RIGHT_IN, _MARGIN_IN + side
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((_MARGIN_IN / width, 0.0, side / width, side / height))
    for row, counts in enumerate(table):
        total = max(1, sum(counts))
        for column, count in enumerate(counts):
            if count:
                correct, share = row == column, count / total
                alpha = _FAINTEST + (1 - _FAINTEST) * share
                box = Rectangle((column - 0.5, row - 0.5), 1, 1, color=ACCENT if correct else BAD, alpha=alpha, lw=0)
                axes.add_patch(box)
                colour = ON_ACCENT if alpha > 0.55 else INK
                axes.text(column, row, str(count), ha="center", va="center", fontsize=9, color=colour)
    _frame(axes, len(labels))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("prediction of the board", color=INK)
    axes.set_ylabel("true class", color=INK)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="left", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    return to_svg(figure, "confusion", title)


def recall_svg(recalls: Sequence[Mapping[str, Any]], title: str) -> str:
    """Bars of recall per class with their 95 % intervals, SVG."""
    from matplotlib.figure import Figure

    height = 0.34 * len(recalls) + 0.7
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((0.21, 0.5 / height, 0.67, 1 - 0.55 / height))
    for row, recall in enumerate(recalls):
        low, high = 100 * recall["interval"]["low"], 100 * recall["interval"]["high"]
        value = None if recall["value"] is None else 100 * recall["value"]
        if value is not None:
            axes.barh(row, value, height=0.62, color=ACCENT, alpha=0.75, lw=0)
            axes.plot((low, high), (row, row), color=INK, lw=1.4, marker="|", markersize=6)
        text = "no clips" if value is None else f"{value:.1f} %"
        axes.text(101.5, row, text, va="center", fontsize=9, color=INK)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(recalls) - 0.5, -0.5)
    axes.set_yticks(
        range(len(recalls)), [f"{recall['label']}  ({recall['n']})" for recall in recalls], parse_math=False
    )
    axes.set_xlabel("recall, %  (clips in brackets)", color=INK)
    grid(axes, "x")
    plain(axes)
    return to_svg(figure, "recall", title)


def _frame(axes: Any, count: int) -> None:  # noqa: ANN401 - matplotlib's stubs differ by version
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    for place in range(count + 1):
        axes.axhline(place - 0.5, color=GRID, lw=0.6)
        axes.axvline(place - 0.5, color=GRID, lw=0.6)
    plain(axes)
