"""Stream mode: what a second of listening costs, split into front end, network and detector.

A few seconds of noise go to a firmware that listens, as fast as it goes; its clock is read around each stage. The
scores have to be those of this computer. An emulated board counts instructions; time and energy of the chip that it
stands for are estimates (firmware_io/monitors/model.py), of the core alone and while it computes: the rest of each
second is sleep, whose current, microphone and regulators are not included.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekws.detect.listener import Scorer
from edgekws.detect.settings import Settings
from edgekws.emit.c import listening
from edgekws.errors import ConfigError
from edgekws.graph.ir import Graph
from edgekws.types import Detection, Interval, Progress
from firmware_io.bench.modes import Estimated, Figures, Setup
from firmware_io.bench.modes.performance import instructions
from firmware_io.listening.board import Listener, Stage
from firmware_io.monitors import model

ORDER = 4
SECONDS = 4.0
"""Of sound; the count of instructions hardly depends on it."""
_LOUD, _BLOCK = 3000, 16_000
_TOTAL = "whole"


class Runner:
    """Stream mode on one device, whose session has been started."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._hops = 0
        self._stages: tuple[Stage, ...] = ()
        self._reasons: tuple[str, ...] = ()
        self._resting: float | None = None
        self.scores = np.zeros((0, len(setup.graph.labels)), np.int8)
        """Of this computer, which those of the board equal: int8 [steps, labels]."""

    def sound(self) -> np.ndarray:
        """What the board hears, int16 [n]."""
        return noise(self._setup.graph.front_end.rate_hz)

    def events(self, listener: Listener, blocks: Iterator[np.ndarray]) -> Iterator[Detection]:
        """The conversation of one stream, int16 [n] blocks."""
        return listener.events(blocks)

    def check(self, listener: Listener) -> None:
        """What else has to be true of the stream that was heard."""

    def measure(self) -> None:
        """Raises BoardError for a firmware that does not listen, or of another model."""
        graph, report = self._setup.graph, self._setup.report
        listener = Listener(self._setup.session)
        listener.require(listening.front_end_id(graph.front_end), listening.graph_id(graph))
        listener.cost(reset=True)
        sound = self.sound()
        report("stream", 0, len(sound))
        for _ in self.events(listener, _reported(sound, report)):
            pass
        self._hops = len(sound) // graph.front_end.hop_samples
        self._stages = listener.cost()
        scorer = _scorer(graph, self._setup.plan.detector)
        self.scores, self._resting = scorer.scores(sound), scorer.resting
        if listener.heard is None or listener.heard.scores_crc32 != scorer.scores_crc32:
            self._reasons = ("the scores of the stream differ from those of this computer",)
        self.check(listener)

    def section(self) -> Figures | None:
        if not self._stages:
            return None
        spec, board = self._setup.graph.front_end, self._setup.board
        each_us = {stage.name: stage.seconds * 1e6 / self._hops for stage in self._stages}
        each_us[_TOTAL] = sum(each_us.values())
        is_emulated = board.icount_shift >= 0
        unit, what = ("instructions", "instructions") if is_emulated else ("us", "time")
        rows = [
            (
                f"{what} per hop, {name}",
                instructions(us, board.icount_shift) if is_emulated else us,
                unit,
                self._hops,
            )
            for name, us in each_us.items()
        ]
        if not is_emulated:
            hop_us = spec.hop_samples / spec.rate_hz * 1e6
            rows.append(("share of the time", 100 * each_us[_TOTAL] / hop_us, "%", self._hops))
        if self._resting is not None:
            rows.append(("steps of this sound in which the network rested", 100 * self._resting, "%", len(self.scores)))
        hops_per_s = spec.rate_hz / spec.hop_samples
        return Figures(tuple(rows), self._reasons, self._estimates(each_us[_TOTAL] * hops_per_s))

    def _estimates(self, second_us: float) -> tuple[Estimated, ...]:
        """second_us: of the board's clock, that a second of sound takes."""
        board = self._setup.board
        try:
            known = model.load(board)
        except ConfigError:  # no chip with this core is known
            return ()
        energy = model.estimate(board, second_us)
        chip = f"{known.chip} at {known.clock_mhz:g} MHz"
        microjoules = Interval(energy.interval.low * 1e6, energy.interval.high * 1e6)
        estimates = [Estimated(f"energy per second of sound, {energy.chip}", energy.joules * 1e6, "uJ", microjoules)]
        if board.icount_shift >= 0:
            percent = instructions(second_us, board.icount_shift) / (known.clock_mhz * 1e6) * 100
            bounds = Interval(percent * known.cycles.lowest, percent * known.cycles.highest)
            estimates.insert(0, Estimated(f"share of the time, {chip}", percent * known.cycles.typical, "%", bounds))
        return tuple(estimates)


def _scorer(graph: Graph, detector: Settings | None) -> Scorer:
    """Without a gate no keywords are needed."""
    if detector is None or detector.gate is None:
        return Scorer(graph, ())
    return Scorer(graph, detector.keywords, None, detector.gate)


def _reported(sound: np.ndarray, report: Progress) -> Iterator[np.ndarray]:
    """The sound in blocks, whose sending is reported."""
    for at in range(0, len(sound), _BLOCK):
        yield sound[at : at + _BLOCK]
        report("stream", min(at + _BLOCK, len(sound)), len(sound))


def noise(rate_hz: int) -> np.ndarray:
    """int16 [n], SECONDS of noise whose loudness changes."""
    rng, count = np.random.default_rng(0), int(SECONDS * rate_hz)
    loudness = np.repeat(rng.integers(1, 100, 20) / 100 * _LOUD, -(-count // 20))[:count]
    return np.clip(rng.normal(0, 1, count) * loudness, -32768, 32767).astype(np.int16)
