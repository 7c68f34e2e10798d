"""The model that a command is about: its folder, its data set, and what to do where one is missing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli import console
from edgekws.cli._options import DATA, RECIPE
from edgekws.errors import ArtifactError, DataError

if TYPE_CHECKING:
    from edgekws.recipe import Recipe

RELEASED = Path("work/released")


def model_folder(out: Path) -> Path:
    """The folder of the model that `out` names.

    A released model is copied below work/released, and a graph file of another name than graph.npz into a folder
    beside it: results go there, and the command says so.
    """
    from edgekws import models

    source = models.find(out)
    if source.suffix == ".npz" and source.is_file():
        return _folder_of_graph(source)
    if source == out:
        return out
    return _copied(source, RELEASED / source.name)


def _folder_of_graph(graph: Path) -> Path:
    """The folder of a graph file; of one that has another name, a folder of its own with what the graph needs."""
    from edgekws import models
    from edgekws.files import write_bytes
    from edgekws.graph import io

    released = graph.is_relative_to(models.home())
    if graph.name == models.GRAPH:
        return _copied(graph.parent, RELEASED / graph.parent.name) if released else graph.parent
    io.load(graph)  # another kind of .npz is refused before a folder is made
    folder = RELEASED / f"{graph.parent.name}-{graph.stem}" if released else graph.with_suffix("")
    write_bytes(folder / models.GRAPH, graph.read_bytes())
    _take_along(graph, folder)
    console.err.print(f"results of {graph.name} go to {folder}", markup=False)
    return folder


def _take_along(graph: Path, folder: Path) -> None:
    """What the graph's own folder remembers of its data set, and the clips of its golden vectors."""
    from edgekws import models
    from edgekws.graph import io
    from edgekws.models import memory
    from firmware_io.bench import vectors

    known = memory.origin(graph.parent)
    if known is not None:
        place = memory.data_of(graph.parent, None) or Path(known.absolute)
        memory.remember(folder, place, known.name, known.sha256, known.labels, known.recipe)
    golden, whole = graph.parent / models.GOLDEN, graph.parent / models.GRAPH
    if golden.exists() and whole.exists():
        sibling, mine = io.load(whole), io.load(graph)
        if (sibling.features, sibling.labels) == (mine.features, mine.labels):
            vectors.write(folder / models.GOLDEN, vectors.read(golden, sibling), mine.features)


def _copied(source: Path, copy: Path) -> Path:
    from edgekws.files import write_bytes

    for path in sorted(source.iterdir()):
        if path.is_file():
            write_bytes(copy / path.name, path.read_bytes())
    console.err.print(f"{source.name} is a released model; results go to its copy in {copy}", markup=False)
    return copy


def data_for(given: Path | None, model: Path) -> Path:
    """The prepared data set to use with the model in `model`: `given`, the one it was trained on, or work/data.

    Raises DataError when the model's own is not where it was.
    """
    from edgekws.models import memory

    return memory.data_of(model, given) or DATA


def require_same_data(given: Path | None, data: Path, model: Path) -> None:
    """Raises DataError when the model's own data set was prepared again since its training.

    One that is given explicitly may be another; the command says so.
    """
    from edgekws.data import dataset
    from edgekws.models import memory

    known = memory.origin(model)
    now = known and dataset.load(data)
    if known is None or now is None or known.sha256 == now.sha256:
        return
    got = f"{now.name} ({now.sha256[:8]})"
    if given is None:
        again = console.command_line("train", "--data", data, "--out", model.with_name(f"{model.name}-2"))
        raise DataError(
            f"{data} should be the data set that {model} was trained on, {known.name} ({known.sha256[:8]})",
            got=f"{got}: it was prepared again",
            hint=f"train on it with {again}, or give --data to use it with this network all the same",
        )
    console.warn(f"{got} is not the data set of the training, {known.name} ({known.sha256[:8]})")


def recipe_for(given: Path | None, model: Path) -> Recipe:
    """The recipe for the model in `model`: `given`, that of its training, or the default one."""
    from edgekws import recipe
    from edgekws.models import memory

    known = memory.origin(model) if given is None else None
    return recipe.changed(recipe.Recipe(), **known.recipe) if known else recipe.load(given or RECIPE)


def vectors_for(vectors: Path | None, data: Path | None, model: Path) -> Path | None:
    """The .npz of clips to use instead of a data set: `vectors`, or what that names of a released model.

    Where no data set was given or prepared, a released model's own golden vectors are used, and the command says so.
    """
    from edgekws import models
    from edgekws.data.dataset import INDEX

    if vectors is not None:
        return models.find(vectors, models.GOLDEN)
    golden = model / models.GOLDEN
    if not golden.exists() or (data_for(data, model) / INDEX).exists():
        return None
    where = data_for(data, model)
    console.err.print(f"no prepared data set in {where}: the clips are the golden vectors in {golden}", markup=False)
    return golden


def require_graph(model: Path) -> None:
    """Raises ArtifactError when there is no integer graph in `model`, with the command that makes one."""
    from edgekws import models
    from edgekws.models import memory

    if (model / models.GRAPH).exists():
        return
    if (model / memory.NETWORK).exists():
        raise ArtifactError(
            f"{model} should hold the integer graph of the model",
            got="a trained network that is not quantized",
            hint=console.command_line("quantize", "--out", model),
        )
    raise ArtifactError(
        f"{model} should hold the integer graph of the model",
        got="no graph.npz in it" if model.is_dir() else "no such folder",
        hint=models.suggestion(model) if models.near(model) else _instead(models.GRAPH, models.suggestion(model)),
    )


def require_trained(model: Path) -> None:
    """Raises ArtifactError when there is no trained network in `model`, with those that there are."""
    from edgekws.models import memory

    if not (model / memory.NETWORK).exists():
        raise ArtifactError(
            f"{model} should hold a trained network",
            got="none" if model.is_dir() else "no such folder",
            hint=_instead(memory.NETWORK, console.command_line("train", "--out", model)),
        )


def _instead(file: str, otherwise: str) -> str:
    """What to do where `file` is missing: name a model that has it, if there are some in or below work/."""
    depths = (file, f"*/{file}", f"*/*/{file}")
    found = sorted({path.parents[file.count("/")] for depth in depths for path in Path("work").glob(depth)})
    return f"give --out {' or '.join(shlex.quote(str(folder)) for folder in found[:3])}" if found else otherwise
