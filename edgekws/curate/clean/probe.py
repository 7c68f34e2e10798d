"""Out-of-fold class probabilities for confident learning.

    clip -> 49 x 40 log-mel spectrum (as cepstra, all 40 of them: a rotation) ->
        network    a small temporal network trained on the other folds, for each fold
        linear     ridge regression on any vectors, leave-one-out in closed form

Both are trained on the labels to be checked, wrong ones included, and on nothing else: a pretrained network may have
seen these clips with their true labels. Few and varied label errors are what a small network cannot fit within a few
epochs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edgekws.curate.clean.clips import Clips
from edgekws.errors import ConfigError, DataError, unknown
from edgekws.features.mfcc import mfcc
from edgekws.features.spec import FeatureSpec
from edgekws.types import Progress

if TYPE_CHECKING:
    import torch
    from torch import nn

_BANDS, _HIGH_HZ = 40, 7_600.0
_SEGMENTS = 8
_WIDTH = 16
_BATCH = 128
_PEAK_RATE, _WEIGHT_DECAY, _SMOOTHING = 6e-3, 1e-2, 0.1
_SHIFT_FRAMES, _MASK_FRAMES, _MASK_CEPSTRA = 5, 8, 6
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
_MOST_LEVERAGE = 0.98
"""Above it a clip dominates its own prediction, and leave-one-out divides rounding errors by almost zero."""
_TEMPERATURES = tuple(np.geomspace(1, 64, 13).tolist())
_LEAST_CLIPS = 8
FEW_CLIPS = 100
"""Clips of a word, on average, below which the probe itself is wrong more often than labels are."""
_LEAST_STEPS, _MOST_EPOCHS = 450, 60
"""Minimum number of batches per fold, so that few clips get more epochs, and the limit of epochs."""
KINDS = ("network", "linear")
STATISTICS = "statistics"
"""Means and deviations of log-mel spectra, without labels; an embedding model may have been trained on these clips."""


@dataclass(frozen=True)
class ProbePlan:
    """folds, epochs: of the network; embedding: input of `linear` (a model of curate/embed/models)."""

    kind: str = "network"
    folds: int = 3
    epochs: int = 8
    seed: int = 0
    embedding: str = STATISTICS

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(unknown("--probe", self.kind, KINDS))
        if self.kind == "network" and self.embedding != STATISTICS:
            raise ConfigError("the network learns from spectra", got=self.embedding, hint="give --probe linear too")
        if self.folds < 2 or self.epochs < 1:
            raise ConfigError(
                "a probe needs 2 folds and 1 epoch at least", got=f"{self.folds} folds, {self.epochs} epochs"
            )


def spectra(clips: Clips, progress: Progress) -> np.ndarray:
    """float32 [n, 49, 40]: log-mel spectra up to 7.6 kHz, as cepstra."""
    flat = FeatureSpec(rate_hz=clips.rate_hz)
    spec = replace(
        flat, coefficients=_BANDS, high_hz=_HIGH_HZ, input_scale=(1.0,) * _BANDS, input_zero_point=(0,) * _BANDS
    )
    made = np.empty((len(clips), *spec.shape), np.float32)
    for numbers, samples in clips.blocks(64):
        made[numbers] = mfcc(spec, samples)
        progress("spectra", int(numbers[-1]) + 1, len(clips))
    return made


def statistics(made: np.ndarray) -> np.ndarray:
    """float32 [n, 360]: means of spectra over eight stretches, and deviations over all; each column standardized."""
    stretches = [part.mean(axis=1) for part in np.array_split(made, _SEGMENTS, axis=1)]
    vectors = np.concatenate([*stretches, made.std(axis=1)], axis=1)
    return np.asarray((vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6), np.float32)


def probabilities(
    made: np.ndarray, labels: np.ndarray, classes: int, plan: ProbePlan, progress: Progress
) -> np.ndarray:
    """float64 [n, classes], out of fold. Rows of NaN: clips of labels that have fewer clips than folds.

    made: `spectra`, or any vectors [n, d] for the linear probe. Raises DataError for a single label or too few clips.
    """
    usable = np.flatnonzero(np.bincount(labels, minlength=classes)[labels] >= plan.folds)
    if len(np.unique(labels[usable])) < 2 or len(usable) < _LEAST_CLIPS:
        raise DataError(
            "labels can be checked when two words or more have some clips each",
            got=f"{len(usable)} clips of {len(np.unique(labels[usable]))} words with {plan.folds} clips or more",
        )
    result = np.full((len(labels), classes), np.nan)
    if plan.kind == "linear":
        vectors = made if made.ndim == 2 else statistics(made)
        result[usable] = linear(vectors[usable], labels[usable], classes)
    else:
        raw = _network(made[usable], labels[usable], classes, plan, progress)
        few = np.bincount(labels[usable])[np.unique(labels[usable])].mean() < FEW_CLIPS
        result[usable] = softened(raw, labels[usable]) if few else raw
    return result


def softened(made: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities as sure as out-of-fold predictions of these labels deserve: temperature scaling.

    A network that saw 20 clips of a word is often wrong about the next one and hardly ever unsure. The temperature (Guo
    et al., arXiv 1706.04599) maximizes the likelihood of the labels, of which most are right. made: float [n, classes].
    """
    logarithms = np.log(np.maximum(made, np.finfo(np.float64).tiny))
    trials: list[tuple[float, np.ndarray]] = []
    for temperature in _TEMPERATURES:
        raised = np.exp((logarithms - logarithms.max(axis=1, keepdims=True)) / temperature)
        softer = raised / raised.sum(axis=1, keepdims=True)
        trials.append((_log_likelihood(softer, labels), softer))
    return max(trials, key=lambda trial: trial[0])[1]


