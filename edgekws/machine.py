"""What this process has to work with: processors, memory, and the other processes of the same command."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass

from edgekws.errors import ConfigError

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20
_KEPT_BYTES = 1 << 30


def cores() -> int:
    """Processors that this process may use: a container, or taskset, may allow fewer than there are."""
    allowed = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(allowed(0)) if allowed else os.cpu_count() or 1


@dataclass(frozen=True)
class Place:
    """Which of several processes of one command this is. count: of all of them. local_rank: among this computer's."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def place() -> Place:
    """What torchrun wrote into the environment (RANK, WORLD_SIZE, LOCAL_RANK); one process without it.

    Raises ConfigError when the three do not fit together.
    """
    if not {"RANK", "WORLD_SIZE"} <= os.environ.keys():
        return Place()
    texts = [os.environ.get(name, "0") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    numbers = [int(text) if text.isdecimal() else -1 for text in texts]
    rank, count, local_rank = numbers
    if min(numbers) < 0 or rank >= count:
        hint = "start the command with torchrun, or unset these variables"
        raise ConfigError(
            "RANK, WORLD_SIZE and LOCAL_RANK should be those of torchrun", got=", ".join(texts), hint=hint
        )
    return Place(rank, count, local_rank)


def keep_freed_memory() -> None:
    """Tune glibc's malloc to keep freed memory instead of returning it to the kernel; does nothing elsewhere.

    Feature maps of some megabytes are otherwise mapped, zeroed and unmapped for each layer of each step, which takes
    a third of a training step on a small CPU.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_TOP_PAD, 64 << 20)
