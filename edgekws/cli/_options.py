"""Options and defaults that several commands share, and the recipe they select."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgekws.recipe import Recipe

DataOption = Annotated[Path, typer.Option("--data", help="Prepared data set, made by `data prepare`.")]
ModelDataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Prepared data set. Default: the one that the model was trained on."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of this model: checkpoints, graph, exports, reports.")]
ModelOption = Annotated[
    Path,
    typer.Option("--out", help="Folder of the model, and of results; a graph file; or a model of `edgekws models`."),
]
RecipeOption = Annotated[
    Path,
    typer.Option("--recipe", help="TOML that says how the model is made; or a model of `edgekws models`."),
]
ModelRecipeOption = Annotated[
    Path | None,
    typer.Option("--recipe", help="TOML, or a model of `edgekws models`. Default: the recipe of the training."),
]
PORT_HELP = (
    "A port: its path (/dev/ttyACM0), a USB id VID:PID, sn=NUMBER, board=NAME, or a URL: serial:PORT?baud=N. "
    "To measure also tcp:HOST:PORT, io:URL (behind an IO manager), spy:FILE:URL, replay:FILE. "
)
PortOption = Annotated[str, typer.Option("--port", help=f"{PORT_HELP}Default: the board's own.")]
BoardOption = Annotated[str, typer.Option("--board", help="A board of `edgekws boards`.")]
RootOption = Annotated[Path | None, typer.Option("--root", help="Folder with the recordings. Default: $EDGEKWS_DATA.")]
MinRamOption = Annotated[
    bool, typer.Option("--min-ram", help="C whose kernels use the least memory, and more instructions.")
]

DATA, OUT, RECIPE, BOARD = Path("work/data"), Path("work/dscnn"), Path("models/dscnn/recipe.toml"), "qemu-an386"


def read_recipe(path: Path, seed: int | None, epochs: int | None) -> Recipe:
    """The recipe in `path`, with what the command line says instead."""
    from edgekws import recipe

    chosen = recipe.load(path)
    if seed is not None:
        chosen = changed_recipe(chosen, seed=seed)
    if epochs is not None:
        chosen = changed_recipe(chosen, train={**chosen.train.model_dump(), "epochs": epochs})
    return chosen


def default_recipe() -> Recipe:
    from edgekws.recipe import Recipe

    return Recipe()


def changed_recipe(chosen: Recipe, **changes: object) -> Recipe:
    from edgekws import recipe

    return recipe.changed(chosen, _KEYS, **changes)


_KEYS = {
    "seed": "--seed",
    "train.epochs": "--epochs",
    "quant.method": "--method",
    "quant.weight_bits": "--bits",
    "quant.layers": "--layer",
}
"""Key of a recipe -> the option that replaces its value."""
