"""The one training loop: float training and quantization-aware training both go through `fit`.

Everything random is drawn from (seed, epoch, batch), so a run that was killed and resumed gives
the same weights as one that was not.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgekws import machine
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.cache import features_of
from edgekws.training import checkpoint, curves, optimizer
from edgekws.training.batches import batches
from edgekws.training.device import choose
from edgekws.training.options import TrainOptions
from edgekws.training.scoring import score
from edgekws.training.task import Task

Progress = Callable[[int, int, dict[str, float]], None]
"""(batches done, batches in all, figures to show)"""


def fit(
    model: nn.Module,
    task: Task,
    folder: Path,
    header: dict[str, Any],
    progress: Progress,
    options: TrainOptions = TrainOptions(),  # noqa: B008
) -> Path:
    """Train `model` in place and return the path of the checkpoint with the lowest validation loss.

    Continues from `folder`/last.safetensors. Raises ArtifactError when that has another `header`, and ConfigError when
    the loss is no longer finite.
    """
    machine.keep_freed_memory()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs a third of a step
    device = choose(options.device)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(model, task, folder, header, device)
    first = run.resume()
    with _shared_cores():
        for epoch in range(first, task.plan.epochs):
            run.train_epoch(epoch, progress)
            run.finish_epoch(epoch)
    best = checkpoint.load(folder / checkpoint.BEST)
    checkpoint.load_into(model.cpu(), best.groups["model"], folder / checkpoint.BEST)
    return folder / checkpoint.BEST


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


@runtime_checkable
class StepHooks(Protocol):
    """A model with hooks around each optimizer step. done: the fraction of the training that is done, 0..1."""

    def before_step(self, done: float) -> None: ...

    def after_step(self) -> None: ...


class _Run:
    """One training run: the model, its moving average, its optimizer and its files."""

    def __init__(
        self, model: nn.Module, task: Task, folder: Path, header: dict[str, Any], device: torch.device
    ) -> None:
        self.model, self.task, self.folder, self.device = model, task, folder, device
        self.header = json.loads(json.dumps(header))  # as read from JSON: tuples are lists
        plan = task.plan
        self.steps_per_epoch = max(1, len(task.dataset.splits["train"]) // plan.batch)
        self.average = copy.deepcopy(model)
        self.optimizer = torch.optim.AdamW(optimizer.parameter_groups(model, plan.weight_decay), lr=plan.learning_rate)
        self.best_loss = math.inf
        self.rows: list[dict[str, float]] = []
        self.validation = features_of(task.dataset, "validation", task.features)

    def resume(self) -> int:
        """Load the last checkpoint, if any; return the epoch to continue with."""
        path = self.folder / checkpoint.LAST
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
        optimizer.load_state(self.optimizer, saved.groups.get("optimizer", {}))
        self.best_loss, self.rows = saved.header["best_loss"], saved.header["rows"]
        return int(saved.header["epoch"]) + 1

    def train_epoch(self, epoch: int, progress: Progress) -> None:
        torch.manual_seed(self.task.seed * 100_003 + epoch)
        started, losses = time.monotonic(), []
        self.model.train()
        for number, (inputs, labels) in enumerate(batches(self.task, epoch, self.steps_per_epoch)):
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
            checkpoint.save(self.folder / checkpoint.BEST, header, {"model": self.average.state_dict()})
        header = {"run": self.header, "epoch": epoch, "best_loss": self.best_loss, "rows": self.rows}
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer.state_tensors(self.optimizer),
        }
        checkpoint.save(self.folder / checkpoint.LAST, header, groups)
        curves.write_log(self.folder / curves.LOG, self.rows)

    def _step(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> float:
        plan = self.task.plan
        total, warmup = self.steps_per_epoch * plan.epochs, plan.warmup_epochs * self.steps_per_epoch
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * optimizer.schedule(step, total, warmup)
        if isinstance(self.model, StepHooks):
            self.model.before_step(step / total)
        self.optimizer.zero_grad()
        inputs = inputs.to(self.device).contiguous(memory_format=torch.channels_last)
        loss = self._loss(inputs, labels.to(self.device))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if isinstance(self.model, StepHooks):
            self.model.after_step()
        optimizer.update_average(self.average, self.model, min(plan.ema_decay, (step + 1) / (step + 10)))
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


def _difference(saved: dict[str, Any], current: dict[str, Any]) -> str:
    keys = sorted(key for key in saved.keys() | current.keys() if saved.get(key) != current.get(key))
    return "another " + ", ".join(keys)
