"""The one training loop: float training and quantization-aware training both go through `fit`.

Everything random is drawn from (seed, epoch, batch), so a run that was killed and resumed gives
the same weights as one that was not.
"""

from __future__ import annotations

import copy
import csv
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgekws import machine
from edgekws.data.augment import AugmentSpec, augment_samples, mask_features
from edgekws.data.dataset import Dataset, Split
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.cache import features_of
from edgekws.features.mfcc import mfcc, to_network
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from edgekws.files import replacing
from edgekws.recipe import TrainSection
from edgekws.training import checkpoint

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.csv"

Progress = Callable[[int, int, dict[str, float]], None]
"""(batches done, batches in all, figures to show)"""


@dataclass(frozen=True)
class Task:
    """What `fit` trains on."""

    dataset: Dataset
    features: FeatureSpec
    augment: AugmentSpec
    plan: TrainSection
    seed: int
    teacher: nn.Module | None = None
    """If given, the divergence from its probabilities is plan.teacher_weight of the loss."""


@dataclass(frozen=True)
class Score:
    """Figures on the validation split. `loss` is class-balanced, as the test archive is."""

    accuracy: float
    balanced_accuracy: float
    loss: float


def fit(model: nn.Module, task: Task, folder: Path, header: dict[str, Any], progress: Progress) -> Path:
    """Train `model` in place and return the path of the checkpoint with the lowest validation loss.

    Continues from `folder`/last.safetensors. Raises ArtifactError when that has another `header`, and ConfigError when
    the loss is no longer finite.
    """
    machine.keep_freed_memory()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs a third of a step
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(model, task, folder, header)
    first = run.resume()
    with _shared_cores():
        for epoch in range(first, task.plan.epochs):
            run.train_epoch(epoch, progress)
            run.finish_epoch(epoch)
    best = checkpoint.load(folder / BEST)
    checkpoint.load_into(model, best.groups["model"], folder / BEST)
    return folder / BEST


@contextmanager
def _shared_cores() -> Iterator[None]:
    """One core prepares batches, the others train: with more threads than cores, they wait in busy loops."""
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, machine.cores() - 1)))
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def correct_prior(network: nn.Module, clips_per_label: list[int], plan: TrainSection) -> None:
    """Subtract the log frequency of each class in training from the last bias, in place.

    Scores trained with class frequencies p estimate log p(label | clip); subtracting log p makes them suit balanced
    classes (logit adjustment, Menon et al., arXiv 2007.07314). Raises ConfigError if the last layer has no such bias.
    """
    prior = torch.from_numpy(_frequencies(np.asarray(clips_per_label), plan.sampling_power)).float()
    *_, last = network.modules()
    if not isinstance(last, nn.Linear) or last.bias is None:
        raise ConfigError("prior_correction needs a linear layer with a bias at the end", got=type(last).__name__)
    last.bias.sub_(plan.prior_correction * torch.log(prior.clamp(min=1e-9)))


def network_input(features: np.ndarray, spec: FeatureSpec) -> torch.Tensor:
    """MFCC [n, frames, coefficients] -> float32 [n, 1, frames, coefficients] for the network."""
    return torch.from_numpy(to_network(spec, features) * np.float32(INPUT_SCALE))[:, None]


@torch.no_grad()
def logits_of(model: nn.Module, features: np.ndarray, spec: FeatureSpec, batch: int = 256) -> torch.Tensor:
    """Logits float32 [n, labels], in eval mode. features: MFCC [n, frames, coefficients]."""
    model.eval()
    parts = [model(network_input(features[at : at + batch], spec)) for at in range(0, len(features), batch)]
    return torch.cat(parts)


