"""`edgekws compare`: earlier bench runs, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console

if TYPE_CHECKING:
    from edgekws.report.compare.runs import Run

_STYLES = {"better": "green", "worse": "red", "unclear": "dim", "none": "dim", "base": "dim", "same": "dim"}


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders with a report.json, or report and bench documents.")],
    sort: Annotated[str, typer.Option(help="Best first: latency, energy, accuracy, flash, ...")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for compare.html, .md and .json.")] = None,
) -> None:
    """Put runs side by side; the first valid one is the base of the ratios.

    Figures that were measured, emulated or estimated stand in tables of their own and are never ranked together.

    Example: `edgekws compare work/a/bench/qemu-an386 work/b/bench/qemu-an386 --sort latency --out work/compare`
    """
    from edgekws.report import compare as comparing
    from edgekws.report.compare.pages import write_comparison
    from edgekws.report.compare.runs import load

    compared: list[Run] = load(runs)
    if sort:
        compared = comparing.ranked(compared, sort)
    _show(comparing.compare(compared))
    if out is not None:
        console.out.print(f"written: {escape(str(write_comparison(compared, out)[-1]))}")


def _show(document: dict[str, Any]) -> None:
    from edgekws.report.compare.pages import verdict

    for run in document["runs"]:
        colour = "red" if run["valid"] is False else "default"
        line = f"{escape(run['title'])}, [{colour}]{verdict(run)}[/], {run['how']}"
        console.out.print(f"[bold]{run['name']}[/]  {line}  [dim]{escape(run['source'])}[/]")
    for group in document["groups"]:
        console.out.print(_table(group))
    for note in document["notes"]:
        console.out.print(f"[yellow]note:[/] {escape(note)}")


def _table(group: dict[str, Any]) -> Table:
    from edgekws.report.compare.pages import change, title, value

    table = Table(group["how"], *group["runs"], box=None, header_style="bold")
    for row in group["rows"]:
        cells = []
        for cell in row["cells"]:
            style = _STYLES[cell["verdict"]] if cell else ""
            cells.append(f"{escape(value(row, cell))}\n[{style}]{escape(change(row, cell))}[/]" if cell else "")
        table.add_row(escape(title(row, group)), *cells)
    return table
