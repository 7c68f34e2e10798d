"""`edgekws plugins`: which plugins there are, where each comes from, and which of them are broken."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.plugins import Entry

KIND, VERSION = "edgekws-plugins", 1


def plugins(
    kind: Annotated[str, typer.Argument(help="Only this kind: networks, meters, boards, ...", show_default="all")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """List the plugins of each kind: what each is, where it comes from, and why it is broken if it is.

    Other packages add plugins by the entry point `edgekws.plugins`, or are named in EDGEKWS_PLUGINS, with commas.

    Exit code 4 when one is broken; a built-in one whose optional packages are not installed is not.
    """
    from edgekws.plugins import listing, row

    if kind:
        row(kind)  # refuses one that does not exist
    entries = listing([kind] if kind else None)
    broken = [entry for entry in entries if entry.problem]
    if as_json:
        print(json.dumps({"kind": KIND, "version": VERSION, "plugins": [asdict(entry) for entry in entries]}, indent=1))
    else:
        _show(entries)
    if broken:
        raise typer.Exit(ConfigError.exit_code)


def _show(entries: list[Entry]) -> None:
    width = max((len(entry.name) for entry in entries), default=0)
    for kind, members in groupby(entries, key=lambda entry: entry.kind):
        console.out.print(f"[bold]{kind}[/]")
        for entry in members:
            console.out.print(f"  {entry.name:{width}}  {entry.description or '-'} ({entry.origin})", markup=False)
            if entry.needs:
                console.out.print(f"  {'':{width}}  needs {entry.needs}, which is not installed", markup=False)
            if entry.problem:
                console.out.print(f"  {'':{width}}  broken: {entry.problem}", markup=False)
