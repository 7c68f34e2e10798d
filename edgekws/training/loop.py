"""The one training loop: float training and quantization-aware training both go through `fit`.

Everything random is drawn from (seed, epoch, batch), so a run that was killed and resumed gives
the same weights as one that was not.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from edgekws.files import sha256
from edgekws.training import checkpoint, curves, history, optimizer
from edgekws.training.batches import Part, batches, preparation
from edgekws.training.processes import ALONE, Group
from edgekws.training.scoring import score
from edgekws.training.slots import Slots, one_thread
from edgekws.training.task import Task

Progress = Callable[[int, int, dict[str, float]], None]
"""(batches done, batches in all, figures to show)"""
Watch = Callable[[Sequence[Mapping[str, float]]], None]
"""Gets the rows of the log so far: once before the first epoch, then after each, when its checkpoint is written."""


def unwatched(_: Sequence[Mapping[str, float]]) -> None:
    """For a training that nobody follows."""


def fit(
    model: nn.Module,
    task: Task,
    folder: Path,
    header: dict[str, Any],
    progress: Progress,
    group: Group = ALONE,
    watch: Watch = unwatched,
) -> Path:
    """Train `model` in place and return the path of the checkpoint with the lowest validation loss.

    Continues from `folder`/last.safetensors; edgekws.training.history says how when the number of epochs is another.
    Ends early when the recipe has a patience. Every process of `group` calls this with the same arguments; the first
    one writes and calls `watch`. Raises ArtifactError when the checkpoint has another `header` or more epochs than are
    asked for, and ConfigError when the loss is no longer finite.
    """
    machine.keep_freed_memory()
    torch.use_deterministic_algorithms(True, warn_only=group.device.type != "cpu")  # not all of a GPU's are
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs a third of a step
    model.to(group.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(model, task, folder, header, group)
    with _shared_cores(), one_thread(task.plan), _on_device(task.teacher, group):
        first = run.resume()
        watch = watch if group.leads else unwatched
        watch(run.rows)
        for epoch in range(first, task.plan.epochs):
            if run.is_exhausted:
                break
            run.train_epoch(epoch, progress)
            run.finish_epoch(epoch)
            watch(run.rows)
    group.wait()  # until the last checkpoint is written
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


@contextmanager
def _on_device(teacher: nn.Module | None, group: Group) -> Iterator[None]:
    """The teacher computes where the network does, and is on the CPU afterwards."""
    if teacher is not None:
        teacher.to(group.device)
    yield
    if teacher is not None:
        teacher.cpu()


@runtime_checkable
class StepHooks(Protocol):
    """A model with hooks around each optimizer step. done: the fraction of the training that is done, 0..1."""

    def before_step(self, done: float) -> None: ...

    def after_step(self) -> None: ...


class _Run:
    """One training run: the model, its moving average, its optimizer and its files."""

    def __init__(self, model: nn.Module, task: Task, folder: Path, header: dict[str, Any], group: Group) -> None:
        self.model, self.task, self.folder, self.group = model, task, folder, group
        self.header = json.loads(json.dumps(header))  # as read from JSON: tuples are lists
        plan = task.plan
        clips = len(task.dataset.splits["train"])
        self.steps_per_epoch = task.source.steps_per_epoch if task.source else max(1, clips // plan.batch)
        self.average = copy.deepcopy(model)
        self.optimizer = torch.optim.AdamW(optimizer.parameter_groups(model, plan.weight_decay), lr=plan.learning_rate)
        self.best_loss = math.inf
        self.rows: list[dict[str, float]] = []
        self.plans = history.plans_of(None, plan.epochs, str(folder))
        self.validation = features_of(task.dataset, "validation", task.features)
        self.slots = Slots(model, plan.slots, group, task.seed) if plan.slots else None
        self.prepare = preparation(task, group.device)
        self.mixed_precision = _mixed_precision(task, group)

    def resume(self) -> int:
        """Load the last checkpoint, if any; return the epoch to continue with."""
        first = self._load_last()
        self.group.require_same("recipe and data set", int(sha256(json.dumps(self.header).encode())[:15], 16))
        self.group.require_same("checkpoint to continue from", first)
        return first

    def _load_last(self) -> int:
        path = self.folder / checkpoint.LAST
        if not path.exists():
            return 0
        saved = checkpoint.load(path)
        if differing := history.difference(saved.header["run"], self.header):
            raise ArtifactError(
                f"{path} should belong to this recipe and data",
                got=differing,
                hint=f"give another output folder, or delete {self.folder} to train from the start",
            )
        checkpoint.load_into(self.model, saved.groups["model"], path)
        checkpoint.load_into(self.average, saved.groups["average"], path)
        optimizer.load_state(self.optimizer, saved.groups.get("optimizer", {}))
        self.best_loss, self.rows = saved.header["best_loss"], saved.header["rows"]
        self.plans = history.plans_of(saved.header, self.task.plan.epochs, str(self.folder))
        self._record_plan(saved.header)
        return int(saved.header["epoch"]) + 1

    def _record_plan(self, saved: Mapping[str, Any]) -> None:
        """Write the last checkpoint again when the run ends at another epoch than it says."""
        header = json.loads(json.dumps(self._header(int(saved["epoch"]))))
        if self.group.leads and header != {key: saved[key] for key in saved if key not in ("kind", "version")}:
            self._save_last(int(saved["epoch"]))

    @property
    def is_exhausted(self) -> bool:
        """Whether the patience of the recipe is used up."""
        return history.is_exhausted(self.rows, self.task.plan.patience, self.plans[-1][0])

    def train_epoch(self, epoch: int, progress: Progress) -> None:
        torch.manual_seed(self.task.seed * 100_003 + epoch)
        started, losses = time.monotonic(), Losses()
        self.model.train()
        for number, parts in enumerate(self._batches(epoch)):
            step = epoch * self.steps_per_epoch + number
            losses.add(self._step(parts, step))
            done = {"epoch": epoch + 1, "loss": losses.recent()}
            progress(step + 1, self.steps_per_epoch * self.task.plan.epochs, done)
        self.rows.append({"epoch": epoch + 1, "loss": losses.mean(), "seconds": time.monotonic() - started})

    def _batches(self, epoch: int) -> Iterator[list[Part]]:
        if self.task.source:
            return self.task.source.batches(epoch)
        slots = self.group.share(self.task.plan.slots) if self.task.plan.slots else None
        return batches(self.task, self.prepare, epoch, self.steps_per_epoch, slots)

    def finish_epoch(self, epoch: int) -> None:
        truth = self.task.dataset.splits["validation"].labels
        figures = score(self.average, self.validation, truth, self.task.features, self.group)
        self.rows[-1] |= {f"validation_{key}": value for key, value in asdict(figures).items()}
        if not math.isfinite(figures.loss):
            hint = "lower train.learning_rate in the recipe and train in another folder"
            raise ConfigError(
                "the validation loss should be finite", got=f"{figures.loss} in epoch {epoch + 1}", hint=hint
            )
        if figures.loss < self.best_loss:
            self.best_loss = figures.loss
            if self.group.leads:
                header = {"run": self.header, "epoch": epoch, "validation": asdict(figures)}
                header |= history.recorded(self.plans, stopped=False)
                checkpoint.save(self.folder / checkpoint.BEST, header, {"model": self.average.state_dict()})
        if self.group.leads:
            self._save_last(epoch)

    def _header(self, epoch: int) -> dict[str, Any]:
        """Of the last checkpoint."""
        header = {"run": self.header, "epoch": epoch, "best_loss": self.best_loss, "rows": self.rows}
        return header | history.recorded(self.plans, self.is_exhausted)

    def _save_last(self, epoch: int) -> None:
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer.state_tensors(self.optimizer),
        }
        checkpoint.save(self.folder / checkpoint.LAST, self._header(epoch), groups)
        curves.write_log(self.folder / curves.LOG, self.rows)

    def _step(self, parts: list[Part], step: int) -> torch.Tensor:
        plan = self.task.plan
        total, warmup = self.steps_per_epoch * plan.epochs, plan.warmup_epochs * self.steps_per_epoch
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * optimizer.schedule(step, total, warmup)
        if isinstance(self.model, StepHooks):
            self.model.before_step(step / total)
        self.optimizer.zero_grad()
        loss = self._backward(parts, step)
        self.optimizer.step()
        if isinstance(self.model, StepHooks):
            self.model.after_step()
        optimizer.update_average(self.average, self.model, min(plan.ema_decay, (step + 1) / (step + 10)))
        return loss.detach()

    def _backward(self, parts: list[Part], step: int) -> torch.Tensor:
        if self.slots is not None:
            return self.slots.backward(parts, self._loss, step)
        loss = self._loss(parts[0].inputs, parts[0].labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _loss(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        device = self.group.device
        inputs = inputs.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.mixed_precision):
            return self._loss_on_device(inputs, labels.to(device))

    def _loss_on_device(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits = self.model(inputs)
        if self.task.source:
            loss = self.task.source.loss(logits, labels)
        else:
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


class Losses:
    """The losses of an epoch. They are read from a GPU now and then: reading one waits for all that it has to do."""

    _READ_EVERY, _RECENT = 20, 50

    def __init__(self) -> None:
        self._read: list[float] = []
        self._waiting: list[torch.Tensor] = []

    def add(self, loss: torch.Tensor) -> None:
        self._waiting.append(loss)
        if loss.device.type == "cpu" or len(self._waiting) >= self._READ_EVERY or not self._read:
            self._drain()

    def recent(self) -> float:
        return float(np.mean(self._read[-self._RECENT :]))

    def mean(self) -> float:
        self._drain()
        return float(np.mean(self._read))

    def _drain(self) -> None:
        if self._waiting:
            self._read += torch.stack(self._waiting).float().tolist()
            self._waiting.clear()


def _mixed_precision(task: Task, group: Group) -> bool:
    if task.quantized or task.plan.precision == "float32":
        return False
    return task.plan.precision == "bf16" or group.device.type == "cuda"
