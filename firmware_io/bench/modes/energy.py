"""Energy mode: joules between two falling edges of the timestamp pin, in total and above idle.

With a live meter the order is MLPerf Tiny's (EnergyRunner): switch the board on, start the trace, `timestamp` (one
edge), one second of rest; then for each window load the clip, run the inferences between two edges, rest for a second.
A recorded trace has the same edges, and no board is used. A model has neither trace nor edges: it estimates.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from edgekws.errors import BoardError, ConfigError
from edgekws.types import How, Interval
from firmware_io.bench.modes import MARGIN, WARMUPS, WINDOW_ATTEMPTS, Plan, Setup, longer, planned
from firmware_io.bench.modes._clip import require_this_graph
from firmware_io.bench.modes.accuracy import ClipAnswer, window_answer
from firmware_io.bench.modes.performance import Performance
from firmware_io.board import Board
from firmware_io.energy import milliseconds
from firmware_io.energy import windows as energy
from firmware_io.energy.meter import Meter
from firmware_io.energy.milliseconds import WindowSamples
from firmware_io.energy.recorder import Recorder
from firmware_io.energy.windows import EnergyWindow, Points, Span
from firmware_io.monitors import Estimate, Trace
from firmware_io.protocol.session import EnergyRun

ORDER = 3
_CALIBRATION_S = 0.5
_CALIBRATION_ITERATIONS = 1_000_000
_EDGE_TIMEOUT_S = 5.0
_SETTLE_S = 0.25
"""After the second edge a board is still sending the end of its answer, at 9600 baud."""


@dataclass(frozen=True)
class Energy:
    """Energy of one inference in microjoules: medians over windows.

    uj_per_inference_above_idle: less the idle power over the same time; None when that is unknown.
    rate_hz: samples per second. volts: of the supply, None if unknown. dropped: samples that the meter lost.
    spread: (highest - lowest window) / median. trace: points for a plot. Of an estimate only: interval (uJ), source of
    its constants, and the chip that it stands for, with clock and supply.
    peak_a: highest current of a sample, None without a voltage; limit_a: the meter's limit, 0 for none.
    faults: problems with the edges, in sentences. wrong: clips whose answer differs from the interpreter's.
    host_s: duration of each window with warm-ups and answer on this computer; None when no board was used.
    """

    meter: str
    how: How
    rate_hz: float
    volts: float | None
    dropped: int
    windows: tuple[EnergyWindow, ...]
    uj_per_inference: float
    uj_per_inference_above_idle: float | None
    interval: Interval | None
    spread: float
    source: str
    trace: Points | None
    peak_a: float | None = None
    limit_a: float = 0.0
    faults: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    host_s: tuple[float, ...] | None = None
    chip: str = ""


class Runner:
    """Energy mode on one device, with a live meter that supplies or only measures it."""

    def __init__(self, setup: Setup) -> None:
        """Raises ConfigError without a live meter."""
        if setup.meter is None or setup.monitor is None:
            raise ConfigError("energy mode needs a meter", got="none", hint="give --meter URL, or --meter model:")
        self._setup, self._meter = setup, setup.meter
        meter, monitor = setup.meter, setup.monitor
        title, rate_hz = meter.capabilities.title, meter.rate_hz
        self._recorder = Recorder(monitor, meter.folder, title, rate_hz, meter.volts)
        self._started = False
        self._spans: list[tuple[Span, float]] = []  # with the duration of the run on this computer
        self._answers: list[ClipAnswer] = []  # of the same windows
        self._faults: list[str] = []
        self._wrong: list[str] = []

    def measure(self) -> None:
        """Run all windows.

        Raises BoardError or ProtocolError when the device or the meter fails, the device holds another model, or no
        edge arrives.
        """
        setup, total = self._setup, self._setup.plan.windows
        if setup.session.mode == "performance":
            got = "its firmware is built for performance mode, which makes no edges"
            hint = f"flash the firmware for energy mode: edgekws flash --board {setup.board.name} --energy"
            raise BoardError("the device should be in energy mode", got=got, hint=hint)
        require_this_graph(setup, 0)
        inference_s = self._calibrate()
        with self._recorder:
            self._started = True
            self._begin()
            for number in range(total):
                setup.report("energy", number, total)
                self._window(number, inference_s)
        self._recorder.check()
        setup.report("energy", total, total)

    def section(self) -> Energy | None:
        """The section of the windows whose edges arrived; None when there are none."""
        trace, usable = self._usable()
        if not usable:
            return None
        section = measured(trace, [span for span, _ in usable], self._meter, self._setup.board, self._setup.plan)
        host_s = tuple(seconds for _, seconds in usable) if self._setup.plan.host_clock else None
        return replace(section, faults=tuple(self._faults), wrong=tuple(self._wrong), host_s=host_s)

    def samples(self) -> tuple[WindowSamples, ...]:
        """Joules per millisecond of the windows of `section`."""
        trace, usable = self._usable()
        return milliseconds.of_windows(trace, [span for span, _ in usable])

    def answers(self) -> tuple[ClipAnswer, ...]:
        """The answer at the end of each window of `section`."""
        return tuple(self._answers[: len(self._usable()[1])])

    def _usable(self) -> tuple[Trace, list[tuple[Span, float]]]:
        """The trace so far, and the windows of which it has all samples: a meter may have gone in between."""
        if not self._started:
            return Trace("", milliseconds.RATE_HZ, np.zeros(0), ()), []
        trace = self._recorder.trace()
        return trace, [pair for pair in self._spans if pair[0].last <= len(trace.joules)]

    def _calibrate(self) -> float:
        """Seconds per inference: the difference of two runs on this computer's clock, which cancels the overhead."""
        first_s, iterations = self._setup.session.infer_energy(1, WARMUPS).host_s, 2
        while True:
            more_s = self._setup.session.infer_energy(iterations, WARMUPS).host_s - first_s
            if more_s >= _CALIBRATION_S or iterations >= _CALIBRATION_ITERATIONS:
                return max(more_s / (iterations - 1), 1e-7)
            grow = _CALIBRATION_S * MARGIN / max(more_s, 1e-9)
            iterations = math.ceil(iterations * min(10.0, max(2.0, grow)))

    def _begin(self) -> None:
        """The single edge of `timestamp`, then rest. Raises BoardError when it does not arrive, for none would."""
        requested = self._setup.session.mark()
        edges = self._edges_until_rested(1)
        if not edges:
            raise BoardError(
                "the board's timestamp pin should fall at the command `timestamp`",
                got="no edge at the meter",
                hint="check the wire from that pin to the meter's input, and their common ground",
            )
        self._count("timestamp", len(edges), 1, requested)

    def _window(self, number: int, inference_s: float) -> None:
        """One window; when it is too short on the meter's clock it is run again with more iterations."""
        session, index, plan = self._setup.session, self._setup.clip(number), self._setup.plan
        iterations = planned(plan.window_s, inference_s)
        session.load(self._setup.vectors.features[index].tobytes())
        for attempt in range(1, WINDOW_ATTEMPTS + 1):
            run = session.infer_energy(iterations, WARMUPS, timeout_s=30.0 + 5 * iterations * inference_s)
            span = self._between_edges(number, run)
            if span is None or (span.last - span.first) >= plan.window_s * self._meter.rate_hz:
                break
            lasted_s = max(1, span.last - span.first) / self._meter.rate_hz
            iterations = longer(plan.window_s, iterations, lasted_s, attempt)
        if span is not None:
            self._spans.append((span, run.host_s))
            self._answers.append(window_answer(self._setup, index, run.permille))
        if run.permille != self._setup.expected(index)[1]:
            self._wrong.append(self._setup.vectors.ids[index])

    def _between_edges(self, number: int, run: EnergyRun) -> Span | None:
        """The last two edges of a run: earlier ones are of attempts whose answer was damaged."""
        edges = self._edges_until_rested(2)
        if not self._count(f"window {number + 1}", len(edges), 2, run.attempts):
            return None
        return Span(edges[-2], edges[-1], run.iterations)

    def _count(self, what: str, edges: int, each: int, attempts: int) -> bool:
        """Whether the number of edges is plausible; else notes a fault.

        each: edges of one attempt. A damaged command makes no edges; a damaged answer means that they were made.
        """
        right = 0 < edges <= each * attempts and edges % each == 0
        if not right:
            self._faults.append(f"{what}: {edges} edges of the timestamp pin instead of {each}")
        return right

    def _edges_until_rested(self, least: int) -> tuple[int, ...]:
        """All edges of the last command, after the board has rested."""
        edges = self._recorder.take_edges(least, _EDGE_TIMEOUT_S)
        time.sleep(self._setup.plan.idle_s + _SETTLE_S)
        return (*edges, *self._recorder.take_edges(0, 0.0))


