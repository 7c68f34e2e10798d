"""`edgekws compare`: earlier bench runs side by side, and a gate on what changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console

if TYPE_CHECKING:
    from edgekws.report.compare.gate import Verdict
    from edgekws.report.compare.rules import Gate
    from edgekws.report.compare.runs import Run

_STYLES = {"better": "green", "worse": "red", "unclear": "dim", "none": "dim", "base": "dim", "same": "dim"}
_GATE_STYLES = {"PASS": "green", "FAIL": "bold red", "UNCLEAR": "yellow", "REFUSED": "bold red"}

FailIfOption = Annotated[
    list[str],
    typer.Option(
        "--fail-if",
        metavar="RULE",
        help='Exit with 10 if a run breaks it: "instructions > +1 %", "flash > +512 B", "accuracy < -0.5 points", '
        '"latency > 20 ms". With a sign: against the first run. May be given again.',
    ),
]
AllowOption = Annotated[
    list[str],
    typer.Option(
        "--allow",
        metavar="REASON",
        help="Accept a difference that a rule would be refused for: volts, emulator, board (docs/how-to/compare.md).",
    ),
]


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs or boards, or report and bench documents.")],
    sort: Annotated[
        str, typer.Option(help="Best first: instructions, latency (of physical boards), energy, accuracy, flash, ...")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for compare.html, .md and .json.")] = None,
    fail_if: FailIfOption = [],  # noqa: B006 (typer copies it)
    rules: Annotated[Path | None, typer.Option(help="File of rules (TOML), besides those of --fail-if.")] = None,
    allow: AllowOption = [],  # noqa: B006
    strict: Annotated[bool, typer.Option("--strict", help="A change that is unclear fails too.")] = False,
    write_rules: Annotated[
        Path | None, typer.Option("--write-rules", help="Write the rules of this command as a file for --rules.")
    ] = None,
) -> None:
    """Put runs side by side; with --fail-if, fail when a run is worse than the first.

    Figures that were measured, emulated or estimated stand in tables of their own and are never ranked together. The
    first valid run is the base of the ratios; the first run is the base of the rules.

    Examples:

    - `edgekws compare work/a/bench/qemu-an386 work/b/bench/qemu-an386 --sort instructions --out work/compare`
    - `edgekws compare main/bench/qemu-an386 work/bench/qemu-an386 --fail-if "instructions > +1 %"`

    Exit codes of a gate: 0 every rule holds, 10 a rule is broken, 11 no rule is broken but one was refused because the
    runs cannot be compared.
    """
    from edgekws.report import compare as comparing
    from edgekws.report.compare.pages import write_comparison
    from edgekws.report.compare.runs import load

    gate = _gate(fail_if, rules, allow, strict)
    if write_rules is not None:
        _write(gate, write_rules)
    compared: list[Run] = load(runs)
    comparing.require_two(compared)
    verdict = _verdict(compared, gate)
    if sort:
        compared = comparing.ranked(compared, sort)
    document = comparing.compare(compared, verdict)
    _show(document)
    if out is not None:
        console.out.print(f"written: {escape(str(write_comparison(compared, out, verdict)[-1]))}")
    if verdict is not None:
        _show_gate(document)
        verdict.require_pass()


def _gate(fail_if: list[str], rules: Path | None, allow: list[str], strict: bool) -> Gate:
    """Raises ConfigError for --allow or --strict without a rule."""
    from edgekws.errors import ConfigError
    from edgekws.report.compare import comparable
    from edgekws.report.compare.rules import Gate, joined, parse, read

    comparable.require_known(allow, "--allow")
    given = Gate(tuple(map(parse, fail_if)), tuple(allow), strict)
    gate = joined([*([read(rules)] if rules else []), given])
    if not gate.rules and (allow or strict):
        option = "--allow" if allow else "--strict"
        raise ConfigError(f"{option} belongs to --fail-if or --rules", got=f"{option} alone", hint="add a rule")
    return gate


def _write(gate: Gate, path: Path) -> None:
    from edgekws.errors import ConfigError
    from edgekws.report.compare.rules import write

    if not gate.rules:
        raise ConfigError("--write-rules needs a rule", got="none", hint='add --fail-if "instructions > +1 %"')
    write(gate, path)
    console.out.print(f"written: {escape(str(path))}")


def _verdict(runs: list[Run], gate: Gate) -> Verdict | None:
    from edgekws.report.compare.gate import judge

    return judge(runs, gate) if gate.rules else None


def _show(document: dict[str, Any]) -> None:
    from edgekws.report import origin
    from edgekws.report.compare.pages import names, verdict

    for run in document["runs"]:
        colour = "red" if run["valid"] is False else "default"
        about = f"{origin.how(run, run['how'])}, {origin.line(run)}"
        line = f"{escape(run['title'])}, [{colour}]{verdict(run)}[/], {escape(about)}"
        console.out.print(f"[bold]{run['name']}[/]  {line}  [dim]{escape(run['source'])}[/]")
    for group in document["groups"]:
        console.out.print(_table(group, names(document)))
    for note in document["notes"]:
        console.out.print(f"[yellow]note:[/] {escape(note)}")


def _show_gate(document: dict[str, Any]) -> None:
    from edgekws.report.compare.lines import lines, summary

    for word, rule, what in lines(document):
        console.out.print(f"[{_GATE_STYLES[word]}]{word:7}[/] {escape(rule)}: {escape(what)}", soft_wrap=True)
    console.out.print(f"gate: {escape(summary(document['gate']))}")


def _table(group: dict[str, Any], names: dict[str, str]) -> Table:
    from edgekws.report.compare.pages import change, title, value

    table = Table(group["how"], *(names[name] for name in group["runs"]), box=None, header_style="bold")
    for row in group["rows"]:
        cells = []
        for cell in row["cells"]:
            style = _STYLES[cell["verdict"]] if cell else ""
            cells.append(f"{escape(value(row, cell))}\n[{style}]{escape(change(row, cell))}[/]" if cell else "")
        table.add_row(escape(title(row, group)), *cells)
    return table
