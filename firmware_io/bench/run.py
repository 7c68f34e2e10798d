"""The results of a bench: frozen values, and the `edgekws-bench` document that reports are made from.

Version 3 of the document has a key for each field of BenchRun and of its sections (below and in
firmware_io/bench/modes), and kind, version, valid, verdict, incomplete ("" or why the run was aborted) and
measurements. A section is null when its mode did not run, or when the run was aborted before it measured anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekws import stats
from edgekws.errors import ConfigError
from edgekws.types import How, Interval, Measurement
from firmware_io.bench import estimated_time
from firmware_io.bench.build_check import BuildCheck
from firmware_io.bench.modes import Figures
from firmware_io.bench.modes.accuracy import Accuracy, ClipAnswer
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.modes.performance import Performance, instructions
from firmware_io.bench.provenance import Provenance
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.build.memory_plan import Arena
from firmware_io.energy.milliseconds import WindowSamples
from firmware_io.protocol.parser import StackUse
from firmware_io.protocol.session import Identity, Transfers

KIND, VERSION = "edgekws-bench", 3


@dataclass(frozen=True)
class BenchRun:
    """All results of one bench. reasons: why the run is not valid; empty when it is.

    identity, transfers: None when no board was used (a recorded trace). answers: of accuracy mode, one per clip.
    window_answers: the answer at the end of each window, by mode. samples: joules per millisecond around each window of
    a metered energy mode. Only `submission` has both.
    firmware: None when it is not known to be the one that ran; arena: its memory plan. others: sections of modes of
    other packages. stack: None when the device does not report it. cause: the error that aborted the run.
    """

    board: Board
    graph_name: str
    graph_sha256: str
    labels: tuple[str, ...]
    modes: tuple[str, ...]
    identity: Identity | None = None
    firmware: Firmware | None = None
    performance: Performance | None = None
    accuracy: Accuracy | None = None
    energy: Energy | None = None
    others: Mapping[str, Figures] = field(default_factory=dict)
    answers: tuple[ClipAnswer, ...] = ()
    window_answers: Mapping[str, tuple[ClipAnswer, ...]] = field(default_factory=dict)
    samples: tuple[WindowSamples, ...] = ()
    stack: StackUse | None = None
    transfers: Transfers | None = None
    cause: BaseException | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    build: BuildCheck = field(default_factory=BuildCheck)
    arena: Arena | None = None

    @property
    def valid(self) -> bool:
        """Whether the figures can be trusted: there is no reason against it."""
        return not self.reasons

    @property
    def incomplete(self) -> str:
        """Why the run was aborted, as one paragraph; "" when it was not."""
        if self.cause is None:
            return ""
        return str(self.cause) or "stopped by the user before the end"

    @property
    def verdict(self) -> str:
        """One line: valid or not, and how many answers of the board equal the interpreter's."""
        state = "incomplete, not valid" if self.cause else "valid" if self.valid else "not valid"
        if self.accuracy is None:
            return "valid as a trace; no board was used" if self.valid and self.provenance.source == "trace" else state
        equal = f"board equals interpreter: {self.accuracy.matches} of {self.accuracy.n}"
        return f"{state}; {equal}" if self.cause else equal

    @property
    def layers_us(self) -> tuple[float, ...]:
        """Microseconds of each layer per inference; empty when they were not measured."""
        return self.performance.layers_us if self.performance else ()

    def measurements(self) -> tuple[Measurement, ...]:
        """All figures of the run with unit, sample count and interval: speed, accuracy, energy, peak stack.

        The speed comes first: instructions of an emulated board, latency of any other.
        """
        figures = (*_speed_figures(self), *_accuracy_figures(self), *_energy_figures(self))
        others = [
            _measurement(self, name, value, unit, n)
            for mode in self.others.values()
            for name, value, unit, n in mode.rows
        ]
        others += [
            _measurement(self, each.name, each.value, each.unit, 1, "estimated", each.interval)
            for mode in self.others.values()
            for each in mode.estimates
        ]
        return (*figures, *_memory_figures(self), *others)

    def to_json(self) -> dict[str, Any]:
        """The `edgekws-bench` document; edgekws.report reads it."""
        firmware = self.firmware and {
            "sha256": self.firmware.sha256,
            "flash_bytes": self.firmware.flash_bytes,
            "ram_bytes": self.firmware.ram_bytes,
        }
        document = {
            "kind": KIND,
            "version": VERSION,
            "modes": list(self.modes),
            "valid": self.valid,
            "verdict": self.verdict,
            "incomplete": self.incomplete,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "provenance": asdict(self.provenance),
            "build": asdict(self.build),
            "board": {key: getattr(self.board, key) for key in _BOARD_KEYS},
            "device": self.identity and asdict(self.identity),
            "graph": {"name": self.graph_name, "sha256": self.graph_sha256, "labels": list(self.labels)},
            "firmware": firmware,
            "performance": self.performance and asdict(self.performance),
            "accuracy": self.accuracy and asdict(self.accuracy),
            "energy": self.energy and asdict(self.energy),
            "layers_us": list(self.layers_us),
            "arena": asdict(self.arena) if self.arena and self.firmware else None,
            "stack": self.stack and asdict(self.stack),
            "transfers": self.transfers and asdict(self.transfers),
            "measurements": [measurement.to_json() for measurement in self.measurements()],
        }
        plain: dict[str, Any] = json.loads(json.dumps(document))  # tuples become lists, as after reading a file
        return plain

    def submission(self) -> dict[str, Any]:
        """The document with the answer to each clip and the samples of each window, for an MLPerf Tiny session folder.

        Raises ConfigError when a clip has no label.
        """
        if any(one.label is None for one in self.answers):
            hint = "leave out --mlperf, or give clips with labels"
            raise ConfigError("an MLPerf Tiny session needs the label of each clip", got="clips without", hint=hint)
        samples = [{"joules": list(one.joules), "edges": list(one.edges)} for one in self.samples]
        windows = {mode: _rows(answers) for mode, answers in self.window_answers.items()}
        return {**self.to_json(), "answers": self.answer_rows(), "window_answers": windows, "samples": samples}

    def answer_rows(self) -> list[dict[str, Any]]:
        """The answer to each clip, as the document has it."""
        return _rows(self.answers)


