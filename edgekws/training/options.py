"""How a training runs on this computer: nothing here is part of the recipe, and the CPU's bytes do not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainOptions:
    """device: auto (a CUDA device if there is one, else the CPU), cpu, cuda or mps. trackers: plugins by name.

    background, noise, rooms: folders of long recordings for a recipe with [stream]: speech and other sound without any
    keyword, noises, impulse responses.
    """

    device: str = "auto"
    trackers: tuple[str, ...] = ()
    background: Path | None = None
    noise: Path | None = None
    rooms: Path | None = None

    @property
    def folders(self) -> dict[str, Path | None]:
        return {"background": self.background, "noise": self.noise, "rooms": self.rooms}