def linear(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Ridge regression on one-hot labels; row i is predicted without clip i. float64 [n, classes].

    Leave-one-out needs no refit: the residual is (y - prediction) / (1 - leverage). The unpenalized constant adds 1 / n
    to each leverage. Penalty and softmax temperature maximize the likelihood of the labels.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    truth = np.eye(classes)[labels]
    base = truth.mean(axis=0)
    values, basis = np.linalg.eigh(centred.T @ centred)
    rotated = centred @ basis
    projected = rotated.T @ (truth - base)
    trials = []
    for penalty in _PENALTIES:
        shrunk = rotated / (np.maximum(values, 0) + penalty * values.mean() + 1e-9)
        leverage = 1 / len(labels) + (shrunk * rotated).sum(axis=1)[:, None]
        if leverage.max() > _MOST_LEVERAGE and penalty != _PENALTIES[-1]:
            continue
        left_out = truth - (truth - base - shrunk @ projected) / (1 - leverage)
        trials += [(_log_likelihood(made, labels), made) for made in _calibrated(left_out)]
    return max(trials, key=lambda trial: trial[0])[1]


def _calibrated(scores: np.ndarray) -> Iterator[np.ndarray]:
    for temperature in _TEMPERATURES:
        raised = np.exp(temperature * (scores - scores.max(axis=1, keepdims=True)))
        yield raised / raised.sum(axis=1, keepdims=True)


def _log_likelihood(made: np.ndarray, labels: np.ndarray) -> float:
    return float(np.log(made[np.arange(len(labels)), labels] + 1e-9).mean())


def _network(made: np.ndarray, labels: np.ndarray, classes: int, plan: ProbePlan, progress: Progress) -> np.ndarray:
    import torch
    from torch.nn import functional

    standard = (made - made.mean(axis=(0, 1))) / (made.std(axis=(0, 1)) + 1e-6)
    inputs = torch.from_numpy(np.ascontiguousarray(standard.transpose(0, 2, 1), np.float32))
    folds = stratified(labels, plan.folds, plan.seed)
    result = np.empty((len(labels), classes))
    for fold in range(plan.folds):
        others, own = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = _train_fold(inputs[others], torch.from_numpy(labels[others]), classes, plan, fold, progress)
        with torch.no_grad():
            parts = [functional.softmax(model(inputs[own[at : at + 512]]), 1) for at in range(0, len(own), 512)]
        result[own] = torch.cat(parts).double().numpy()
    return result


def stratified(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each clip, int64 [n], stratified by label."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    dealt = np.empty(len(labels), np.int64)
    dealt[order] = np.arange(len(labels)) % folds
    return dealt


def _train_fold(
    inputs: torch.Tensor, labels: torch.Tensor, classes: int, plan: ProbePlan, fold: int, progress: Progress
) -> nn.Module:
    """A network trained without this fold, in eval mode. inputs: [n, 40, 49]; labels: int64 [n]."""
    import torch
    from torch.nn import functional

    torch.manual_seed(plan.seed * 1_009 + fold)
    rng = np.random.default_rng([plan.seed, fold])
    model = _build(classes)
    steps = -(-len(inputs) // _BATCH)
    epochs = min(max(plan.epochs, -(-_LEAST_STEPS // steps)), max(plan.epochs, _MOST_EPOCHS))
    total = steps * epochs
    optimizer = torch.optim.AdamW(model.parameters(), lr=_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_RATE, total_steps=total)
    for epoch in range(epochs):
        order = rng.permutation(len(inputs))
        for step, chosen in enumerate(np.array_split(order, steps)):
            logits = model(_augmented(inputs[chosen], rng))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress("probe labels", fold * total + epoch * steps + step + 1, plan.folds * total)
    return model.eval()


def _augmented(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Time shift, time masking and cepstral masking (SpecAugment); the same for a whole batch, which is cheap."""
    import torch

    augmented = torch.roll(batch, int(rng.integers(-_SHIFT_FRAMES, _SHIFT_FRAMES + 1)), 2)
    for axis, most in ((2, _MASK_FRAMES), (1, _MASK_CEPSTRA)):
        length = int(rng.integers(0, most))
        augmented.narrow(axis, int(rng.integers(0, augmented.shape[axis] - length)), length).zero_()
    return augmented


def _build(classes: int) -> nn.Module:
    """Time is the only axis, cepstra are channels: [n, 40, 49] -> 16 x 49 -> 24 x 25 -> 32 x 13 -> 48 x 7 -> mean."""
    from torch import nn

    from edgekws.training.layers import Residual

    widths = (_WIDTH, _WIDTH * 3 // 2, _WIDTH * 2, _WIDTH * 3)
    layers: list[nn.Module] = [*_convolution(_BANDS, _WIDTH, 3, 1), nn.ReLU()]
    for narrow, wide in pairwise(widths):
        layers += [*_convolution(narrow, wide, 9, 2), nn.ReLU()]
        layers += [Residual(nn.Sequential(*_convolution(wide, wide, 9, 1))), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1], classes)]
    return nn.Sequential(*layers)


def _convolution(narrow: int, wide: int, kernel: int, stride: int) -> list[nn.Module]:
    from torch import nn

    return [nn.Conv1d(narrow, wide, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(wide)]
