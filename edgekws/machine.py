"""What this computer has to work with: its processors and its memory."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20
_KEPT_BYTES = 1 << 30


def cores() -> int:
    """Processors that this process may use: a container, or taskset, may allow fewer than there are."""
    allowed = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(allowed(0)) if allowed else os.cpu_count() or 1


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
