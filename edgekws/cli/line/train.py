"""`edgekws train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console
from edgekws.cli._options import DATA, OUT, RECIPE, DataOption, OutOption, changed_recipe, read_recipe

if TYPE_CHECKING:
    from edgekws.recipe import Recipe

OWN_WORDS = "own_words"


def train(
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="TOML that says how the model is made; or a model of `edgekws models`. "
            f"Default: own_words for data of word folders, else {RECIPE}."
        ),
    ] = None,
    data: DataOption = DATA,
    out: OutOption = OUT,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's epochs.")] = None,
    slots: Annotated[
        int | None,
        typer.Option(
            help="Cut each batch into so many slots: the weights are then the same for any number of processes of "
            "torchrun's. Instead of the recipe's train.slots."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto (CUDA if there is a device, else the CPU), cpu, cuda or mps.")
    ] = "auto",
    init: Annotated[
        str | None,
        typer.Option(help="Fine-tune this network: a model's folder, a checkpoint, or a model of `edgekws models`."),
    ] = None,
) -> None:
    """Train the float network. A killed run continues exactly where it was."""
    chosen = read_recipe(recipe or recipe_for(data), seed, epochs)
    given = {"slots": slots, "init": init}
    changes = {key: value for key, value in given.items() if value is not None}
    if changes:
        chosen = changed_recipe(chosen, train={**chosen.train.model_dump(), **changes})
    run(chosen, data, out, device)


def recipe_for(data: Path) -> Path:
    """The recipe for a prepared data set when none is given: own words are few, so a released network is fine-tuned."""
    from edgekws.data import dataset

    if dataset.load(data).listed_by != "folder":
        return RECIPE
    console.out.print(f"own words: the recipe {OWN_WORDS} fine-tunes a released network (--recipe for another)")
    return Path(OWN_WORDS)


def run(recipe: Recipe, data: Path, out: Path, device: str = "auto") -> None:
    """Train the float network of `recipe`, with progress."""
    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.training.options import TrainOptions

    _say_slots(recipe, out)
    with console.progress() as report:
        best = pipeline.train(recipe, dataset.load(data), out, report, TrainOptions(device))
    console.out.print(f"trained: {best}, curves in {best.parent / 'curves.svg'}")


def _say_slots(recipe: Recipe, out: Path) -> None:
    """Say in how many slots several processes train, where the recipe does not."""
    from edgekws import machine
    from edgekws.training import slots

    count = machine.place().count
    if count > 1 and recipe.train.slots is None:
        chosen = slots.continued(recipe.train, out / "float", count).slots
        console.out.print(f"{count} processes: each batch is cut into {chosen} slots (--slots {chosen})")
