"""`edgekws tune`."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli._options import DATA, RECIPE, DataOption, RecipeOption, changed_recipe, read_recipe
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.tuning.results import Row
    from edgekws.tuning.search import Search

_SHOWN = 10
"""Rows of the table; all trials are in tune.json."""
_UNITS = {"": 1, "B": 1, "kB": 1_000, "KiB": 1_024, "k": 1_000, "M": 1_000_000}


def tune(
    recipe: RecipeOption = RECIPE,
    data: DataOption = DATA,
    out: Annotated[Path, typer.Option("--out", help="Folder of the search: study, trials, best recipe.")] = Path(
        "work/tune"
    ),
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            help="What varies: KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=A|B|C; may be repeated. "
            "Added to [tune] of the recipe.",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials in all, with those of earlier starts.", min=1)] = 30,
    timeout_min: Annotated[
        float | None, typer.Option(help="Stop after so many minutes; started again, the search goes on.", min=0)
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trials at once, each in a process of its own.", min=1)] = 1,
    engine: Annotated[
        str, typer.Option(help="process: on this computer. ray: on the cluster of RAY_ADDRESS, else a local one.")
    ] = "process",
    storage: Annotated[
        str, typer.Option(help="URL of an Optuna storage. Default: tune.db (SQLite) in the folder.")
    ] = "",
    epochs: Annotated[int | None, typer.Option(help="Of each trial, instead of the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the search; the recipe's own stays what it is.", min=0)] = 0,
    flash_limit: Annotated[
        str | None,
        typer.Option(help="Weights and requantization parameters at most, like 24kB; others are not trained."),
    ] = None,
    macs_limit: Annotated[str | None, typer.Option(help="Multiplications at most, like 3M.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Search a recipe's ranges for the best validation accuracy (Optuna); several processes may work at once.

    Each trial is a training; one whose curve is below the median of the others is given up. The test split is not
    read. Stopped or killed, the same command goes on; started twice, both work on the same search.

    Examples:

    `edgekws tune --range train.learning_rate=1e-4..1e-2:log --range "net.options.channels=32|48|64" --trials 20`

    `edgekws tune --recipe mine.toml --flash-limit 24kB --jobs 2` takes the ranges under [tune] of the recipe.
    """
    from edgekws.data import dataset
    from edgekws.tuning import results, workers
    from edgekws.tuning.ranges import checked, of_recipe, parse
    from edgekws.tuning.search import Limits, Search, study_of

    base = read_recipe(recipe, None, epochs)
    typed = [parse(text) for text in ranges or []]
    keys = {each.key for each in typed}
    varied = checked(base, [*(each for each in of_recipe(base) if each.key not in keys), *typed])
    loaded = dataset.load(data)
    limits = Limits(_size("--flash-limit", flash_limit), _size("--macs-limit", macs_limit))
    deadline = None if timeout_min is None else time.time() + 60 * timeout_min
    search = Search(
        changed_recipe(base, tune={}), varied, data, loaded.sha256, out, trials, storage, seed, deadline, limits, device
    )
    study = study_of(search)
    stopped = f"stopped; this goes on: {console.command_line(*sys.argv[1:])}"
    with console.when_stopped(stopped), console.progress() as report:
        workers.run(search, jobs, engine, report)
    rows = results.rows_of(study)
    results.write(search, rows, len(loaded.splits["validation"]))
    _show(search, rows, len(loaded.splits["validation"]))
    if results.best_recipe(search, rows) is not None:
        console.next_step("train", "--recipe", out / results.RECIPE, "--data", data, "--out", out / "model")


def _show(search: Search, rows: Sequence[Row], clips: int) -> None:
    finished = [row for row in rows if row.value is not None]
    names = ("trial", "accuracy", *(each.key for each in search.ranges), "epochs", "flash, B", "MACs", "")
    table = Table(*(Column(name, overflow="fold") for name in names), box=None)
    for row in rows[:_SHOWN]:
        values = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values.values()]
        accuracy = "" if row.value is None else f"{100 * row.value:.2f} %"
        size = [f"{number:,}" if number is not None else "" for number in (row.flash_bytes, row.macs)]
        table.add_row(str(row.number), accuracy, *values, str(row.epochs), *size, row.state)
    console.out.print(table)
    chosen = f"the best of {len(finished)} finished trials is chosen by the same clips: expect somewhat less on others"
    console.out.print(f"accuracy: mean of classes on {clips:,} validation clips; {chosen}")
    console.out.print(f"{len(rows)} trials; all are in {search.out / 'tune.json'}", markup=False)
    for reason, count in Counter(row.reason for row in rows if row.reason).items():
        console.warn(f"{count} of {len(rows)} trials were not trained: {reason}")
    if not finished:
        console.warn("no trial was finished, so there is no best recipe")


def _size(option: str, text: str | None) -> int | None:
    """A number with an optional unit. Raises ConfigError."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*([\d.]+)\s*(\w*)\s*", text)
    if not match or match[2] not in _UNITS or match[1].count(".") > 1:
        raise ConfigError(f"{option} should be a number, like 24kB or 3M", got=text)
    return round(float(match[1]) * _UNITS[match[2]])
