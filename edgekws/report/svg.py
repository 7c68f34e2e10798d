"""Matplotlib figures as inline SVG whose colours follow the page's light or dark mode."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Placeholder colours for Matplotlib; `_inline` replaces them by variables of the page's style sheet.
INK, GRID, ACCENT, BAD, ON_ACCENT = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
WARN, SOFT = "#020406", "#030507"
_VARIABLES = {
    INK: "--ink",
    GRID: "--line",
    ACCENT: "--accent",
    BAD: "--bad",
    ON_ACCENT: "--on-accent",
    WARN: "--warn",
    SOFT: "--soft",
}


def plain(axes: Any) -> None:  # noqa: ANN401 - matplotlib's stubs differ by version
    """Remove the frame of the axes and use the page's colours."""
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def grid(axes: Any, axis: str = "both") -> None:  # noqa: ANN401
    """Grid lines behind the data."""
    axes.grid(axis=axis, color=GRID, lw=0.8)
    axes.set_axisbelow(True)


def legend(axes: Any, columns: int) -> None:  # noqa: ANN401
    """A legend above the axes, at the left."""
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": columns}
    axes.legend(**place, frameon=False, fontsize=9, labelcolor=INK, borderaxespad=0.2, columnspacing=1.2)


def to_svg(figure: Figure, name: str, title: str) -> str:
    """The figure for a page. name: unique on the page, letters and hyphens. title: for screen readers."""
    import matplotlib

    settings = {"svg.fonttype": "none", "svg.hashsalt": name}  # text stays text; reproducible bytes
    buffer = io.StringIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has the glyph
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
    escaped = words.replace("\\", r"\\")
    return rf'<svg role="img" aria-label="{escaped}" style="width: \g<2>pt; height: auto" \g<1>'
