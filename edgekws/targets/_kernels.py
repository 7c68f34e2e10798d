"""Instructions of our own kernels by core: fitted by `benchmarks/instructions.py --fit` to layers counted in QEMU."""

from __future__ import annotations

from edgekws.targets._device import Costs

KERNEL_COSTS: dict[str, Costs] = {}
"""By the `cpu` of a board."""
