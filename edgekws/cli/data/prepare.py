"""`edgekws data prepare` and `info`: make a prepared data set from recordings, and show it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import DATA, DataOption, RootOption
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset


def prepare(
    root: RootOption = None,
    source: Annotated[
        str, typer.Option(help="speech_commands, folder (any word folders), synthetic")
    ] = "speech_commands",
    out: Annotated[Path, typer.Option("--out", help="Folder of the prepared data set.")] = DATA,
    decisions: Annotated[
        Path | None, typer.Option(help="decisions.json of `data clean --root`: clips to drop, labels to correct.")
    ] = None,
) -> None:
    """Decode recordings into a data set with splits, labels and a hash that identifies it.

    Without --root, an existing prepared data set is kept; if there is none, Speech Commands is downloaded (2.5 GB; a
    broken download is resumed).
    """
    if source == "synthetic" and root is not None:
        raise ConfigError("--source synthetic makes its own recordings", got=f"--root {root}", hint="omit --root")
    data = prepared(source, None if source == "synthetic" else root_of(root), out, decisions)
    _show_dataset(data)


def data_info(
    data: DataOption = DATA,
    verify: Annotated[bool, typer.Option(help="Also read every sample and check the hashes.")] = False,
) -> None:
    """Show splits, clips per label and the hash of a prepared data set."""
    from edgekws.data import dataset

    loaded = dataset.load(data)
    if verify:
        dataset.verify(loaded)
        console.out.print("all samples match their hashes")
    _show_dataset(loaded)


def root_of(given: Path | None) -> Path | None:
    """The given folder, else that of the environment variable EDGEKWS_DATA."""
    named = os.environ.get("EDGEKWS_DATA")
    return given or (Path(named) if named else None)


def prepared(source: str, root: Path | None, out: Path, decisions: Path | None = None) -> Dataset:
    """The data set in `out`; made first from `root`, from a download or from synthetic speech."""
    from edgekws import pipeline
    from edgekws.data import dataset, download
    from edgekws.data import decisions as deciding
    from edgekws.data.sources import synthetic

    decided = deciding.load(decisions) if decisions else None
    if source == "speech_commands" and root is None and decided is None and (out / dataset.INDEX).exists():
        return dataset.load(out)
    with console.progress() as report:
        if source == "synthetic":
            root = synthetic.make(out.parent / "synthetic", report)
        elif root is None and source != "speech_commands":
            raise ConfigError(f"--source {source} needs a folder of recordings", hint="give it with --root")
        elif root is None:
            root = download.download(out.parent / "recordings", report)
        return pipeline.prepare(source, root, out, report, decided)


def _show_dataset(data: Dataset) -> None:
    import numpy as np

    table = Table("label", *data.splits, box=None)
    counts = [np.bincount(split.labels, minlength=len(data.labels)) for split in data.splits.values()]
    for number, label in enumerate(data.labels):
        table.add_row(label, *(str(count[number]) for count in counts))
    table.add_row("all", *(str(len(split)) for split in data.splits.values()), style="bold")
    console.out.print(table)
    for note in data.notes:
        console.out.print(f"[yellow]note:[/] {note}")
    console.out.print(f"{data.name} in {data.folder}, hash {data.sha256[:16]}")
