"""Options and defaults that several commands share, and the recipe they select."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console

if TYPE_CHECKING:
    from edgekws.recipe import Recipe

DataOption = Annotated[Path, typer.Option("--data", help="Prepared data set, made by `data prepare`.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of this model: checkpoints, graph, exports, reports.")]
ModelOption = Annotated[
    Path,
    typer.Option("--out", help="Folder of the model, and of results; or a model of `edgekws models`."),
]
RecipeOption = Annotated[
    Path,
    typer.Option("--recipe", help="TOML that says how the model is made; or a model of `edgekws models`."),
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
RELEASED = Path("work/released")


def model_folder(out: Path) -> Path:
    """The folder `out`; for a released model's name, a copy of it below work/released, for results go beside it."""
    from edgekws import models
    from edgekws.files import write_bytes

    source = models.find(out)
    if source == out:
        return out
    copy = RELEASED / source.name
    for path in sorted(source.iterdir()):
        if path.is_file():
            write_bytes(copy / path.name, path.read_bytes())
    console.err.print(f"{source.name} is a released model; results go to its copy in {copy}", markup=False)
    return copy


def vectors_for(vectors: Path | None, data: Path, model: Path) -> Path | None:
    """The .npz of clips to use instead of `data`: `vectors`, or what that names of a released model.

    Where nothing was prepared in `data`, a released model's own golden vectors are used, and the command says so.
    """
    from edgekws import models
    from edgekws.data.dataset import INDEX

    if vectors is not None:
        return models.find(vectors, models.GOLDEN)
    golden = model / models.GOLDEN
    if (data / INDEX).exists() or not golden.exists():
        return None
    console.err.print(f"no prepared data set in {data}: the clips are the golden vectors in {golden}", markup=False)
    return golden


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

    return recipe.changed(chosen, **changes)
