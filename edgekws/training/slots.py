"""Fixed gradient slots: the same weights, to the bit, for any number of processes.

    batch of 128 clips   | slot 0: 16 | slot 1: 16 | ... | slot 7: 16 |
                               |            |                  |
    each by itself        forward, backward; statistics of batch normalization; random numbers of (seed, step, slot)
                               |            |                  |
    gathered             gradient 0 + gradient 1 + ...  + gradient 7      added in this order, float32
                         running statistics: mean of the slots'

Floating-point sums depend on their order, so plain data-parallel training gives other weights for each number of
processes. Here the number of slots fixes the order, and a process computes one slot or several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import gcd
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgekws.errors import ConfigError
from edgekws.recipe import TrainSection
from edgekws.training import checkpoint
from edgekws.training.batches import Part
from edgekws.training.processes import Group

FEW, MANY = 4, 8
"""Slots of a training in several processes whose recipe does not say: few, which are faster, for up to 4 processes."""

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(inputs, labels) -> mean loss of these clips"""


def continued(plan: TrainSection, folder: Path, processes: int) -> TrainSection:
    """`plan` with the slots of the training in `folder`, where it has none itself; otherwise like `planned`.

    Raises ConfigError when that training began without slots, and for more processes than slots.
    """
    last = folder / checkpoint.LAST
    if plan.slots is None and last.exists():
        run = checkpoint.load(last).header["run"]
        slots = run.get("recipe", {}).get("train", {}).get("slots")
        if slots is None and processes > 1:
            hint = "continue it without torchrun, or give another output folder"
            raise ConfigError(
                f"the training in {folder} should have slots, to run in {processes} processes", got="none", hint=hint
            )
        plan = plan.model_copy(update={"slots": slots})
    return planned(plan, processes)


def planned(plan: TrainSection, processes: int) -> TrainSection:
    """`plan` with 4 slots (8 for more than 4 processes), or as many as divide its batch.

    Only where several processes need some and it has none.

    Raises ConfigError for more processes than slots.
    """
    usual = gcd(plan.batch, FEW if processes <= FEW else MANY)
    slots = usual if plan.slots is None and processes > 1 else plan.slots
    if slots is not None and processes > slots:
        hint = f"give --slots with a divisor of the batch of {plan.batch} clips that is not smaller, or fewer processes"
        raise ConfigError(
            "each process needs a slot of the batch", got=f"{processes} processes, {slots} slots", hint=hint
        )
    return plan.model_copy(update={"slots": slots})


@contextmanager
def one_thread(plan: TrainSection) -> Iterator[None]:
    """With slots, torch computes in one thread: how an operation is cut among threads changes the order of its sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if plan.slots else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Slots:
    """The gradient of a batch, slot by slot. It replaces `backward`, and merges the statistics of the slots."""

    def __init__(self, model: nn.Module, count: int, group: Group, seed: int) -> None:
        self.count, self.group, self.seed = count, group, seed
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.gradients = [torch.empty_like(parameter) for parameter in self.parameters]
        self.statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self.counters = [buffer for buffer in model.buffers() if not buffer.is_floating_point()]

    def backward(self, parts: Sequence[Part], loss_of: Loss, step: int) -> torch.Tensor:
        """Set the gradients of all parameters; return the loss of the whole batch, a scalar.

        parts: the slots of this process, in order. Every slot begins with the same statistics; afterwards they are
        the mean of what the slots made of them.
        """
        statistics = [buffer.clone() for buffer in self.statistics]
        counters = [buffer.clone() for buffer in self.counters]
        rows = []
        for slot, part in zip(self.group.share(self.count), parts, strict=True):
            _copy(self.statistics, statistics)
            _copy(self.counters, counters)
            torch.manual_seed(_seed_of(self.seed, step, slot))
            rows.append(self._row(loss_of(part.inputs, part.labels) * part.share, statistics))
        return self._merge(self.group.gather_shares(torch.stack(rows), self.count), statistics)

    def _row(self, loss: torch.Tensor, statistics: list[torch.Tensor]) -> torch.Tensor:
        """What one slot adds: its loss, the gradients, and the change of the statistics; float32, in one vector."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        changes = [now - before for now, before in zip(self.statistics, statistics, strict=True)]
        return torch.cat([value.reshape(-1).float() for value in (loss.detach(), *gradients, *changes)])

    @torch.no_grad()
    def _merge(self, rows: torch.Tensor, statistics: list[torch.Tensor]) -> torch.Tensor:
        """Add the slots in their order. rows: [slots, width]."""
        total = rows[0].clone()
        for row in rows[1:]:
            total += row
        tensors = (*self.parameters, *self.statistics)
        loss, *values = torch.split(total, [1, *(tensor.numel() for tensor in tensors)])
        shaped = [value.view(tensor.shape) for value, tensor in zip(values, tensors, strict=True)]
        _copy(self.gradients, shaped[: len(self.parameters)])
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        for buffer, before, change in zip(self.statistics, statistics, shaped[len(self.parameters) :], strict=True):
            buffer.copy_(before + change / self.count)
        return loss[0]


def _copy(targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
    if targets:
        torch._foreach_copy_(targets, sources)


def _seed_of(seed: int, step: int, slot: int) -> int:
    """The seed of the dropout of one slot."""
    return int(np.random.SeedSequence([seed, step, slot]).generate_state(1, np.uint64)[0])
