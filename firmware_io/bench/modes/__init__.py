"""The modes of a bench: one file each, found by its name.

Every module has ORDER, a number by which the modes of a bench are sorted, and a class `Runner`, made from a Setup, with
    measure()                 runs the mode on the device and keeps every result at once
    section()                 the frozen section of the results so far; None when there are none

`measure` may be interrupted anywhere (a pulled cable, Ctrl-C); `section` still returns the results until then.
Performance, accuracy and energy have sections of their own in the report. A mode of another package returns Figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgekws import plugins
from edgekws.detect.settings import Settings
from edgekws.errors import ConfigError
from edgekws.graph import interp
from edgekws.graph.ir import Graph
from edgekws.mlperf import WINDOW_S, WINDOWS
from edgekws.types import Interval, Progress
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.energy.meter import Meter
from firmware_io.monitors import Monitor
from firmware_io.protocol.session import Session

_KIND = "bench_modes"
IDLE_S = 1.0
"""Minimum rest, in seconds, before and after each window of energy mode."""
MARGIN, MORE_MARGIN = 1.05, 0.1
"""A window is planned longer by this factor, and by this much more after each attempt that was too short."""
WINDOW_ATTEMPTS = 4
MOST_GROWTH = 4
"""Largest growth of the iterations from one attempt to the next: a clock that jumps must not make a window of hours."""
WARMUPS = 1
"""Inferences before a window's first time stamp; both hosts of MLPerf Tiny request one."""


@dataclass(frozen=True)
class Vectors:
    """Clips to be sent. features: int8 [n, frames, coefficients]; labels: int [n], None when they are not known.

    ids: a name per clip. Raises ConfigError without clips.
    """

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
    """What to run. windows: how many. window_s: minimum length of each, on the device's or the meter's clock.

    idle_s: rest around each window of energy mode. host_clock: whether host times mean anything; not so for replays.
    audio, labels: the recording of sww01 mode, and its wake words (edgekws.mlperf.sww01). sound: its samples, int16,
    at the rate of the front end. detector: of stream mode, that of the firmware; it matters where it has a gate.
    """

    modes: tuple[str, ...] = ("performance", "accuracy")
    window_s: float = WINDOW_S
    windows: int = WINDOWS
    idle_s: float = IDLE_S
    host_clock: bool = True
    audio: Path | None = None
    sound: np.ndarray | None = None
    labels: Path | None = None
    detector: Settings | None = None


@dataclass(frozen=True)
class Setup:
    """The inputs of every mode. firmware: the one that the device should run. monitor: the live `meter`, connected."""

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
        """Index of the clip for window `number`."""
        return number % len(self.vectors.features)

    def expected(self, index: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(scores, probabilities in thousandths) that the interpreter gives for a clip."""
        scores = interp.run(self.graph, self.vectors.features[index : index + 1])
        return tuple(scores[0].tolist()), tuple(self.graph.permille(scores)[0].tolist())


@dataclass(frozen=True)
class Estimated:
    """A figure from a cost model, between bounds that published constants allow; its name says what it stands for."""

    name: str
    value: float
    unit: str
    interval: Interval


@dataclass(frozen=True)
class Figures:
    """The section of a mode that the report has no place for. rows: (name, value, unit, n: values behind it).

    reasons: why the run is not valid.
    """

    rows: tuple[tuple[str, float, str, int], ...]
    reasons: tuple[str, ...] = ()
    estimates: tuple[Estimated, ...] = ()


class Runner(Protocol):
    """One mode on one device."""

    def __init__(self, setup: Setup) -> None: ...

    def measure(self) -> None:
        """Run the mode. Raises BoardError or ProtocolError when the device fails; results so far are kept."""

    def section(self) -> Any:  # noqa: ANN401 (each mode has its own)
        """The frozen section of the results so far; None when there are none."""


def planned(seconds: float, inference_s: float, attempt: int = 0) -> int:
    """Iterations of a window of at least `seconds`, if one inference takes `inference_s`. attempt: from 0."""
    return max(1, math.ceil(seconds * (MARGIN + MORE_MARGIN * attempt) / inference_s))


def longer(seconds: float, iterations: int, lasted_s: float, attempt: int) -> int:
    """Iterations of the next attempt, after `iterations` took `lasted_s`, which is less than `seconds`."""
    return min(planned(seconds, lasted_s / iterations, attempt), iterations * MOST_GROWTH)


def in_order(names: list[str]) -> tuple[str, ...]:
    """The modes with these names, in the order in which they run. Raises ConfigError, which lists all modes."""
    if not names:
        raise ConfigError(f"--mode should be some of {', '.join(plugins.names(_KIND))}", got="none")
    return tuple(sorted(dict.fromkeys(names), key=lambda name: (plugins.load(_KIND, name).ORDER, name)))


def runner(mode: str, setup: Setup) -> Runner:
    """The Runner of `mode`, ready to measure. Raises ConfigError, which lists all modes."""
    made: Runner = plugins.load(_KIND, mode).Runner(setup)
    return made
