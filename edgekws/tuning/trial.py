"""One trial: a recipe is sized, trained and scored, and given up when its curve is below the median of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekws import pipeline
from edgekws.data import dataset
from edgekws.data.dataset import Dataset
from edgekws.errors import ConfigError, TargetError
from edgekws.features.spec import FeatureSpec
from edgekws.files import sha256
from edgekws.recipe import Recipe
from edgekws.training.history import best_epoch
from edgekws.training.options import TrainOptions
from edgekws.tuning.ranges import applied
from edgekws.tuning.search import TRIALS, Search, claimed, study_of
from edgekws.types import Progress

if TYPE_CHECKING:
    from optuna import Study, Trial

GOAL = "validation_balanced_accuracy"
_SIZING_CLIPS = 16
"""Clips of noise for the scales of a network of random weights: its size does not depend on them."""


class Late(Exception):  # noqa: N818 (the end of the time, not an error)
    """The time of the search is over."""


def work(search: Search, progress: Progress) -> None:
    """Run trials until there are as many as wanted or the time is over; the work of one process."""
    data, study = dataset.load(search.data), study_of(search)
    try:
        while True:
            with claimed(search, study) as trial:
                if trial is None:
                    return
                run(search, study, trial, data, progress)
    except Late:
        return


def run(search: Search, study: Study, trial: Trial, data: Dataset, progress: Progress) -> None:
    """Train the recipe of `trial` and tell the study how it ended. Raises Late when the time is over before."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    try:
        recipe = applied(search.recipe, trial.params)
        if reason := _too_large(search, trial, recipe, data):
            trial.set_user_attr("reason", reason)
            study.tell(trial, state=TrialState.PRUNED)
            return
        value = _trained(search, trial, recipe, data, progress)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except (ConfigError, TargetError) as error:  # these values do not go together, or the loss became infinite
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, value)


def folder_of(search: Search, recipe: Recipe) -> Path:
    """The model folder of a recipe: the same recipe goes on with the same checkpoint."""
    return search.out / TRIALS / sha256(recipe.model_dump_json().encode())[:12]


def size_of(recipe: Recipe, labels: tuple[str, ...]) -> tuple[int, int]:
    """(bytes of weights and requantization parameters, MACs) of the recipe's integer graph; no training is needed.

    Raises ConfigError for a network that cannot be built, TargetError for one that the recipe's target refuses.
    """
    import torch

    from edgekws.quant import lower, ptq
    from edgekws.quant.frontends import torch_fx
    from edgekws.recipe import QuantSection
    from edgekws.training.trained import build_network

    spec = replace(FeatureSpec(), **recipe.features.given())
    plan = QuantSection.model_validate({**recipe.quant.model_dump(), "method": "ptq", "reconstruct": False})
    clips = np.random.default_rng(0).normal(size=(_SIZING_CLIPS, 1, *spec.shape)).astype(np.float32)
    with torch.random.fork_rng(devices=[]):
        network = build_network(recipe, len(labels)).eval()
        quantized = ptq.quantize(torch_fx.trace(network, spec.shape), torch.from_numpy(clips), plan)
    graph = lower.lower(quantized, spec, labels, recipe.name)
    return graph.parameter_bytes, graph.macs


def _too_large(search: Search, trial: Trial, recipe: Recipe, data: Dataset) -> str:
    """Why the network is above a limit; "" when it is not."""
    flash_bytes, macs = size_of(recipe, data.labels)
    trial.set_user_attr("flash_bytes", flash_bytes)
    trial.set_user_attr("macs", macs)
    limits = search.limits
    if limits.flash_bytes is not None and flash_bytes > limits.flash_bytes:
        return f"{flash_bytes:,} B of parameters, above {limits.flash_bytes:,} B"
    if limits.macs is not None and macs > limits.macs:
        return f"{macs:,} MACs, above {limits.macs:,}"
    return ""


def _trained(search: Search, trial: Trial, recipe: Recipe, data: Dataset, progress: Progress) -> float:
    """The class-balanced validation accuracy of the checkpoint that the training keeps. Raises TrialPruned and Late."""
    from filelock import FileLock
    from optuna import TrialPruned

    reported, rows = 0, []

    def watch(known: Sequence[Mapping[str, float]]) -> None:
        nonlocal reported, rows
        rows = list(known)
        for row in rows[reported:]:
            trial.report(row[GOAL], int(row["epoch"]))
        reported = len(rows)
        if search.is_late:
            raise Late
        if rows and len(rows) < recipe.train.epochs and trial.should_prune():
            raise TrialPruned

    folder = folder_of(search, recipe)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # two trials may have the same values
        pipeline.train(recipe, data, folder, progress, TrainOptions(device=search.device), watch=watch)
    return float(rows[best_epoch(rows) - 1][GOAL])
