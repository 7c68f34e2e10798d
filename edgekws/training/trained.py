"""A float network and what it was trained with: built from a recipe, and read back from its checkpoint."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws import plugins
from edgekws.data.labels import require_equal
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.files import sha256_file
from edgekws.recipe import Recipe, changed

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


def load_trained(path: Path, recipe: Recipe | None = None) -> Trained:
    """The network of a finished training; its own recipe, with the quantization that `recipe` asks for, if given.

    Raises ArtifactError when the checkpoint is missing, damaged, of another network than the recipe's, or
    of a training that is not finished.
    """
    from edgekws.training import checkpoint
    from edgekws.training.prior import correct_prior

    saved = checkpoint.load(path)
    run = _float_run(saved.header, path)
    used = changed(recipe or Recipe(), **run["recipe"])
    if recipe is not None and used.net != recipe.net:
        raise ArtifactError(
            f"{path} should be of the network {recipe.net.name} with {recipe.net.options}",
            got=f"{used.net.name} with {used.net.options}",
            hint="use the recipe that it was trained with, or train again in another folder",
        )
    _require_finished(path)
    network = build_network(used, len(run["labels"]))
    checkpoint.load_into(network, saved.groups["model"], path)
    if used.train.prior_correction:
        correct_prior(network, run["dataset"]["clips_per_label"], used.train)
    network.eval()
    return Trained(network, used, FeatureSpec.from_json(run["features"]), tuple(run["labels"]), sha256_file(path))


def load_teacher(recipe: Recipe, labels: tuple[str, ...], features: FeatureSpec) -> nn.Module | None:
    """The mean of the recipe's teachers; None without any.

    features: that the student gets; those of a teacher may have other scales. Raises DataError when one was trained on
    other labels, and ArtifactError on other features.
    """
    from edgekws.training import checkpoint
    from edgekws.training.ensemble import Ensemble, for_inputs_of

    networks = []
    for path in recipe.train.teacher_files():
        saved = checkpoint.load(path)
        run = _float_run(saved.header, path)
        require_equal(run["labels"], labels, f"the data set of the student of {path}")
        network = build_network(changed(recipe, **run["recipe"]), len(labels))
        checkpoint.load_into(network, saved.groups["model"], path)
        networks.append(for_inputs_of(features, network, FeatureSpec.from_json(run["features"]), f"the teacher {path}"))
    return Ensemble(networks) if networks else None


def _float_run(header: dict[str, Any], path: Path) -> dict[str, Any]:
    """What `pipeline.training_header` wrote. Raises ArtifactError for the checkpoint of a QAT, which has another."""
    run: dict[str, Any] = header.get("run", {})
    if "recipe" not in run:
        hint = "give float/best.safetensors of the model's folder"
        raise ArtifactError(f"{path} should be the checkpoint of a float training", got="one of QAT", hint=hint)
    return run


def build_network(recipe: Recipe, labels: int) -> nn.Module:
    """The recipe's network for so many labels, with weights drawn at random by torch's generator.

    Raises ConfigError for options that the network does not have or cannot be built with.
    """
    build = plugins.load("networks", recipe.net.name).build
    known = set(inspect.signature(build).parameters) - {"labels"}
    unknown = sorted(set(recipe.net.options) - known)
    if unknown:
        raise ConfigError(f"net.options of {recipe.net.name} are {', '.join(sorted(known))}", got=", ".join(unknown))
    try:
        network: nn.Module = build(labels, **recipe.net.options)
    except (TypeError, ValueError, RuntimeError) as error:  # torch raises any of these
        expected = f"net.options should suit the network {recipe.net.name}"
        raise ConfigError(expected, got=f"{recipe.net.options}: {error}") from error
    return network


def _require_finished(best: Path) -> None:
    """A released checkpoint stands alone; in a training's folder the last one says how far it got."""
    from edgekws.training import checkpoint, history

    last = best.parent / checkpoint.LAST
    header = checkpoint.header_of(last) if last.exists() else None
    if header is not None and not history.is_finished(header):
        raise ArtifactError(
            f"the training in {best.parent} should be finished",
            got=f"epoch {header['epoch'] + 1} of {history.epochs_of(header)}",
            hint="run edgekws train again, it continues there",
        )
