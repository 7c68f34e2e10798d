"""prepared data set -> float network, and back from its checkpoint."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws import plugins
from edgekws.data.dataset import Dataset
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features import cache
from edgekws.features.spec import FeatureSpec
from edgekws.files import sha256_file
from edgekws.recipe import Recipe, changed
from edgekws.types import Progress

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Trained:
    """A float network and what it was trained with. `network` is in eval mode."""

    network: nn.Module
    recipe: Recipe
    features: FeatureSpec
    labels: tuple[str, ...]
    sha256: str


def train(recipe: Recipe, data: Dataset, out: Path, progress: Progress) -> Path:
    """Train the float network of `recipe`; continue where an earlier run was stopped."""
    import torch

    from edgekws.training import curves
    from edgekws.training import loop as training

    features = cache.fit_spec(data, FeatureSpec(), lambda done, total: progress("features", done, total))
    torch.manual_seed(recipe.seed)
    network = _build(recipe, len(data.labels))
    teacher = _teacher(recipe, data, features)
    task = training.Task(data, features, recipe.augment, recipe.train, recipe.seed, teacher)
    header = training_header(recipe, data, features)
    best = training.fit(network, task, out / "float", header, labelled(progress, "train"))
    curves.draw(out / "float" / training.LOG, out / "float" / "curves.svg")
    return best


def training_header(recipe: Recipe, data: Dataset, features: FeatureSpec) -> dict[str, Any]:
    """What a checkpoint says about its training; a run continues only under the same header."""
    clips = np.bincount(data.splits["train"].labels, minlength=len(data.labels))
    teachers = [sha256_file(Path(path)) for path in recipe.train.teachers]
    return {
        **({"teachers": teachers} if teachers else {}),
        "recipe": recipe.model_dump(mode="json", exclude={"quant": True, "train": {"teachers"}}),
        "labels": list(data.labels),
        "features": features.to_json(),
        "dataset": {"name": data.name, "sha256": data.sha256, "clips_per_label": clips.tolist()},
    }


def load_trained(path: Path, recipe: Recipe | None = None) -> Trained:
    """The network of a finished training; its own recipe, with the quantization that `recipe` asks for, if given.

    Raises ArtifactError when the checkpoint is missing, damaged, of another network than the recipe's, or
    of a training that is not finished.
    """
    from edgekws.training import checkpoint
    from edgekws.training.loop import correct_prior

    saved = checkpoint.load(path)
    run = _float_run(saved.header, path)
    used = changed(recipe or Recipe(), **run["recipe"])
    if recipe is not None and used.net != recipe.net:
        raise ArtifactError(
            f"{path} should be of the network {recipe.net.name} with {recipe.net.options}",
            got=f"{used.net.name} with {used.net.options}",
            hint="use the recipe that it was trained with, or train again in another folder",
        )
    _require_finished(path, used)
    network = _build(used, len(run["labels"]))
    checkpoint.load_into(network, saved.groups["model"], path)
    if used.train.prior_correction:
        correct_prior(network, run["dataset"]["clips_per_label"], used.train)
    network.eval()
    return Trained(network, used, FeatureSpec.from_json(run["features"]), tuple(run["labels"]), sha256_file(path))


def _teacher(recipe: Recipe, data: Dataset, features: FeatureSpec) -> nn.Module | None:
    """The mean of the recipe's teachers. Raises ArtifactError when one was trained on other labels or features."""
    from edgekws.training import checkpoint
    from edgekws.training.loop import Ensemble

    networks = []
    for path in map(Path, recipe.train.teachers):
        saved = checkpoint.load(path)
        run = _float_run(saved.header, path)
        for key, wanted in (("labels", list(data.labels)), ("features", json.loads(json.dumps(features.to_json())))):
            if run[key] != wanted:
                hint = "teachers and pupil are trained on one prepared data set"
                raise ArtifactError(f"the teacher {path} should have this data set's {key}", got="others", hint=hint)
        network = _build(changed(recipe, **run["recipe"]), len(data.labels))
        checkpoint.load_into(network, saved.groups["model"], path)
        networks.append(network)
    return Ensemble(networks) if networks else None


def _float_run(header: dict[str, Any], path: Path) -> dict[str, Any]:
    """What `training_header` said. Raises ArtifactError for the checkpoint of a QAT, which says something else."""
    run: dict[str, Any] = header.get("run", {})
    if "recipe" not in run:
        hint = "give float/best.safetensors of the model's folder"
        raise ArtifactError(f"{path} should be the checkpoint of a float training", got="one of QAT", hint=hint)
    return run


def _build(recipe: Recipe, labels: int) -> nn.Module:
    build = plugins.load("nets", recipe.net.name).build
    known = set(inspect.signature(build).parameters) - {"labels"}
    unknown = sorted(set(recipe.net.options) - known)
    if unknown:
        raise ConfigError(f"net.options of {recipe.net.name} are {', '.join(sorted(known))}", got=", ".join(unknown))
    try:
        network: nn.Module = build(labels, **recipe.net.options)
    except (TypeError, ValueError, RuntimeError) as error:  # torch says it in each of these ways
        wanted = f"net.options should suit the network {recipe.net.name}"
        raise ConfigError(wanted, got=f"{recipe.net.options}: {error}") from error
    return network


def _require_finished(best: Path, recipe: Recipe) -> None:
    """A released checkpoint stands alone; in a training's folder the last one says how far it got."""
    from edgekws.training import checkpoint
    from edgekws.training.loop import LAST

    if not (best.parent / LAST).exists():
        return
    done = checkpoint.load(best.parent / LAST).header["epoch"] + 1
    if done < recipe.train.epochs:
        raise ArtifactError(
            f"the training in {best.parent} should be finished",
            got=f"epoch {done} of {recipe.train.epochs}",
            hint="run edgekws train again, it continues there",
        )


def labelled(progress: Progress, what: str) -> Callable[[int, int, dict[str, float]], None]:
    def show(done: int, total: int, figures: dict[str, float]) -> None:
        text = ", ".join(f"{key} {value:.3g}" for key, value in figures.items())
        progress(f"{what} ({text})", done, total)

    return show
