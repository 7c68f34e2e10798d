"""What a bench can find out: one mode each, found by its file's name.

Every module has a class `Runner`, made from a Setup, with
    measure()                 asks the device, and notes at once what it learns
    section()                 the frozen section of what was noted so far; None for nothing

`measure` may break off anywhere (a pulled cable, Ctrl-C): `section` then still gives what was found.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np

from edgekws.errors import ConfigError
from edgekws.graph import interp
from edgekws.graph.ir import Graph
from edgekws.graph.softmax import permille
from edgekws.mlperf import WINDOW_S, WINDOWS
from edgekws.types import Progress
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.energy.meter import Meter
from firmware_io.monitors import Monitor
from firmware_io.protocol.session import Session

Mode = Literal["performance", "accuracy", "energy"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""In the order in which a bench runs them."""
IDLE_S = 1.0
"""A board rests this long, at least, before and after each window of energy mode."""
MARGIN, MORE_MARGIN = 1.05, 0.1
"""A window is planned this much longer than it must be, and so much longer again each time that it came out short."""
WINDOW_ATTEMPTS = 4
MOST_GROWTH = 4
"""Times the iterations of the attempt before, at most: a clock that jumped back must not make a window of hours."""
WARMUPS = 1
"""Inferences before a window's first time stamp, as both MLPerf Tiny hosts ask for."""


@dataclass(frozen=True)
class Vectors:
    """Clips to be sent. features: int8 [n, frames, coefficients]; labels: int [n], None if not known."""

    dataset: str
    ids: tuple[str, ...]
    features: np.ndarray
    labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.features) == 0 or len(self.ids) != len(self.features):
            got = f"{len(self.features)} clips with {len(self.ids)} names"
            raise ConfigError("the bench needs at least one clip, and a name for each", got=got)


@dataclass(frozen=True)
class Plan:
    """What to run. window_s: time of one window, on the device's clock or the meter's. idle_s: of rest around it.

    host_clock: this computer's clock ran while the device did; not so for traffic that is played back.
    """

    modes: tuple[Mode, ...] = ("performance", "accuracy")
    window_s: float = WINDOW_S
    windows: int = WINDOWS
    idle_s: float = IDLE_S
    host_clock: bool = True


@dataclass(frozen=True)
class Setup:
    """What every mode works with. firmware: that the device should have. meter, monitor: a live meter, switched on."""

    session: Session
    board: Board
    graph: Graph
    vectors: Vectors
    plan: Plan
    report: Progress
    firmware: Firmware | None = None
    meter: Meter | None = None
    monitor: Monitor | None = None

    def clip(self, number: int) -> int:
        """Index of the clip that window `number` runs on."""
        return number % len(self.vectors.features)

    def expected(self, index: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(scores, probabilities in thousandths) that the interpreter gives for a clip."""
        scores = interp.run(self.graph, self.vectors.features[index : index + 1])
        return tuple(scores[0].tolist()), tuple(permille(scores, self.graph.score_scale)[0].tolist())


class Runner(Protocol):
    def __init__(self, setup: Setup) -> None: ...
    def measure(self) -> None: ...
    def section(self) -> Any: ...  # noqa: ANN401 (each mode has its own)


def planned(seconds: float, inference_s: float, attempt: int = 0) -> int:
    """Iterations of a window that has to last `seconds`, when one inference was seen to take `inference_s`."""
    return max(1, math.ceil(seconds * (MARGIN + MORE_MARGIN * attempt) / inference_s))


def longer(seconds: float, iterations: int, lasted_s: float, attempt: int) -> int:
    """Iterations of the next attempt at a window, after so many lasted less than `seconds`."""
    return min(planned(seconds, lasted_s / iterations, attempt), iterations * MOST_GROWTH)


def in_order(names: list[str]) -> tuple[Mode, ...]:
    """The modes of these names, in the order in which they run. Raises ConfigError that lists the modes there are."""
    unknown = [name for name in names if name not in MODES]
    if unknown or not names:
        raise ConfigError(f"the modes should be some of {', '.join(MODES)}", got=", ".join(unknown) or "none")
    return tuple(mode for mode in MODES if mode in names)


def runner(mode: Mode, setup: Setup) -> Runner:
    made: Runner = importlib.import_module(f"{__name__}.{mode}").Runner(setup)
    return made
