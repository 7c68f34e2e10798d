"""`edgekws train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console
from edgekws.cli._options import DATA, OUT, RECIPE, DataOption, OutOption, RecipeOption, read_recipe

if TYPE_CHECKING:
    from edgekws.recipe import Recipe


def train(
    recipe: RecipeOption = RECIPE,
    data: DataOption = DATA,
    out: OutOption = OUT,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's epochs.")] = None,
) -> None:
    """Train the float network. A killed run continues exactly where it was."""
    run(read_recipe(recipe, seed, epochs), data, out)


def run(recipe: Recipe, data: Path, out: Path) -> None:
    """Train the float network of `recipe`, with progress."""
    from edgekws import pipeline
    from edgekws.data import dataset

    with console.progress() as report:
        best = pipeline.train(recipe, dataset.load(data), out, report)
    console.out.print(f"trained: {best}, curves in {best.parent / 'curves.svg'}")