def _rows(answers: tuple[ClipAnswer, ...]) -> list[dict[str, Any]]:
    return [
        {
            "file": one.clip,
            "class": one.label,
            "permille": list(one.permille),
            "scores": one.scores and list(one.scores),
            "equal": one.equal,
        }
        for one in answers
    ]


_BOARD_KEYS = ("name", "title", "core", "cpu", "how", "clock_hz", "flash_bytes", "ram_bytes", "icount_shift")


def _speed_figures(run: BenchRun) -> list[Measurement]:
    """Latency and throughput; of an emulated board instructions, which its clock counts, and an estimate of their time.

    The estimate is of the chip that the board stands for, where one is known.
    """
    performance = run.performance
    if performance is None:
        return []
    n, each = len(performance.windows_s), [us for us in performance.latencies_us if us > 0]
    if run.board.how != "emulated":
        rates = [1e6 / us for us in each]
        latency = _measurement(run, "latency", performance.latency_us, "us", n, interval=_range(each))
        rate = performance.inferences_per_s
        return [latency, _measurement(run, "throughput", rate, "inferences/s", n, interval=_range(rates))]
    if performance.instructions is None:
        return []
    counts = [instructions(us, run.board.icount_shift) for us in each]
    name, count = "instructions per inference", performance.instructions
    counted = _measurement(run, name, count, "instructions", n, interval=_range(counts))
    time = estimated_time.of(run.board, count)
    if time is None:
        return [counted]
    name = f"time per inference, {time.chip}"
    return [counted, _measurement(run, name, time.us, "us", 1, "estimated", time.interval)]


def _range(windows: Sequence[float]) -> Interval | None:
    """The lowest and the highest window; None for a single one."""
    return Interval(min(windows), max(windows)) if len(windows) > 1 else None


def _energy_figures(run: BenchRun) -> list[Measurement]:
    """Total energy and energy above idle; an estimate has only the first, with the chip that it stands for."""
    energy = run.energy
    if energy is None:
        return []
    n, windows = len(energy.windows) or 1, energy.windows
    chip = f", {energy.chip}" if energy.chip else ""
    above = [window.uj_per_inference_above_idle for window in windows]
    known = [value for value in above if value is not None]
    rows: list[tuple[str, float | None, Interval | None]] = [
        (
            f"energy per inference{chip}",
            energy.uj_per_inference,
            energy.interval or _range([window.uj_per_inference for window in windows]),
        ),
        ("energy per inference, above idle", energy.uj_per_inference_above_idle, _range(known)),
    ]
    return [
        _measurement(run, name, value, "uJ", n, energy.how, interval)
        for name, value, interval in rows
        if value is not None
    ]


def _memory_figures(run: BenchRun) -> list[Measurement]:
    return [_measurement(run, "peak stack", run.stack.used, "bytes", 1)] if run.stack else []


def _accuracy_figures(run: BenchRun) -> list[Measurement]:
    accuracy = run.accuracy
    if accuracy is None:
        return []
    figures = [
        _measurement(run, f"clips equal to the interpreter, {accuracy.dataset}", accuracy.matches, "clips", accuracy.n)
    ]
    if accuracy.correct is not None:
        share, interval = accuracy.correct / accuracy.n, stats.wilson(accuracy.correct, accuracy.n)
        name = f"top-1 accuracy, {accuracy.dataset}"
        figures.append(_measurement(run, name, share, "share", accuracy.n, interval=interval))
    if accuracy.macro_auc is not None:
        figures.append(_measurement(run, f"macro AUC, {accuracy.dataset}", accuracy.macro_auc, "area", accuracy.n))
    return figures


def _measurement(
    run: BenchRun,
    name: str,
    value: float,
    unit: str,
    n: int,
    how: How | None = None,
    interval: Interval | None = None,
) -> Measurement:
    return Measurement(name, value, unit, how or run.board.how, n, interval, run.board.name, run.graph_sha256)
