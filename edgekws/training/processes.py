"""Several processes that train one network: torchrun starts them, gloo (CPU) or NCCL (CUDA) connects them.

The work of a batch is numbered, and each process has a run of these numbers. Results are gathered in order, so that
every process then computes the same from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from edgekws import machine
from edgekws.errors import ConfigError, EdgeKwsError

TIMEOUT = timedelta(minutes=30)
"""How long a process waits for another: the first one may extract the features of a large data set alone."""


CPU = torch.device("cpu")


@dataclass(frozen=True)
class Group:
    """The processes of a training. device: where this one computes."""

    device: torch.device = CPU
    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, total: int, rank: int | None = None) -> range:
        """The numbers below `total` that a process has, by default this one."""
        number = self.rank if rank is None else rank
        return range(number * total // self.count, (number + 1) * total // self.count)

    def gather(self, rows: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
        """The rows of all processes in order, [sum(counts), ...]. counts: rows of each process.

        Raises EdgeKwsError when a process is gone.
        """
        if self.count == 1:
            return rows
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        with _lost_processes():
            distributed.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    def gather_shares(self, rows: torch.Tensor, total: int) -> torch.Tensor:
        """[len(share(total)), ...] of each process -> [total, ...]; otherwise like `gather`."""
        return self.gather(rows, [len(self.share(total, rank)) for rank in range(self.count)])

    def wait(self) -> None:
        """Until all processes are here. Raises EdgeKwsError when one is gone."""
        self.gather_shares(torch.zeros(1, device=self.device), self.count)

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The first process runs the block before the others do: what it writes is there for them."""
        if not self.leads:
            self.wait()
        yield
        if self.leads:
            self.wait()

    def require_same(self, what: str, number: int) -> None:
        """Raises ConfigError when a number of less than 63 bits is not the same in all processes."""
        numbers = self.gather_shares(torch.tensor([number], device=self.device), self.count).tolist()
        if len(set(numbers)) > 1:
            hint = "give all of them the same command and a folder that they share"
            raise ConfigError(f"all processes should have the same {what}", got="different ones", hint=hint)


ALONE = Group()


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group of this process, connected to the others of torchrun's for the time of the block.

    Raises EdgeKwsError when they cannot be reached.
    """
    place = machine.place()
    if place.count == 1:
        yield Group(device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _lost_processes():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    yield Group(device, place.rank, place.count)
    distributed.destroy_process_group()  # not after an error: the others may be gone, and it would wait for them


@contextmanager
def _lost_processes() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if "MASTER_ADDR" not in os.environ:
            hint = "start the command with torchrun, or unset RANK and WORLD_SIZE"
            raise ConfigError("MASTER_ADDR should say where the first process is", got="nothing", hint=hint) from error
        raise EdgeKwsError(
            f"all processes of the training should answer within {TIMEOUT.seconds // 60} minutes",
            got="one has ended or does not answer",
            hint="see its own message; the same torchrun command continues the training",
        ) from error
