"""`edgekws select downstream`: selectors compared by the int8 accuracy of the network trained on their selections."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import DATA, DataOption, changed_recipe, default_recipe

if TYPE_CHECKING:
    from edgekws.curate.downstream.runs import Result
    from edgekws.recipe import Recipe

OUT = Path("work/downstream")
_FORMER_OUT = Path("work/loop")
MODELS = Path("models")


def downstream(
    net: Annotated[str, typer.Option("--for", help="The network: models/NET/recipe.toml, or a file of edgekws/nets.")],
    selector: Annotated[
        list[str] | None,
        typer.Option(help="A name, file.py, file.py:Class or module:Class; may be repeated. Default: every name."),
    ] = None,
    share: Annotated[
        list[float] | None, typer.Option(help="Share of the training clips, 0..1; may be repeated.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Random seed of selection and training; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Batches of each training, whatever the size.")] = 1500,
    validation: Annotated[int, typer.Option(help="Validation clips that select the best epoch; 0 is all.")] = 1000,
    embedding: Annotated[
        str, typer.Option(help="Vectors that selectors see: statistics, or a model of edgekws/curate/embed/models.")
    ] = ("statistics"),
    data: DataOption = DATA,
    recipe: Annotated[Path | None, typer.Option(help="A recipe instead of the network's own.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs, the table and the plot.")] = OUT,
) -> None:
    """Select training clips with each selector, train, quantize, and compare the int8 networks.

    Default: 10 % of the clips, seeds 0, 1 and 2. The same command continues a stopped evaluation; the table is
    written after each run.

    Example: `edgekws select downstream --for dscnn --selector random --selector mine.py --share 0.1 --share 0.25`
    """
    from edgekws.curate import select
    from edgekws.curate.downstream import runs, summary
    from edgekws.data import dataset

    names = tuple(select.current_name(name, console.warn) for name in selector or select.names())
    plan = runs.Plan(names, tuple(share or (0.1,)), tuple(seed or (0, 1, 2)), steps, validation, embedding)
    loaded = dataset.load(data)
    finished: list[Result] = []

    def done(results: list[Result]) -> None:
        finished[:] = results
        summary.write(results, plan, loaded, net, out)

    with console.progress() as report:
        runs.run(plan, _recipe(net, recipe), loaded, out, report, done)
    _show(finished)
    _, table, plot = summary.FILES
    console.out.print(f"table and plot: {escape(str(out / table))}, {escape(str(out / plot))}")


@functools.wraps(downstream)
def loop(**options: Any) -> None:  # noqa: ANN401 (the options of `downstream`)
    """The former name of `downstream`, with its former default folder."""
    console.renamed("select loop", "select downstream")
    downstream(**{**options, "out": _FORMER_OUT} if options["out"] == OUT else options)


def _recipe(net: str, given: Path | None) -> Recipe:
    from edgekws import models, plugins, recipe

    path = given or models.find(MODELS / net / models.RECIPE)
    if given is not None or path.exists():
        return recipe.load(path)
    plugins.load("networks", net)  # raises for an unknown network
    return changed_recipe(default_recipe(), name=net, net={"name": net.replace("-", "_")})


def _show(results: list[Result]) -> None:
    from edgekws.curate.downstream import summary

    table = Table("share", "selector", "clips", "int8", "float", f"against {summary.BASELINE}", box=None)
    for row in summary.rows(results):
        scores = (summary.percent(row["int8"]), summary.percent(row["float32"]), summary.verdict(row))
        table.add_row(f"{100 * row['share']:g} %", escape(row["selector"]), str(row["clips"]), *scores)
    console.out.print(table)
