"""`edgekws select loop`: what a selection is worth in the int8 accuracy of the network that will run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import DATA, DataOption, changed_recipe, default_recipe

if TYPE_CHECKING:
    from edgekws.curate.downstream.runs import Result
    from edgekws.recipe import Recipe

OUT = Path("work/loop")
MODELS = Path("models")


def loop(
    net: Annotated[str, typer.Option("--for", help="The network: models/NET/recipe.toml, or a file of edgekws/nets.")],
    selector: Annotated[
        list[str] | None,
        typer.Option(help="A name, file.py, file.py:Class or module:Class; may be repeated. Default: every name."),
    ] = None,
    share: Annotated[list[float] | None, typer.Option(help="Of the training clips, 0..1; may be repeated.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of selection and training; may be repeated.")] = None,
    steps: Annotated[int, typer.Option(help="Batches of each training, whatever the size.")] = 1500,
    validation: Annotated[int, typer.Option(help="Validation clips that choose the best epoch; 0 is all.")] = 1000,
    embedding: Annotated[
        str, typer.Option(help="What selectors see: statistics, or a model of edgekws/curate/embed.")
    ] = ("statistics"),
    data: DataOption = DATA,
    recipe: Annotated[Path | None, typer.Option(help="Instead of the network's own recipe.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs, the table and the plot.")] = OUT,
) -> None:
    """Choose training clips with each selector, train, quantize, and compare the int8 networks.

    Default: 10 % of the clips, seeds 0, 1 and 2. The same command continues where it was stopped; the table is
    written after each run.

    Example: `edgekws select loop --for dscnn --selector random --selector mine.py --share 0.1 --share 0.25`
    """
    from edgekws.curate import select
    from edgekws.curate.downstream import runs, summary
    from edgekws.data import dataset

    names = tuple(selector or select.names())
    plan = runs.Plan(names, tuple(share or (0.1,)), tuple(seed or (0, 1, 2)), steps, validation, embedding)
    loaded = dataset.load(data)
    found: list[Result] = []

    def done(results: list[Result]) -> None:
        found[:] = results
        summary.write(results, plan, loaded, net, out)

    with console.progress() as report:
        runs.run(plan, _recipe(net, recipe), loaded, out, report, done)
    _show(found)
    console.out.print(f"table and plot: {escape(str(out / 'loop.md'))}, {escape(str(out / 'loop.svg'))}")


def _recipe(net: str, given: Path | None) -> Recipe:
    from edgekws import models, plugins, recipe

    path = given or models.find(MODELS / net / models.RECIPE)
    if given is not None or path.exists():
        return recipe.load(path)
    plugins.load("networks", net)  # says which there are
    return changed_recipe(default_recipe(), name=net, net={"name": net.replace("-", "_")})


def _show(results: list[Result]) -> None:
    from edgekws.curate.downstream import summary

    table = Table("share", "selector", "clips", "int8", "float", f"against {summary.BASELINE}", box=None)
    for row in summary.rows(results):
        scores = (summary.percent(row["int8"]), summary.percent(row["float32"]), summary.verdict(row))
        table.add_row(f"{100 * row['share']:g} %", escape(row["selector"]), str(row["clips"]), *scores)
    console.out.print(table)
