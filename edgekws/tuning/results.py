"""The results of a search: a table, a picture, and the best recipe as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.files import replacing, write_json, write_text
from edgekws.recipe import Recipe, to_toml
from edgekws.tuning.ranges import Range, applied
from edgekws.tuning.search import Search, counting

if TYPE_CHECKING:
    from optuna import Study

RECIPE, TABLE, PICTURE = "recipe.toml", "tune.json", "tune.svg"
KIND, VERSION = "edgekws-tune", 1
_COLUMNS = 3
"""Ranges beside each other in the picture."""


@dataclass(frozen=True)
class Row:
    """One trial. state: complete, pruned, fail or running; value: class-balanced validation accuracy, 0..1, None for

    one that was not finished; epochs: that it trained; reason: why it was not.
    """

    number: int
    state: str
    value: float | None
    values: dict[str, Any]
    epochs: int
    flash_bytes: int | None
    macs: int | None
    reason: str = ""


def rows_of(study: Study) -> list[Row]:
    """The trials that count, the best first."""
    rows = [
        Row(
            trial.number,
            trial.state.name.lower(),
            trial.value if trial.state.name == "COMPLETE" else None,
            dict(trial.params),
            max(trial.intermediate_values, default=0),
            trial.user_attrs.get("flash_bytes"),
            trial.user_attrs.get("macs"),
            trial.user_attrs.get("reason", ""),
        )
        for trial in counting(study)
    ]
    return sorted(rows, key=lambda row: (row.value is None, -(row.value or 0.0), row.number))


def best_recipe(search: Search, rows: Sequence[Row]) -> Recipe | None:
    """The recipe of the best trial; None when none was finished."""
    return applied(search.recipe, rows[0].values) if rows and rows[0].value is not None else None


def write(search: Search, rows: Sequence[Row], clips: int) -> None:
    """Write tune.json, tune.svg and, of a search with a finished trial, recipe.toml. clips: of the validation split."""
    body = {
        **search.identity(),
        "objective": "class-balanced validation accuracy",
        "clips": clips,
        "trials": [asdict(row) for row in rows],
    }
    write_json(search.out / TABLE, {"kind": KIND, "version": VERSION, **body})
    best = best_recipe(search, rows)
    if best is not None:
        accuracy = f"{100 * (rows[0].value or 0):.2f} % class-balanced validation accuracy"
        about = f"# The best of {len(rows)} trials, trial {rows[0].number}: {accuracy}."
        write_text(search.out / RECIPE, f"{about}\n{to_toml(best)}")
        draw(search.ranges, rows, search.out / PICTURE)


def draw(ranges: Sequence[Range], rows: Sequence[Row], picture: Path) -> None:
    """The accuracy of each finished trial against each range, and in the order of the trials; as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    finished = sorted((row for row in rows if row.value is not None), key=lambda row: row.number)
    accuracies = [100 * (row.value or 0) for row in finished]
    lines = -(-(1 + len(ranges)) // _COLUMNS)
    size = (3.2 * _COLUMNS, 2.8 * lines)
    figure, grid = pyplot.subplots(lines, _COLUMNS, figsize=size, layout="constrained", squeeze=False)
    first, *others = grid.flat
    _history(first, [row.number for row in finished], accuracies)
    for axes, each in zip(others, ranges, strict=False):
        _against(axes, each, [row.values[each.key] for row in finished], accuracies)
    for axes in others[len(ranges) :]:
        axes.set_axis_off()
    figure.suptitle("Search: class-balanced validation accuracy, %")
    with replacing(picture) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None, "Title": "Trials of a search"})
    pyplot.close(figure)


def _history(axes: Any, numbers: list[int], accuracies: list[float]) -> None:  # noqa: ANN401 (matplotlib's Axes)
    best = [max(accuracies[: place + 1]) for place in range(len(accuracies))]
    axes.plot(numbers, accuracies, "o", label="trial")
    axes.plot(numbers, best, drawstyle="steps-post", label="best so far")
    axes.set(xlabel="trial")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)


def _against(axes: Any, each: Range, values: list[Any], accuracies: list[float]) -> None:  # noqa: ANN401
    axes.plot([str(value) for value in values] if each.choices else values, accuracies, "o")
    axes.set(xlabel=each.key)
    if each.log:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
