"""`edgekws select shards`: select from a folder of embeddings that may be larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.curate.select import Selection
    from edgekws.curate.shards import Chosen


def shards(
    folder: Annotated[Path | None, typer.Argument(help="Parquet files with clip_id and mswc_embedding_vector.")] = None,
    method: Annotated[str, typer.Option(help="random, balanced, kcenter, facility, ...; see --list.")] = "facility",
    size: Annotated[int, typer.Option(min=1, help="Number of clips to select.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    memory: Annotated[
        str, typer.Option(help="Limit for all processes together: 2GB, 800MiB.", show_default="half of what is free")
    ] = "",
    engine: Annotated[str, typer.Option(help="process (this computer), ray (a cluster, extra edgekws[ray]).")] = (
        "process"
    ),
    workers: Annotated[
        int, typer.Option(min=0, help="Concurrent tasks; 0 is one per core, fewer if memory is short.")
    ] = 0,
    target: Annotated[list[str] | None, typer.Option(help="A word to detect; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="File of the selection.", show_default="SIZE_train.json")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write order, weights and figures to this JSON file.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Folder of the working copy.", show_default="FOLDER.work")] = None,
    list_methods: Annotated[bool, typer.Option("--list", help="List the methods and exit.")] = False,
) -> None:
    """Select clips from a folder of parquet shards of any size, within a limit of memory.

    The selection does not depend on shards, memory, workers or engine. A working copy (one byte per number) is kept
    beside the shards; the same command resumes a run that was stopped or killed.

    Example: `edgekws select shards work/embeddings --method kcenter --size 1000 --memory 2GB --target yes`
    """
    from edgekws.curate import shards as library
    from edgekws.curate.select import files
    from edgekws.curate.shards.memory import bytes_of
    from edgekws.files import write_json

    if list_methods:
        return _list()
    if folder is None:
        raise ConfigError("select shards needs a folder of shards", hint="edgekws select shards FOLDER --size 1000")
    out = out or Path(f"{size}_train.json")
    if out.is_dir():
        raise ConfigError("--out should be a file", got=f"the folder {out}", hint=f"give {out / f'{size}_train.json'}")
    amount, targets = bytes_of(memory) if memory else None, tuple(target or ())
    with console.progress() as progress:
        chosen = library.select(
            folder, method, size, seed, amount, engine, progress, work=work, workers=workers or None, targets=targets
        )
    selection = chosen.selection(targets)
    _require_clips(selection)
    files.write_selection(selection, out)
    if report is not None:
        write_json(report, chosen.to_json())
    return _show(chosen, selection, out)


def _require_clips(selection: Selection) -> None:
    empty = [word for word, ids in selection.targets.items() if not ids]
    if empty:
        hint = "check how the ids spell the word, or give another --method or --size; the working copy is kept"
        raise ConfigError("a clip of each --target should be selected", got=f"none of {', '.join(empty)}", hint=hint)


def _list() -> None:
    from edgekws.curate import shards

    console.listed(shards.described_methods())


def _show(chosen: Chosen, selection: Selection, out: Path) -> None:
    value = f", {chosen.measure} {chosen.value:.6g}" if chosen.measure else ""
    console.out.print(
        f"{escape(chosen.method)}, seed {chosen.seed}: {len(chosen.ids):,} of {chosen.rows:,} clips{value}, "
        f"peak memory {chosen.peak_bytes >> 20} MiB"
    )
    if chosen.left_out:
        console.out.print(f"[yellow]left out:[/] {chosen.left_out:,} clips whose vector is all zeros")
    for word, ids in selection.targets.items():
        console.out.print(f"{escape(word)}: {len(ids):,} of them")
    console.out.print(f"written: {escape(str(out))}")
