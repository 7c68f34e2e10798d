"""The frozen values of edgekws. Imports nothing else of edgekws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Progress = Callable[[str, int, int], None]
"""(what, done, total): progress of long work."""

How = Literal["measured", "emulated", "estimated", "computed"]
"""How a figure was obtained: on a board, in an emulator, from a cost model, on the host."""


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
    """Bounds of a figure, in its unit."""

    low: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """One figure and how it was obtained. n: the number of clips, windows or runs behind it."""

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
    """The inputs, recipe and versions that an artifact was made from."""

    kind: str
    inputs: dict[str, str]
    """name -> sha256 of each input"""
    recipe: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Detection:
    """One keyword that was heard. time_samples: samples of the stream that were read when it was; score: the smoothed
    probability in thousandths.
    """

    keyword: str
    time_samples: int
    score: int
    model_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