def measured(trace: Trace, spans: list[Span], meter: Meter, board: Board, plan: Plan) -> Energy:
    """The section of a trace, live or recorded. spans: one per window, not empty."""
    windows = energy.windows(trace, spans, plan.idle_s)
    totals = [window.uj_per_inference for window in windows]
    above = [window.uj_per_inference_above_idle for window in windows]
    known = [value for value in above if value is not None]
    middle = median(totals)
    return Energy(
        meter=trace.meter,
        how="measured" if board.how == "measured" else "emulated",
        rate_hz=trace.rate_hz,
        volts=trace.volts,
        dropped=trace.dropped,
        windows=windows,
        uj_per_inference=middle,
        uj_per_inference_above_idle=median(known) if len(known) == len(above) else None,
        interval=None,
        spread=(max(totals) - min(totals)) / middle if middle else 0.0,
        source="",
        trace=energy.points(_of_windows(trace, spans)),
        peak_a=energy.peak_watts(trace) / trace.volts if trace.volts else None,
        limit_a=meter.capabilities.max_current_a,
    )


def _of_windows(trace: Trace, spans: list[Span]) -> Trace:
    """The trace with only the single first edge and those of its windows, without the edges of failed attempts."""
    lone = [edge for edge in trace.edges[:1] if edge < spans[0].first]
    return replace(trace, edges=(*lone, *(edge for span in spans for edge in (span.first, span.last))))


