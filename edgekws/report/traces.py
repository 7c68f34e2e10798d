"""Plots of a board's speed and energy: each window, power over time, each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from edgekws.report.speed import Speed
from edgekws.report.svg import ACCENT, BAD, INK, SOFT, WARN, grid, legend, plain, to_svg

Row = Mapping[str, Any]
_WIDTH_IN = 6.4
_LEAST_SPAN = 0.01
"""Least half height of the plot of the windows, as a share of the median, so that noise looks small."""


def windows_svg(speed: Speed, how: str) -> str:
    """Instructions or latency of each window and their median, SVG; a slope is drift."""
    from matplotlib.figure import Figure

    scale, unit = _scale(speed)
    middle, values = speed.middle / scale, [value / scale for value in speed.each]
    numbers = range(1, len(values) + 1)
    figure = Figure(figsize=(_WIDTH_IN, 2.6))
    axes = figure.add_axes((0.16, 0.2, 0.81, 0.66))
    axes.axhline(middle, color=SOFT, lw=1.2, ls="--", label=f"median {middle:,.4g} {unit}")
    axes.plot(numbers, values, color=ACCENT, lw=1.4, marker="o", markersize=6, label="window")
    half = max(_LEAST_SPAN * middle, 1.3 * max(abs(value - middle) for value in values))
    axes.set_ylim(middle - half, middle + half)
    axes.set_xlim(0.5, len(values) + 0.5)
    axes.set_xticks(list(numbers))
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.set_xlabel("window")
    axes.set_ylabel(f"{unit}\nper inference, {how}", fontsize=9)  # in one line it is longer than the axis
    grid(axes, "y")
    plain(axes)
    legend(axes, 2)
    return to_svg(figure, "windows", f"{speed.title}, {how}")


def _scale(speed: Speed) -> tuple[float, str]:
    """(divisor, unit) of the axis."""
    if speed.counted:
        units = ((1e6, "million instructions"), (1e3, "thousand instructions"))
        return next(((scale, unit) for scale, unit in units if speed.middle >= scale), (1.0, "instructions"))
    return (1e3, "ms") if speed.middle >= 1000 else (1.0, "us")


def energy_svg(energy: Row, how: str) -> str:
    """Power over time, SVG: edges as lines, windows shaded, idle level dashed. how: with the origin."""
    from matplotlib.figure import Figure

    trace = energy["trace"]
    watts, step = trace["watts"], trace["seconds_per_point"]
    scale, unit = (1e3, "mW") if max(watts) < 1 else (1.0, "W")
    figure = Figure(figsize=(2 * _WIDTH_IN, 3.0))
    axes = figure.add_axes((0.065, 0.17, 0.92, 0.71))
    colour = WARN if energy["how"] == "estimated" else ACCENT
    axes.plot([step * (place + 0.5) for place in range(len(watts))], [w * scale for w in watts], color=colour, lw=1)
    for number, place in enumerate(filter(None, window_edges(energy))):
        axes.axvspan(*place, color=colour, alpha=0.14, lw=0, label=None if number else "window")
    for number, edge in enumerate(trace["edges_s"]):
        axes.axvline(edge, color=BAD, lw=0.9, label=None if number else "edge of the timestamp pin")
    idle = idle_watts(energy)
    if idle is not None:
        axes.axhline(idle * scale, color=INK, lw=1.2, ls="--", label=f"idle, {idle * scale:.4g} {unit}")
    axes.set_xlim(0, step * len(watts))
    axes.set_ylim(bottom=min(0.0, *watts) * scale)
    axes.set_xlabel("seconds")
    axes.set_ylabel(f"{unit} ({how})")
    grid(axes, "y")
    plain(axes)
    legend(axes, 3)
    return to_svg(figure, "energy", f"Power over time, {energy['meter']}, {how}")


def window_edges(energy: Row) -> list[tuple[float, float] | None]:
    """(start, end) in seconds of each window; None for one that is not in the trace.

    A trace has more edges: a single one at its start, and those of windows that were too short and were repeated. So
    windows are matched from the end: each takes the last two adjacent edges whose distance is its length.
    """
    edges, tolerance = energy["trace"]["edges_s"], energy["trace"]["seconds_per_point"]
    places: list[tuple[float, float] | None] = []
    end = len(edges)
    for window in reversed(energy["windows"]):
        fits = (at for at in range(end - 2, -1, -1) if _is_long(edges[at : at + 2], window["seconds"], tolerance))
        begin = next(fits, None)
        places.append(None if begin is None else (edges[begin], edges[begin + 1]))
        end = end if begin is None else begin
    return places[::-1]


def _is_long(pair: Sequence[float], seconds: float, tolerance: float) -> bool:
    return abs(pair[1] - pair[0] - seconds) <= tolerance


def idle_watts(energy: Row) -> float | None:
    """Median over the windows; None when none has idle time."""
    watts = [window["idle_watts"] for window in energy["windows"] if window["idle_watts"] is not None]
    return median(watts) if watts else None


def layers_svg(layers: Sequence[Row], how: str) -> str:
    """Each layer on the board beside the cost model, SVG; in instructions, else in shares."""
    from matplotlib.figure import Figure

    board, model, unit = layer_bars(layers)
    pitch = 0.44 if model else 0.32
    height = pitch * len(layers) + 1.0
    figure = Figure(figsize=(_WIDTH_IN, height))
    axes = figure.add_axes((0.16, 0.55 / height, 0.81, 1 - 0.9 / height))
    thick, shift = (0.38, 0.2) if model else (0.62, 0.0)
    rows = range(len(layers))
    axes.barh([row - shift for row in rows], board, height=thick, color=ACCENT, alpha=0.8, lw=0, label=how)
    if model:
        look: Any = {"height": thick, "facecolor": "none", "edgecolor": WARN, "hatch": "////", "lw": 1.0}
        axes.barh([row + shift for row in rows], model, label="estimated", **look)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_yticks(list(rows), [row["name"] for row in layers], parse_math=False)
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    grid(axes, "x")
    plain(axes)
    legend(axes, 2)
    return to_svg(figure, "layers", f"Layers, {how} and estimated, {unit}")


def layer_bars(layers: Sequence[Row]) -> tuple[list[float], list[float], str]:
    """(board, model or nothing, unit). Without counted instructions only shares can be compared."""
    counted = [row["instructions"] for row in layers]
    estimated = [row["estimated_instructions"] for row in layers]
    modelled = all(value is not None for value in estimated)
    if all(value is not None for value in counted):
        return counted, estimated if modelled else [], "instructions"
    return _shares([row["us"] or 0.0 for row in layers]), _shares(estimated) if modelled else [], "% of all layers"


def _shares(values: Sequence[float]) -> list[float]:
    total = sum(values) or 1.0
    return [100 * value / total for value in values]