def score(model: nn.Module, features: np.ndarray, labels: np.ndarray, spec: FeatureSpec) -> Score:
    """features: MFCC [n, frames, coefficients]; labels: int [n]."""
    logits, truth = logits_of(model, features, spec), torch.from_numpy(labels)
    hits = (logits.argmax(1) == truth).double()
    losses = functional.cross_entropy(logits, truth, reduction="none").double()
    classes = torch.unique(truth)
    recalls = torch.stack([hits[truth == label].mean() for label in classes])
    loss = torch.stack([losses[truth == label].mean() for label in classes]).mean()
    return Score(float(hits.mean()), float(recalls.mean()), float(loss))


class Ensemble(nn.Module):
    """The mean of the logits of several networks, in eval mode."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(x) for network in self.networks]).mean(0)


@runtime_checkable
class StepHooks(Protocol):
    """A model with hooks around each optimizer step. done: the fraction of the training that is done, 0..1."""

    def before_step(self, done: float) -> None: ...

    def after_step(self) -> None: ...


class _Run:
    """One training run: the model, its moving average, its optimizer and its files."""

    def __init__(self, model: nn.Module, task: Task, folder: Path, header: dict[str, Any]) -> None:
        self.model, self.task, self.folder = model, task, folder
        self.header = json.loads(json.dumps(header))  # as read from JSON: tuples are lists
        plan = task.plan
        self.steps_per_epoch = max(1, len(task.dataset.splits["train"]) // plan.batch)
        self.average = copy.deepcopy(model)
        self.optimizer = torch.optim.AdamW(_parameter_groups(model, plan.weight_decay), lr=plan.learning_rate)
        self.best_loss = math.inf
        self.rows: list[dict[str, float]] = []
        self.validation = features_of(task.dataset, "validation", task.features)

    def resume(self) -> int:
        """Load the last checkpoint, if any; return the epoch to continue with."""
        path = self.folder / LAST
        if not path.exists():
            return 0
        saved = checkpoint.load(path)
        if saved.header["run"] != self.header:
            raise ArtifactError(
                f"{path} should belong to this recipe and data",
                got=_difference(saved.header["run"], self.header),
                hint=f"give another output folder, or delete {self.folder} to train from the start",
            )
        checkpoint.load_into(self.model, saved.groups["model"], path)
        checkpoint.load_into(self.average, saved.groups["average"], path)
        _load_optimizer(self.optimizer, saved.groups.get("optimizer", {}))
        self.best_loss, self.rows = saved.header["best_loss"], saved.header["rows"]
        return int(saved.header["epoch"]) + 1

    def train_epoch(self, epoch: int, progress: Progress) -> None:
        torch.manual_seed(self.task.seed * 100_003 + epoch)
        started, losses = time.monotonic(), []
        self.model.train()
        for number, (inputs, labels) in enumerate(_batches(self.task, epoch, self.steps_per_epoch)):
            step = epoch * self.steps_per_epoch + number
            losses.append(self._step(inputs, labels, step))
            done = {"epoch": epoch + 1, "loss": float(np.mean(losses[-50:]))}
            progress(step + 1, self.steps_per_epoch * self.task.plan.epochs, done)
        self.rows.append({"epoch": epoch + 1, "loss": float(np.mean(losses)), "seconds": time.monotonic() - started})

    def finish_epoch(self, epoch: int) -> None:
        figures = score(
            self.average, self.validation, self.task.dataset.splits["validation"].labels, self.task.features
        )
        self.rows[-1] |= {f"validation_{key}": value for key, value in asdict(figures).items()}
        if not math.isfinite(figures.loss):
            hint = "lower train.learning_rate in the recipe and train in another folder"
            raise ConfigError(
                "the validation loss should be finite", got=f"{figures.loss} in epoch {epoch + 1}", hint=hint
            )
        if figures.loss < self.best_loss:
            self.best_loss = figures.loss
            header = {"run": self.header, "epoch": epoch, "validation": asdict(figures)}
            checkpoint.save(self.folder / BEST, header, {"model": self.average.state_dict()})
        header = {"run": self.header, "epoch": epoch, "best_loss": self.best_loss, "rows": self.rows}
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": _optimizer_tensors(self.optimizer),
        }
        checkpoint.save(self.folder / LAST, header, groups)
        _write_log(self.folder / LOG, self.rows)

    def _step(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> float:
        plan = self.task.plan
        total, warmup = self.steps_per_epoch * plan.epochs, plan.warmup_epochs * self.steps_per_epoch
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * _schedule(step, total, warmup)
        if isinstance(self.model, StepHooks):
            self.model.before_step(step / total)
        self.optimizer.zero_grad()
        loss = self._loss(inputs.contiguous(memory_format=torch.channels_last), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if isinstance(self.model, StepHooks):
            self.model.after_step()
        _update_average(self.average, self.model, min(plan.ema_decay, (step + 1) / (step + 10)))
        return float(loss.detach())

    def _loss(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits = self.model(inputs)
        loss = functional.cross_entropy(logits, labels, label_smoothing=self.task.plan.label_smoothing)
        if self.task.teacher is None:
            return loss
        with torch.no_grad():
            teacher_log_probabilities = functional.log_softmax(self.task.teacher(inputs), dim=1)
        log_probabilities = functional.log_softmax(logits, dim=1)
        divergence = functional.kl_div(
            log_probabilities, teacher_log_probabilities, reduction="batchmean", log_target=True
        )
        share = self.task.plan.teacher_weight
        return (1 - share) * loss + share * divergence


def _batches(task: Task, epoch: int, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of one epoch, prepared one ahead on another thread."""
    split = task.dataset.splits["train"]
    order = _draw(split, task.plan, len(task.dataset.labels), np.random.default_rng([task.seed, epoch]))

    def make(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = order[number * task.plan.batch : (number + 1) * task.plan.batch]
        rng = np.random.default_rng([task.seed, epoch, number])
        clips = np.stack([split.samples[index] for index in chosen])
        augmented = augment_samples(clips, task.dataset.noise, task.augment, task.features.rate_hz, rng)
        features = mask_features(mfcc(task.features, augmented), task.augment, rng)
        return network_input(features, task.features), torch.from_numpy(split.labels[chosen])

    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make, 0)
        for number in range(count):
            batch = upcoming.result()
            if number + 1 < count:
                upcoming = pool.submit(make, number + 1)
            yield batch


