"""What a bench found, as frozen values and as the `edgekws-bench` document that reports are made of.

Version 2 of the document: a key for each field of BenchRun and of its sections, below and in firmware_io/bench/modes,
and kind, version, valid, verdict, incomplete ("" or why the run broke off), measurements. A section is null when it was
not asked for, or when nothing of it was measured before the run broke off.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from edgekws import stats
from edgekws.errors import ConfigError
from edgekws.types import How, Interval, Measurement
from firmware_io.bench.modes import Mode
from firmware_io.bench.modes.accuracy import Accuracy, ClipAnswer
from firmware_io.bench.modes.energy import Energy
from firmware_io.bench.modes.performance import Performance
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.protocol.parser import StackUse
from firmware_io.protocol.session import Identity, Transfers

KIND, VERSION = "edgekws-bench", 2


@dataclass(frozen=True)
class BenchRun:
    """Everything one bench found. reasons: why it is not valid; empty when it is.

    identity: None when no board was asked (a recorded trace). answers: of accuracy mode, clip by clip.
    stack: None when the device cannot tell. transfers: None without a device. cause: what broke the run off.
    """

    board: Board
    graph_name: str
    graph_sha256: str
    labels: tuple[str, ...]
    modes: tuple[Mode, ...]
    identity: Identity | None = None
    firmware: Firmware | None = None
    performance: Performance | None = None
    accuracy: Accuracy | None = None
    energy: Energy | None = None
    answers: tuple[ClipAnswer, ...] = ()
    stack: StackUse | None = None
    transfers: Transfers | None = None
    cause: BaseException | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.reasons

    @property
    def incomplete(self) -> str:
        """Why the run broke off, in a paragraph; "" when it did not."""
        if self.cause is None:
            return ""
        return str(self.cause) or "stopped by the user before the end"

    @property
    def verdict(self) -> str:
        state = "incomplete, not valid" if self.cause else "valid" if self.valid else "not valid"
        if self.accuracy is None:
            return state
        equal = f"board equals interpreter: {self.accuracy.matches} of {self.accuracy.n}"
        return f"{state}; {equal}" if self.cause else equal

    @property
    def layers_us(self) -> tuple[float, ...]:
        return self.performance.layers_us if self.performance else ()

    def measurements(self) -> tuple[Measurement, ...]:
        figures = (*_accuracy_figures(self), *_speed_figures(self), *_energy_figures(self))
        return (*figures, *_memory_figures(self))

    def to_json(self) -> dict[str, Any]:
        """A `edgekws-bench` document; edgekws.report reads it."""
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
            "board": {key: getattr(self.board, key) for key in _BOARD_KEYS},
            "device": self.identity and asdict(self.identity),
            "graph": {"name": self.graph_name, "sha256": self.graph_sha256, "labels": list(self.labels)},
            "firmware": firmware,
            "performance": self.performance and asdict(self.performance),
            "accuracy": self.accuracy and asdict(self.accuracy),
            "energy": self.energy and asdict(self.energy),
            "layers_us": list(self.layers_us),
            "stack": self.stack and asdict(self.stack),
            "transfers": self.transfers and asdict(self.transfers),
            "measurements": [measurement.to_json() for measurement in self.measurements()],
        }
        plain: dict[str, Any] = json.loads(json.dumps(document))  # lists for tuples, as every reader has them
        return plain

    def submission(self) -> dict[str, Any]:
        """The document with the answer to each clip, of which an MLPerf Tiny session folder is made.

        Raises ConfigError when answers are there whose right ones are not known.
        """
        if any(one.label is None for one in self.answers):
            hint = "leave out --mlperf, or give clips with labels"
            raise ConfigError("an MLPerf Tiny session needs the label of each clip", got="clips without", hint=hint)
        rows = [{"file": one.clip, "class": one.label, "permille": list(one.permille)} for one in self.answers]
        return {**self.to_json(), "answers": rows}


_BOARD_KEYS = ("name", "title", "core", "cpu", "how", "clock_hz", "flash_bytes", "ram_bytes", "icount_shift")


def _speed_figures(run: BenchRun) -> list[Measurement]:
    found = run.performance
    if found is None:
        return []
    virtual = " (virtual)" if run.board.icount_shift >= 0 else ""
    rows = [
        ("throughput", found.inferences_per_s, f"inferences/s{virtual}"),
        ("latency", found.latency_us, f"us{virtual}"),
    ]
    if found.instructions is not None:
        rows.append(("instructions per inference", found.instructions, "instructions"))
    n = len(found.windows_s)
    return [_measurement(run, name, value, unit, n) for name, value, unit in rows]


def _energy_figures(run: BenchRun) -> list[Measurement]:
    """Both ways, of which an estimate has only the first."""
    found = run.energy
    if found is None:
        return []
    n = len(found.windows) or 1
    rows: list[tuple[str, float | None, Interval | None]] = [
        ("energy per inference", found.uj_per_inference, found.interval),
        ("energy per inference, above idle", found.uj_per_inference_above_idle, None),
    ]
    return [
        _measurement(run, name, value, "uJ", n, found.how, interval)
        for name, value, interval in rows
        if value is not None
    ]


def _memory_figures(run: BenchRun) -> list[Measurement]:
    return [_measurement(run, "stack, deepest", run.stack.used, "bytes", 1)] if run.stack else []


def _accuracy_figures(run: BenchRun) -> list[Measurement]:
    found = run.accuracy
    if found is None:
        return []
    figures = [_measurement(run, f"clips equal to the interpreter, {found.dataset}", found.matches, "clips", found.n)]
    if found.correct is not None:
        share, interval = found.correct / found.n, stats.wilson(found.correct, found.n)
        name = f"top-1 accuracy, {found.dataset}"
        figures.append(_measurement(run, name, share, "share", found.n, interval=interval))
    if found.macro_auc is not None:
        figures.append(_measurement(run, f"macro AUC, {found.dataset}", found.macro_auc, "area", found.n))
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
