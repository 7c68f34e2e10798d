"""Comparison of selectors: the table, and accuracy against size as a plot.

    edgekws-loop 1: data, rows [{selector, share, clips, seeds, int8 {mean, half}, float32 {mean, half},
    against {mean, half} | null}], results [each run]

`half` is half of the 95 % interval over seeds (Student's t), null with one seed: it covers the variation between
trainings, not between test sets. `against` is the mean difference to the baseline's run of the same share and seed:
paired differences vary less than the accuracies.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekws.curate.downstream.runs import Plan, Result
from edgekws.data.dataset import Dataset
from edgekws.files import replacing, write_json, write_text
from edgekws.stats import half_of_mean

KIND, VERSION = "edgekws-loop", 1  # the name of the format, from before it was called downstream evaluation
FILES = ("downstream.json", "downstream.md", "downstream.svg")
BASELINE = "random"
_APART, _MARGIN = 1.015, 1.25
"""Factors on the axis of clips: between neighbouring selectors, and beyond the smallest and the largest size."""
_MARKS = "osD^"


def mean_and_half(values: Sequence[float]) -> dict[str, float | None]:
    """The mean and half of its 95 % interval; None for one value."""
    if len(values) < 2:
        return {"mean": values[0], "half": None}
    return {"mean": statistics.fmean(values), "half": half_of_mean(values)}


def rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One for each selector and share, the largest share and the best selector first."""
    groups = dict.fromkeys((result.share, result.selector) for result in results)
    rows = [_row([r for r in results if (r.share, r.selector) == group], results) for group in groups]
    return sorted(rows, key=lambda row: (-row["share"], -row["int8"]["mean"], row["selector"]))


def _row(same: list[Result], results: Sequence[Result]) -> dict[str, Any]:
    first = same[0]
    base = {r.seed: r.int8 for r in results if r.selector == BASELINE and r.share == first.share}
    pairs = [r.int8 - base[r.seed] for r in same if r.seed in base]
    return {
        "selector": first.selector,
        "share": first.share,
        "clips": round(statistics.fmean(r.clips for r in same)),
        "seeds": len(same),
        "int8": mean_and_half([r.int8 for r in same]),
        "float32": mean_and_half([r.float32 for r in same]),
        "against": mean_and_half(pairs) if pairs and first.selector != BASELINE else None,
    }


def write(results: Sequence[Result], plan: Plan, data: Dataset, net: str, out: Path) -> list[dict[str, Any]]:
    """Write FILES to `out`; returns the rows."""
    table = rows(results)
    head = {"kind": KIND, "version": VERSION, "net": net, "plan": asdict(plan)}
    about = {"data": {"name": data.name, "sha256": data.sha256, "notes": list(data.notes)}}
    write_json(out / FILES[0], {**head, **about, "rows": table, "results": [asdict(r) for r in results]})
    write_text(out / FILES[1], markdown(table, results, plan, data, net))
    draw(table, f"{net} on {data.name}", out / FILES[2])
    return table


def markdown(table: Sequence[dict[str, Any]], results: Sequence[Result], plan: Plan, data: Dataset, net: str) -> str:
    """The table as Markdown, and how it was made. table: of `rows`."""
    intro = (
        f"Accuracy of the int8 {net} (PTQ, integer graph) on {results[0].n} test clips of {data.name}, trained on a "
        f"share of its {len(data.splits['train'])} training clips for {plan.steps} batches. After +-: half of the "
        f"95 % interval over seeds. Computed on this machine."
    )
    heads = ("share", "selector", "clips", "seeds", "int8", "float", f"against {BASELINE}, points")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in table:
        cells = (f"{100 * row['share']:g} %", row["selector"], str(row["clips"]), str(row["seeds"]))
        scores = (percent(row["int8"]), percent(row["float32"]), verdict(row))
        lines.append(f"| {' | '.join((*cells, *scores))} |")
    notes = [f"- {note}" for note in data.notes]
    return "\n".join([intro, "", *lines, "", *notes, ""])


def verdict(row: dict[str, Any]) -> str:
    """The difference in percentage points, and whether it exceeds its interval."""
    against = row["against"]
    if against is None:
        return ""
    if against["half"] is None:
        return f"{100 * against['mean']:+.2f}, one seed"
    clear = (
        "better" if against["mean"] > against["half"] else "worse" if -against["mean"] > against["half"] else "unclear"
    )
    return f"{100 * against['mean']:+.2f} +- {100 * against['half']:.2f}, {clear}"


def percent(value: dict[str, float | None]) -> str:
    """Mean +- half of the interval, in %."""
    mean, half = value["mean"] or 0.0, value["half"]
    return f"{100 * mean:.2f} %" if half is None else f"{100 * mean:.2f} +- {100 * half:.2f} %"


def draw(table: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """Accuracy against number of clips, a line for each selector, with the intervals as error bars.

    Selectors are slightly offset so that error bars do not overlap.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullFormatter

    names = sorted({row["selector"] for row in table})
    sizes = sorted(
        {max(row["clips"] for row in table if row["share"] == share) for share in {r["share"] for r in table}}
    )
    with mpl.rc_context({"svg.hashsalt": "loop"}):
        figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
        for number, selector in enumerate(names):
            points = sorted((row for row in table if row["selector"] == selector), key=lambda row: row["clips"])
            offset = _APART ** (number - (len(names) - 1) / 2)
            accuracies = [100 * row["int8"]["mean"] for row in points]
            error_bars = [100 * (row["int8"]["half"] or 0.0) for row in points]
            style = {"color": "#555555", "ls": "--"} if selector == BASELINE else {"color": f"C{number % 10}"}
            places, mark = [row["clips"] * offset for row in points], _MARKS[number // 10 % len(_MARKS)]
            axes.errorbar(places, accuracies, error_bars, label=Path(selector).name, marker=mark, capsize=3, **style)
        axes.set(xlabel="training clips chosen", ylabel="int8 test accuracy, %", xscale="log", title=title)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(sizes[0] / _MARGIN, sizes[-1] * _MARGIN)
        axes.grid(alpha=0.3)
        figure.legend(frameon=False, loc="outside right upper")
        with replacing(path) as partial:
            figure.savefig(partial, format="svg", metadata={"Date": None})
        pyplot.close(figure)