def _draw(split: Split, plan: TrainSection, labels: int, rng: np.random.Generator) -> np.ndarray:
    """As many clips as the split has, classes drawn ~ count ** sampling_power, each class in shuffled rounds."""
    counts = np.bincount(split.labels, minlength=labels).astype(np.float64)
    clips_per_draw = rng.multinomial(len(split), _frequencies(counts, plan.sampling_power))
    parts = []
    for label, number in enumerate(clips_per_draw):
        members = np.flatnonzero(split.labels == label)
        rounds = -(-number // max(len(members), 1))
        parts.append(np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members[:0]])[:number])
    return np.asarray(rng.permutation(np.concatenate(parts)))


def _frequencies(clips_per_label: np.ndarray, sampling_power: float) -> np.ndarray:
    """How often each label is drawn; sums to 1."""
    weights = np.where(clips_per_label > 0, clips_per_label.astype(np.float64) ** sampling_power, 0)
    return np.asarray(weights / weights.sum())


def _schedule(step: int, total: int, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay acts on matrices and kernels, not on biases and normalization."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for mine, theirs in zip(average.buffers(), model.buffers(), strict=True):
        mine.lerp_(theirs, 1 - decay) if mine.is_floating_point() else mine.copy_(theirs)


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": value for index, values in state.items() for key, value in values.items()}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _write_log(path: Path, rows: list[dict[str, float]]) -> None:
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _difference(saved: dict[str, Any], current: dict[str, Any]) -> str:
    keys = sorted(key for key in saved.keys() | current.keys() if saved.get(key) != current.get(key))
    return "another " + ", ".join(keys)
