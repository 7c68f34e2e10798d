"""Plots over several runs: accuracy against size, and against latency."""

from __future__ import annotations

from collections.abc import Sequence

from edgekws.report.compare.runs import Run
from edgekws.report.svg import ACCENT, BAD, INK, SOFT, WARN, grid, plain, to_svg

_MARKS = {"measured": "o", "emulated": "s", "estimated": "^", "computed": "D"}
_COLOURS = {"measured": ACCENT, "emulated": ACCENT, "estimated": WARN, "computed": SOFT}
_SIZES = (("flash", "flash, KiB", 1024.0), ("parameters", "parameters, KiB", 1024.0))
_SPEEDS = (("instructions", "instructions per inference, millions", 1e6), ("latency", "latency, ms", 1e3))


def plots(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(title, SVG) for each `how` and data set with at least two runs: different kinds never share axes."""
    results = []
    sets = dict.fromkeys((run.how, run.dataset) for run in runs if "accuracy" in run.values)
    for number, (how, dataset) in enumerate(sets):
        chosen = [run for run in runs if (run.how, run.dataset) == (how, dataset) and "accuracy" in run.values]
        for kind, axes in (("size", _SIZES), ("speed", _SPEEDS)):
            axis = next((axis for axis in axes if len(_with(chosen, axis[0])) > 1), None)
            if axis is not None:
                title = f"Accuracy against {axis[1].split(',')[0]}, {how}: {dataset}"
                results.append((title, scatter_svg(_with(chosen, axis[0]), axis, f"{kind}-{number}", title)))
    return results


def _with(runs: Sequence[Run], metric: str) -> list[Run]:
    """The runs that can share an axis: those whose figure has the basis of the first."""
    known = [run for run in runs if metric in run.values]
    return [run for run in known if run.values[metric].basis == known[0].values[metric].basis]


def scatter_svg(runs: Sequence[Run], axis: tuple[str, str, float], name: str, title: str) -> str:
    """axis: (metric, label, divisor). Whiskers are 95 % intervals; a run that is not valid is a red cross."""
    from matplotlib.figure import Figure

    metric, label, divisor = axis
    figure = Figure(figsize=(6.4, 3.4))
    axes = figure.add_axes((0.11, 0.16, 0.85, 0.8))
    for run in runs:
        x, y = run.values[metric].value / divisor, run.values["accuracy"]
        low, high = y.spread or (y.value, y.value)
        axes.plot((x, x), (100 * low, 100 * high), color=INK, lw=1, marker="_", markersize=6)
        mark, colour = ("x", BAD) if run.valid is False else (_MARKS[run.how], _COLOURS[run.how])
        face = colour if run.how == "measured" else "none"
        axes.plot((x,), (100 * y.value,), ls="", marker=mark, color=colour, markersize=8, mew=1.8, markerfacecolor=face)
        axes.annotate(run.name, (x, 100 * y.value), (8, 4), textcoords="offset points", color=INK, fontsize=10)
    axes.set_xlabel(label)
    axes.set_ylabel("top-1 accuracy, %")
    axes.margins(x=0.12)
    grid(axes)
    plain(axes)
    return to_svg(figure, name, title)
