"""How a training runs on this computer: nothing here is part of the recipe, and the CPU's bytes do not depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainOptions:
    """device: auto (a CUDA device if there is one, else the CPU), cpu, cuda or mps. trackers: plugins by name."""

    device: str = "auto"
    trackers: tuple[str, ...] = ()
