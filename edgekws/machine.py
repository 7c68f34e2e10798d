"""What this computer has to work with."""

from __future__ import annotations

import os


def cores() -> int:
    """Processors that this process may use: a container, or taskset, may allow fewer than there are."""
    allowed = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(allowed(0)) if allowed else os.cpu_count() or 1
