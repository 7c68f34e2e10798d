"""`edgekws quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws import console
from edgekws.cli._options import (
    DATA,
    OUT,
    RECIPE,
    DataOption,
    OutOption,
    RecipeOption,
    changed_recipe,
    read_recipe,
)

if TYPE_CHECKING:
    from edgekws.recipe import Recipe


def quantize(
    recipe: RecipeOption = RECIPE,
    data: DataOption = DATA,
    out: OutOption = OUT,
    method: Annotated[str | None, typer.Option(help="ptq or qat, instead of the recipe's.")] = None,
) -> None:
    """Turn the trained network into the integer graph of the NPU, and score both."""
    chosen = read_recipe(recipe, None, None)
    if method is not None:
        chosen = changed_recipe(chosen, quant={**chosen.quant.model_dump(), "method": method})
    run(chosen, data, out)


def run(recipe: Recipe, data: Path, out: Path) -> None:
    """Quantize the trained network in `out`, write its graph and show the scores."""
    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.train import BEST

    loaded = dataset.load(data)
    with console.progress() as report:
        trained = pipeline.load_trained(out / "float" / BEST, recipe)
        pipeline.quantize(trained, loaded, out, report)
    scores = pipeline.read_scores(out / "quantize.json")["scores"]
    table = Table("split", "clips", "float", "integers", "differing integers", box=None)
    for split, row in scores.items():
        shown = [f"{100 * row[key]['accuracy']:.2f} %" for key in ("float", "graph")]
        table.add_row(split, str(row["float"]["n"]), *shown, f"{row['differing_integers']} of {row['integers']}")
    console.out.print(f"accuracy on {loaded.name} (computed on this machine), graph in {out / 'graph.npz'}")
    console.out.print(table)
    for note in loaded.notes:
        console.out.print(f"[yellow]note:[/] {note}")
