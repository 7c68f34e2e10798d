"""`edgekws train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws import machine
from edgekws.cli import console
from edgekws.cli._model import data_for
from edgekws.cli._options import DATA, OUT, RECIPE, OutOption, changed_recipe, read_recipe

if TYPE_CHECKING:
    from edgekws.evaluation.training import Verdict
    from edgekws.recipe import Recipe
    from edgekws.training.options import TrainOptions


TrackerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        help="Where the values of each epoch go besides log.csv: csv, tensorboard, wandb, mlflow or a plugin's name; "
        "may be repeated. Default: tensorboard when it is installed. none: nowhere.",
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(help="Long recordings without any of the words, for a recipe with [stream]: speech above all."),
]
NoiseOption = Annotated[
    Path | None, typer.Option(help="Noises for a recipe with [stream].", show_default="those of the data set")
]
RoomsOption = Annotated[
    Path | None,
    typer.Option(help="Impulse responses of rooms for a recipe with [stream].", show_default="drawn at random"),
]
OWN_WORDS = "own_words"
_TYPED = "command line"


def train(
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="TOML that says how the model is made; or a model of `edgekws models`. "
            f"Default: own_words for data of word folders, else {RECIPE}."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Prepared data set.", show_default=f"that of the training in --out, else {DATA}"),
    ] = None,
    out: OutOption = OUT,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Instead of the recipe's epochs; may be raised later, the training goes on.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="End after so many epochs without a better validation loss.")
    ] = None,
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
    background: FolderOption = None,
    noise: NoiseOption = None,
    rooms: RoomsOption = None,
    tracker: TrackerOption = None,
) -> None:
    """Train the float network. A killed run continues exactly where it was.

    Examples:

    `edgekws train --data work/my_words/data --out work/my_words/model` trains on your own words.

    `edgekws train --out work/dscnn --epochs 60` goes on with a training of 36 epochs, to 60 in all. The learning rate
    then follows the schedule of 60 epochs from epoch 36 on.

    `edgekws train --recipe dscnn_stream --background talk --noise noises --rooms rooms` trains a network that listens.

    `edgekws train --patience 8 --tracker tensorboard --tracker wandb` ends early and logs to two trackers.
    """
    from edgekws.training.options import TrainOptions
    from edgekws.training.tracking import chosen

    options = TrainOptions(device, chosen(tracker), background, noise, rooms)
    typed = {"epochs": epochs, "patience": patience, "slots": slots, "init": init}
    changes = {key: value for key, value in typed.items() if value is not None}
    data = data_for(data, out)
    source = recipe or recipe_for(data)
    used = read_recipe(source, seed, None)
    if changes:
        used = changed_recipe(used, train={**used.train.model_dump(), **changes})
    if machine.place().rank == 0:
        _show_recipe(source, used, {f"train.{key}" for key in changes} | ({"seed"} if seed is not None else set()))
    with console.when_stopped(f"stopped; this goes on: {console.command_line(*sys.argv[1:])}"):
        run(used, data, out, options)
    if machine.place().rank == 0:
        console.next_step("quantize", "--out", out)


def recipe_for(data: Path) -> Path:
    """The recipe for a prepared data set when none is given: own words are few, so a released network is fine-tuned."""
    from edgekws.data import dataset

    if dataset.load(data).listed_by != "folder":
        return RECIPE
    console.out.print(f"own words: the recipe {OWN_WORDS} fine-tunes a released network (--recipe for another)")
    return Path(OWN_WORDS)


def run(recipe: Recipe, data: Path, out: Path, options: TrainOptions | None = None) -> None:
    """Train the float network of `recipe`, with progress, and say how good it is."""
    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.training.options import TrainOptions

    _say_slots(recipe, out)
    loaded = dataset.load(data)
    with console.progress() as report:
        best = pipeline.train(recipe, loaded, out, report, options or TrainOptions())
    if machine.place().rank != 0:
        return
    console.out.print(f"trained: {best}, curves in {best.parent / 'curves.svg'}")
    _show(pipeline.verdict(out, loaded))


def _show(verdict: Verdict) -> None:
    console.out.print(f"validation accuracy: {verdict.validation.text()}, computed on this machine")
    early = "; stopped early: the validation loss did not fall any more" if verdict.early else ""
    console.out.print(f"best epoch: {verdict.best} of {verdict.epochs}{early}")
    for warning in verdict.warnings:
        console.warn(warning)


def _show_recipe(path: Path, used: Recipe, typed: set[str]) -> None:
    """Print the values of [net] and [train] that a training uses, by where they come from."""
    from edgekws import models, recipe
    from edgekws.training.history import flat

    source = models.find(path, models.RECIPE)
    written = recipe.written_keys(source)
    groups: dict[str, list[str]] = {_TYPED: [], str(source): [], "defaults": []}
    for key, value in flat(used.model_dump(include={"seed", "net", "train"})).items():
        origin = _TYPED if key in typed else str(source) if key in written else "defaults"
        groups[origin].append(f"{key}={value}")
    console.out.print(f"recipe {used.name}", markup=False)
    for origin, values in groups.items():
        if values:
            console.out.print(f"  {origin}: {', '.join(values)}", markup=False)


def _say_slots(recipe: Recipe, out: Path) -> None:
    """Say in how many slots several processes train, where the recipe does not."""
    from edgekws.training import slots

    count = machine.place().count
    if count > 1 and recipe.train.slots is None:
        chosen = slots.continued(recipe.train, out / "float", count).slots
        console.out.print(f"{count} processes: each batch is cut into {chosen} slots (--slots {chosen})")
