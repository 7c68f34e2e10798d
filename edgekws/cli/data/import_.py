"""`edgekws data import`: word folders of what other tools write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edgekws.cli import console
from edgekws.cli.data import summary

_SHOWN_WORDS = 20


def import_(
    source: Annotated[Path, typer.Argument(help="File or folder of the other tool.")],
    out: Annotated[Path, typer.Argument(help="New folder for the word folders.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="audacity, edge-impulse, common-voice, mswc.", show_default="found out from the source"
        ),
    ] = None,
    words: Annotated[str | None, typer.Option(help="Take these words alone: yes,no.", show_default="all")] = None,
) -> None:
    """Make word folders of Audacity labels, an Edge Impulse export, Common Voice or MSWC."""
    from edgekws.data import imports

    source, out = source.expanduser(), out.expanduser()
    name = format_ or imports.detect(source)
    form = imports.load(name)
    wanted = {word.strip() for word in (words or "").split(",") if word.strip()}
    with console.progress() as report:
        written = imports.write(form.items(source), out, wanted, report)
    table = Table("word", "clips", box=None)
    for word, count in written.clips.most_common(_SHOWN_WORDS):
        table.add_row(word, f"{count:,}")
    console.out.print(table)
    rest = len(written.clips) - _SHOWN_WORDS
    if rest > 0:
        console.out.print(f"and {rest:,} more words")
    if written.other:
        console.out.print(f"{written.other:,} clips of other words")
    summary.left_out(written.left_out)
    console.out.print(f"{name}: {written.clips.total():,} clips in {out}", markup=False)
    console.next_step("data", "prepare", out)
