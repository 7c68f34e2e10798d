"""Plots as inline SVG whose colours follow the page's light or dark mode."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Matplotlib draws with these; the page's style sheet owns the real colours.
INK, GRID, ACCENT, BAD, ON_ACCENT = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
_VARIABLES = {INK: "--ink", GRID: "--line", ACCENT: "--accent", BAD: "--bad", ON_ACCENT: "--on-accent"}
_CELL_IN = 0.42
_MARGIN_IN = 1.05
_RIGHT_IN = 0.5  # the last slanted label leans over the edge
_FAINTEST = 0.08


def confusion_svg(table: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> str:
    """Heat map: row = what was said, column = what the board heard; shade = share of the row."""
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
                right, share = row == column, count / total
                alpha = _FAINTEST + (1 - _FAINTEST) * share
                box = Rectangle((column - 0.5, row - 0.5), 1, 1, color=ACCENT if right else BAD, alpha=alpha, lw=0)
                axes.add_patch(box)
                colour = ON_ACCENT if alpha > 0.55 else INK
                axes.text(column, row, str(count), ha="center", va="center", fontsize=9, color=colour)
    _frame(axes, len(labels))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("board heard", color=INK)
    axes.set_ylabel("said", color=INK)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="left", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    return _svg(figure, "confusion", title)


def recall_svg(recalls: Sequence[Mapping[str, Any]], title: str) -> str:
    """Bars of recall per class with their 95 % intervals."""
    from matplotlib.figure import Figure

    height = 0.34 * len(recalls) + 0.7
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((0.19, 0.5 / height, 0.69, 1 - 0.55 / height))
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
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    _plain(axes)
    return _svg(figure, "recall", title)


def _frame(axes: Any, count: int) -> None:  # noqa: ANN401 - matplotlib's stubs differ by version
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    for place in range(count + 1):
        axes.axhline(place - 0.5, color=GRID, lw=0.6)
        axes.axvline(place - 0.5, color=GRID, lw=0.6)
    _plain(axes)


def _plain(axes: Any) -> None:  # noqa: ANN401
    axes.tick_params(length=0, colors=INK, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _svg(figure: Figure, name: str, title: str) -> str:
    import matplotlib

    settings = {"svg.fonttype": "none", "svg.hashsalt": name}  # text stays text; the same bytes every time
    buffer = io.StringIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has the glyph
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _inline(buffer.getvalue(), name, title)


def _inline(svg: str, name: str, title: str) -> str:
    """Without prolog and metadata, with ids of its own and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="|(?<=xlink:href=")#|url\(#', lambda match: f"{match[0]}{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    words = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r'<svg ([^>]*?)width="([\d.]+)pt" height="[\d.]+pt"', _head(words), svg, count=1, flags=re.DOTALL)


def _head(words: str) -> str:
    return rf'<svg role="img" aria-label="{words}" style="width: \g<2>pt; height: auto" \g<1>'
