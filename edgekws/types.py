"""The frozen values that flow through edgekws. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Progress = Callable[[str, int, int], None]
"""(what, done, total): how long work tells that it goes on."""

How = Literal["measured", "emulated", "estimated", "computed"]
"""How a figure was got: on a board, as instructions under an emulator, from a cost model, on the host."""


@dataclass(frozen=True)
class Clip:
    """One recording. samples: int16 [n]; label: index into the data set's labels."""

    id: str
    label: int
    speaker: str
    samples: np.ndarray
    rate_hz: int


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """One figure and how it was got. `n` is the number of clips, windows or runs behind it."""

    name: str
    value: float
    unit: str
    how: How
    n: int = 1
    interval: Interval | None = None
    board: str = ""
    artifact_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Manifest:
    """What an artifact was made from, so that it can be made again."""

    kind: str
    inputs: dict[str, str]
    """name -> sha256 of each input"""
    recipe: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
