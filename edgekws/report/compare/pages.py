"""A comparison as text, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekws.files import write_json, write_text
from edgekws.report import origin, text
from edgekws.report.compare import compare
from edgekws.report.compare.figures import METRICS
from edgekws.report.compare.gate import Verdict
from edgekws.report.compare.lines import lines as gate_lines
from edgekws.report.compare.lines import summary
from edgekws.report.compare.runs import Run
from edgekws.report.html import render
from edgekws.report.markdown import table

Row = dict[str, Any]


def write_comparison(runs: Sequence[Run], folder: Path, gate: Verdict | None = None) -> list[Path]:
    """Write compare.json, compare.md and compare.html into `folder`, each atomically. Returns their paths."""
    document = compare(runs, gate)
    page, words = to_html(document, runs), to_markdown(document)
    paths = [folder / f"compare.{suffix}" for suffix in ("json", "md", "html")]
    write_json(paths[0], document)
    write_text(paths[1], words)
    write_text(paths[2], page)
    return paths


def title(row: Row, group: Row) -> str:
    """A row's title, with its `how` where that is not the group's."""
    return row["title"] if row["how"] in (group["how"], "computed") else f"{row['title']} ({row['how']})"


def value(row: Row, cell: Row | None) -> str:
    """The figure with its interval; "≈" marks an estimate."""
    if cell is None:
        return ""
    shown = _quantity(cell["value"], row["unit"])
    interval = ""
    if row["unit"] == "share" or row["how"] == "estimated":
        interval = "" if cell["low"] is None else f" [{_bare(cell['low'], row)} to {_bare(cell['high'], row)}]"
    return f"{'≈ ' if row['how'] == 'estimated' else ''}{shown}{interval}"


def _quantity(number: float, unit: str) -> str:
    return " ".join(text.quantity(number, unit)).strip()


def _bare(number: float, row: Row) -> str:
    return text.quantity(number, row["unit"])[0]


def change(row: Row, cell: Row | None) -> str:
    """The change against the base and its verdict; or why there is none."""
    if cell is None or cell["verdict"] == "base":
        return "" if cell is None else "base"
    if cell["change"] is None:
        return f"not compared: {cell['why']}" if cell["why"] else "not compared"
    if METRICS[row["metric"]].change == "ratio":
        amount = f"× {cell['change']:.3f}"
    else:
        amount = f"{100 * cell['change']:+.2f} points" if row["unit"] == "share" else f"{cell['change']:+.4f}"
    return f"{amount}, {cell['verdict'] if cell['verdict'] != 'none' else 'not comparable: ' + cell['why']}"


def verdict(run: Row) -> str:
    """Whether the run is valid."""
    if run["valid"] and origin.is_trace(run):
        return "valid as a trace"
    return {True: "valid", False: "NOT VALID", None: "no board"}[run["valid"]]


def names(document: Row) -> dict[str, str]:
    """Name -> head of the run's column, which says of an imported trace that it is one."""
    return {run["name"]: f"{run['name']}{' (imported trace)' * origin.is_trace(run)}" for run in document["runs"]}


def to_markdown(document: Row) -> str:
    """The Markdown of an `edgekws-compare` document."""
    heads = ("run", "what", "board", "graph", "verdict", "figures", "origin", "source")
    rows = [_run(run) for run in document["runs"]]
    lines = ["# Comparison", "", *_gate(document)]
    lines += [*table(heads, rows), *(f"- {note}" for note in document["notes"]), ""]
    for group in document["groups"]:
        body = [
            (title(row, group), *(f"{value(row, cell)} ({change(row, cell)})" if cell else "" for cell in row["cells"]))
            for row in group["rows"]
        ]
        lines += [
            f"## {group['how'].capitalize()}",
            "",
            *table(("", *(names(document)[name] for name in group["runs"])), body),
        ]
    return "\n".join(lines) + "\n"


def _run(run: Row) -> tuple[str, ...]:
    graph = f"{run['graph']} {run['graph_sha256'][:12]}"
    how = origin.how(run, run["how"])
    return run["name"], run["title"], run["board"], graph, verdict(run), how, origin.line(run), run["source"]


def _gate(document: Row) -> list[str]:
    if document["gate"] is None:
        return []
    body = [(f"**{word}**", rule, what) for word, rule, what in gate_lines(document)]
    return [f"## Gate: {summary(document['gate'])}", "", *table(("", "fails if", "what"), body)]


def to_html(document: Row, runs: Sequence[Run]) -> str:
    """The page of an `edgekws-compare` document, with plots of `runs`."""
    from markupsafe import Markup

    from edgekws.report.compare.scatter import plots

    return render(
        "compare/page.html.j2",
        compared=document,
        how={**text.HOW, **(text.TRACED if any(map(origin.is_trace, document["runs"])) else {})},
        names=names(document),
        plots=[{"title": head, "svg": Markup(svg)} for head, svg in plots(runs)],
        row_title=title,
        value=value,
        change=change,
        verdict=verdict,
        gate_lines=gate_lines,
        gate_summary=summary,
        invalid={run["name"] for run in document["runs"] if run["valid"] is False},
    )