def recorded(meter: Meter, board: Board, plan: Plan) -> tuple[Energy, tuple[WindowSamples, ...]]:
    """Section and samples of a trace that another instrument recorded. Raises ConfigError when it has no windows."""
    trace: Trace = meter.module.load(meter.rest)
    spans = list(energy.spans(trace.edges, meter.iterations))
    return measured(trace, spans, meter, board, plan), milliseconds.of_windows(trace, spans)


def estimate(meter: Meter, board: Board, us: float, instructions: float | None) -> Estimate:
    """A model's estimate for an inference of `us` microseconds. Raises ConfigError for an unknown board."""
    result: Estimate = meter.module.estimate(board, us, instructions, meter.rest)
    return result


def estimated(meter: Meter, board: Board, performance: Performance) -> Energy:
    """The section of a model: without an instrument there are no windows, no idle power and no trace."""
    result = estimate(meter, board, performance.latency_us, performance.instructions)
    return Energy(
        meter=meter.capabilities.title,
        how="estimated",
        rate_hz=0.0,
        volts=None,
        dropped=0,
        windows=(),
        uj_per_inference=result.joules * 1e6,
        uj_per_inference_above_idle=None,
        interval=Interval(result.interval.low * 1e6, result.interval.high * 1e6),
        spread=0.0,
        source=result.source,
        trace=None,
        chip=result.chip,
    )
