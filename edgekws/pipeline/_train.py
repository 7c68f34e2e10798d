"""prepared data set -> float network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws import machine
from edgekws.data.dataset import Dataset
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

    from edgekws.training.init import Initial
    from edgekws.training.loop import Watch
    from edgekws.training.processes import Group


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
            return _train_together(recipe, data, out, progress, group, follow)


def _train_together(recipe: Recipe, data: Dataset, out: Path, progress: Progress, group: Group, watch: Watch) -> Path:
    import torch

    from edgekws.quant import widths
    from edgekws.quant.frontends import torch_fx
    from edgekws.training import curves, init, loop, trained
    from edgekws.training.task import Task

    initial = init.load(recipe.train.init) if recipe.train.init else None
    with group.leader_first():
        features = _front_end(recipe, data, initial, progress)
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
    task = Task(data, features, recipe.augment, recipe.train, recipe.seed, teacher)
    header = training_header(recipe, data, features) | ({"init": initial.sha256} if initial else {})
    about = (data.folder, data.name, data.sha256, data.labels, recipe.to_json())
    if group.leads and memory.origin(out) is None:  # a killed training knows its data set too
        memory.remember(out, *about)
    best = loop.fit(network, task, out / "float", header, with_figures(progress, "train"), group, watch)
    if group.leads:
        memory.remember(out, *about)
        curves.draw(out / "float" / curves.LOG, out / "float" / "curves.svg")
    return best


def _front_end(recipe: Recipe, data: Dataset, initial: Initial | None, progress: Progress) -> FeatureSpec:
    given = recipe.features.given()
    if recipe.features.preset:
        return replace(presets.PRESETS[recipe.features.preset], **given)
    if initial:  # the weights suit these scales, and a few recordings could not give better ones
        return replace(initial.features, **given)
    spec = replace(FeatureSpec(), **given)
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
