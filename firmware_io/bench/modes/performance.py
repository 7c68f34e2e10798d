"""Performance mode: windows of at least 10 s on the device's own clock, as MLPerf Tiny requires, one clip each."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from statistics import median

from edgekws.errors import BoardError, ProtocolError
from firmware_io.bench.modes import MARGIN, WARMUPS, WINDOW_ATTEMPTS, Setup, longer, planned
from firmware_io.bench.modes._clip import FLASH, classify, require_this_graph
from firmware_io.bench.modes.accuracy import ClipAnswer, window_answer
from firmware_io.board import Board
from firmware_io.protocol.session import Window

ORDER = 1
_CALIBRATION_US = 200_000
_LAYERS_US = 400_000
"""Time of the inferences that the layers are measured in, at least."""
_CALIBRATION_HOST_S = 60.0
_CALIBRATION_ITERATIONS = 1_000_000


@dataclass(frozen=True)
class Performance:
    """Readings of the device's clock. iterations, windows_s, latencies_us: of each window; latency_us: their median.

    clock: what the device's clock counts; that of an emulated board counts instructions, so its readings are no time.
    clock_us: its readings before and after each window.
    spread: (slowest - fastest window) / median. drift: last window / first - 1. instructions: per inference, None
    unless emulated. host_s: duration of each window with its warm-ups on this computer; None when that means nothing.
    wrong: clips whose last answer differs from the interpreter's. layers_us: microseconds of each layer per inference;
    empty when the device does not report them.
    """

    clock: str
    iterations: tuple[int, ...]
    windows_s: tuple[float, ...]
    latencies_us: tuple[float, ...]
    latency_us: float
    inferences_per_s: float
    spread: float
    drift: float
    instructions: float | None
    host_s: tuple[float, ...] | None
    clock_us: tuple[tuple[int, int], ...]
    wrong: tuple[str, ...]
    layers_us: tuple[float, ...]


class Runner:
    """Performance mode on one device."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._windows: list[Window] = []
        self._wrong: list[str] = []
        self._layers_us: tuple[float, ...] = ()

    def measure(self) -> None:
        """Run all windows. Raises BoardError or ProtocolError when the device fails or holds another model."""
        setup, total = self._setup, self._setup.plan.windows
        if setup.session.mode == "energy":
            got = "its firmware is built for energy mode, which prints no times"
            raise BoardError("the device should be in performance mode", got=got, hint=FLASH)
        require_this_graph(setup, 0)  # also loads the input for the calibration
        us, host_s = self._calibrate()
        for number in range(total):
            setup.report("performance", number, total)
            classify(setup, setup.clip(number))
            self._window(setup.clip(number), us, host_s)
        setup.report("performance", total, total)
        self._layers()

    def section(self) -> Performance | None:
        """The section of the windows so far; None when no window has a positive duration."""
        windows = self._windows
        latencies = [window.device_us / window.iterations for window in windows]
        usable = [latency for latency in latencies if latency > 0]
        if not usable:
            return None
        latency, shift = median(usable), self._setup.board.icount_shift
        return Performance(
            clock=_clock(self._setup.board),
            iterations=tuple(window.iterations for window in windows),
            windows_s=tuple(window.device_us / 1e6 for window in windows),
            latencies_us=tuple(latencies),
            latency_us=latency,
            inferences_per_s=1e6 / latency,
            spread=(max(usable) - min(usable)) / latency,
            drift=usable[-1] / usable[0] - 1,
            instructions=instructions(latency, shift) if shift >= 0 else None,
            host_s=tuple(window.host_s for window in windows) if self._setup.plan.host_clock else None,
            clock_us=tuple((window.start_us, window.end_us) for window in windows),
            wrong=tuple(self._wrong),
            layers_us=self._layers_us,
        )

    def answers(self) -> tuple[ClipAnswer, ...]:
        """The answer at the end of each window so far."""
        windows = enumerate(self._windows)
        return tuple(window_answer(self._setup, self._setup.clip(at), window.permille) for at, window in windows)

    def _window(self, index: int, us: float, host_s: float) -> None:
        """One window. On a busy computer the calibration is too slow, so a short window is run again, longer."""
        seconds = self._setup.plan.window_s
        iterations = planned(seconds, us / 1e6)
        for attempt in range(1, WINDOW_ATTEMPTS + 1):
            window = self._setup.session.infer(iterations, WARMUPS, timeout_s=30.0 + 5 * iterations * host_s)
            if not 0 < window.device_us < seconds * 1e6:
                break
            iterations = longer(seconds, iterations, window.device_us / 1e6, attempt)
        self._windows.append(window)
        if window.permille != self._setup.expected(index)[1]:
            self._wrong.append(self._setup.vectors.ids[index])

    def _calibrate(self) -> tuple[float, float]:
        """(device microseconds, host seconds) of one inference. Raises BoardError when no time passes."""
        iterations, begin = 1, time.monotonic()
        while time.monotonic() - begin < _CALIBRATION_HOST_S and iterations <= _CALIBRATION_ITERATIONS:
            window = self._setup.session.infer(iterations, WARMUPS)
            if abs(window.device_us) >= _CALIBRATION_US:  # a clock that runs backwards is reported by the verdict
                return abs(window.device_us) / iterations, window.host_s / (iterations + WARMUPS)
            grow = _CALIBRATION_US * MARGIN / max(abs(window.device_us), 1)
            iterations = math.ceil(iterations * min(10.0, max(2.0, grow)))
        raise BoardError(
            "the clock of the device should run",
            got=f"{window.device_us} us for {window.iterations} inferences",
            hint="check the timer of the firmware's port",
        )

    def _layers(self) -> None:
        """Raises ProtocolError when the device has other layers than the graph."""
        classify(self._setup, 0)
        us, nodes = min(window.device_us / window.iterations for window in self._windows), self._setup.graph.nodes
        layers_us = self._setup.session.layers(max(1, math.ceil(_LAYERS_US / max(us, 1))))
        if layers_us is not None and len(layers_us) != len(nodes):
            raise ProtocolError(f"the device should have {len(nodes)} layers", got=str(len(layers_us)), hint=FLASH)
        self._layers_us = layers_us or ()


def instructions(us: float, icount_shift: int) -> float:
    """Instructions in `us` microseconds of an emulator's clock, which goes on by 2**icount_shift ns for each."""
    return us * 1000 / (1 << icount_shift)


def _clock(board: Board) -> str:
    if board.icount_shift >= 0:
        return f"virtual time of the emulator, {1 << board.icount_shift} ns for every instruction"
    return "the clock of this computer" if board.how == "computed" else "the clock of the board"
