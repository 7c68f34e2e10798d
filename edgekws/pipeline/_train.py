"""prepared data set -> float network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws import machine
from edgekws.data.dataset import Dataset
from edgekws.errors import ConfigError
from edgekws.features import cache, presets
from edgekws.features.spec import FeatureSpec
from edgekws.files import sha256_file
from edgekws.models import memory
from edgekws.pipeline._tracking import tracked
from edgekws.recipe import Recipe
from edgekws.training.options import TrainOptions
from edgekws.types import Progress

if TYPE_CHECKING:
    from torch import nn

    from edgekws.data.scenes.compose import Sources
    from edgekws.training.init import Initial
    from edgekws.training.loop import Watch
    from edgekws.training.processes import Group
    from edgekws.training.streaming.streams import Streams


def train(
    recipe: Recipe,
    data: Dataset,
    out: Path,
    progress: Progress,
    options: TrainOptions = TrainOptions(),  # noqa: B008
    watch: Watch | None = None,
) -> Path:
    """Train the float network of `recipe`, or continue an interrupted run; return the path of the best checkpoint.

    Under torchrun every process calls it with the same arguments, and the first one writes. The slots are then those
    of `edgekws.training.slots.continued`. watch: gets the rows of the log after each epoch, in the first process.
    edgekws.training.history says what may differ from the run that is continued.
    """
    from edgekws.training import device, processes, slots

    place = machine.place()
    recipe = recipe.model_copy(update={"train": slots.continued(recipe.train, out / "float", place.count)})
    with processes.joined(device.choose(options.device, place.local_rank)) as group:
        names = options.trackers if group.leads else ()
        with tracked(names, recipe, data, out / "float", watch) as follow:
            return _train_together(recipe, data, out, progress, group, follow, options)


def _train_together(
    recipe: Recipe, data: Dataset, out: Path, progress: Progress, group: Group, watch: Watch, options: TrainOptions
) -> Path:
    import torch

    from edgekws.quant import widths
    from edgekws.quant.frontends import torch_fx
    from edgekws.training import curves, init, loop, trained
    from edgekws.training.task import Task

    initial = init.load(recipe.train.init) if recipe.train.init else None
    heard = _sources(recipe, data, options, progress, group)
    with group.leader_first():
        features = _front_end(recipe, data, initial, progress, heard)
        cache.features_of(data, "validation", features)
    torch.manual_seed(recipe.seed)
    network = trained.build_network(recipe, len(data.labels))
    _standardize(network, data, features)
    if recipe.quant.layers:  # of the next step: a wrong name is refused before hours of training
        widths.layer_bits(torch_fx.trace(network, features.shape), 0, recipe.quant.layers)
    if initial:
        init.require_front_end(network, initial, features)
        init.apply(network, initial, data.labels)
    teacher = trained.load_teacher(recipe, data.labels, features)
    source = _streams(recipe, data, features, network, teacher, heard)
    task = Task(data, features, recipe.augment, recipe.train, recipe.seed, teacher, source)
    header = training_header(recipe, data, features) | ({"init": initial.sha256} if initial else {})
    header |= {"long_recordings": heard[1]} if heard else {}
    about = (data.folder, data.name, data.sha256, data.labels, recipe.to_json())
    if group.leads and memory.origin(out) is None:  # a killed training knows its data set too
        memory.remember(out, *about)
    best = loop.fit(network, task, out / "float", header, with_figures(progress, "train"), group, watch)
    if group.leads:
        memory.remember(out, *about)
        curves.draw(out / "float" / curves.LOG, out / "float" / "curves.svg")
    return best


def _sources(
    recipe: Recipe, data: Dataset, options: TrainOptions, progress: Progress, group: Group
) -> tuple[Sources, str] | None:
    """What streams are made of, where the recipe trains on them. Raises ConfigError for several processes."""
    from edgekws.training.streaming import source

    if recipe.stream is None:
        given = [f"--{name}" for name, folder in options.folders.items() if folder]
        if given:
            hint = "give a recipe with [stream]: --recipe dscnn_stream"
            raise ConfigError("long recordings need a recipe that trains on streams", got=", ".join(given), hint=hint)
        return None
    if group.count > 1 or recipe.train.slots:
        hint = "omit --slots and torchrun"
        raise ConfigError("streams are trained on in one process, without slots", got=str(group.count), hint=hint)
    return source.sources(data, options, progress)


def _streams(
    recipe: Recipe,
    data: Dataset,
    features: FeatureSpec,
    network: nn.Module,
    teacher: nn.Module | None,
    heard: tuple[Sources, str] | None,
) -> Streams | None:
    from edgekws.training.streaming import positions
    from edgekws.training.streaming.streams import Streams

    if recipe.stream is None or heard is None:
        return None
    step_rows = positions.slide(network, features.shape)
    if teacher is not None:
        positions.slide(teacher, features.shape)
    return Streams(recipe.stream, heard[0], data.labels, features, recipe.train.batch, recipe.seed, step_rows)


def _front_end(
    recipe: Recipe,
    data: Dataset,
    initial: Initial | None,
    progress: Progress,
    heard: tuple[Sources, str] | None = None,
) -> FeatureSpec:
    given = recipe.features.given()
    if recipe.features.preset:
        return replace(presets.PRESETS[recipe.features.preset], **given)
    if initial:  # the weights suit these scales, and a few recordings could not give better ones
        return replace(initial.features, **given)
    spec = replace(FeatureSpec(), **given)
    if recipe.stream and heard:
        from edgekws.training.streaming.streams import fitted

        return fitted(recipe.stream, heard[0], spec, recipe.seed)
    return cache.fit_spec(data, spec, lambda done, total: progress("features", done, total))


def _standardize(network: nn.Module, data: Dataset, features: FeatureSpec) -> None:
    """Fit the normalization of coefficients to the training clips, where the network has one."""
    import torch

    from edgekws.training.layers import Standardize

    for module in network.modules():
        if isinstance(module, Standardize):
            mean, deviation = cache.input_statistics(data, features)
            module.fit(torch.from_numpy(mean), torch.from_numpy(deviation))


def training_header(recipe: Recipe, data: Dataset, features: FeatureSpec) -> dict[str, Any]:
    """The header of a checkpoint; a run continues only with the same header."""
    clips = np.bincount(data.splits["train"].labels, minlength=len(data.labels))
    teachers = [sha256_file(path) for path in recipe.train.teacher_files()]
    return {
        **({"teachers": teachers} if teachers else {}),
        "recipe": recipe.model_dump(mode="json", exclude={"quant": True, "tune": True, "train": {"teachers", "init"}}),
        "labels": list(data.labels),
        "features": features.to_json(),
        "dataset": {"name": data.name, "sha256": data.sha256, "clips_per_label": clips.tolist()},
    }


def with_figures(progress: Progress, what: str) -> Callable[[int, int, dict[str, float]], None]:
    """A progress report of training that shows its figures in brackets."""

    def show(done: int, total: int, figures: dict[str, float]) -> None:
        text = ", ".join(f"{key} {value:.3g}" for key, value in figures.items())
        progress(f"{what} ({text})", done, total)

    return show
