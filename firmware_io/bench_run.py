"""What a bench found, as frozen values and as the `edgekws-bench` document that reports are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgekws import stats
from edgekws.types import Measurement
from firmware_io.board import Board
from firmware_io.build import Firmware
from firmware_io.protocol.parser import StackUse
from firmware_io.protocol.session import Identity

KIND, VERSION = "edgekws-bench", 1


@dataclass(frozen=True)
class Performance:
    """Times on the device's clock. spread: (slowest - fastest window) / median.

    clock: what that clock counts. instructions: per inference, None unless emulated.
    """

    clock: str
    iterations: tuple[int, ...]
    windows_s: tuple[float, ...]
    latencies_us: tuple[float, ...]
    latency_us: float
    inferences_per_s: float
    spread: float
    instructions: float | None


@dataclass(frozen=True)
class Mismatch:
    """One clip on which board and interpreter differ."""

    clip: str
    compared: str
    expected: tuple[int, ...]
    got: tuple[int, ...]


@dataclass(frozen=True)
class Accuracy:
    """matches: clips whose answers equal the interpreter's; compared: "scores" (integers) or
    "permille" (printed probabilities, when the device has no `raw`). resent: inputs sent once more.

    What needs labels is None or empty without them.
    """

    dataset: str
    n: int
    compared: str
    matches: int
    text_matches: int
    mismatches: tuple[Mismatch, ...]
    resent: int
    host_s: float
    correct: int | None
    confusion: tuple[tuple[int, ...], ...]
    recalls: tuple[stats.Recall, ...]
    macro_auc: float | None


@dataclass(frozen=True)
class BenchRun:
    """Everything one bench found. reasons: why it is not valid; empty when it is.

    stack: None when the device cannot tell.
    """

    board: Board
    identity: Identity
    graph_name: str
    graph_sha256: str
    labels: tuple[str, ...]
    firmware: Firmware | None
    performance: Performance | None
    accuracy: Accuracy | None
    stack: StackUse | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def valid(self) -> bool:
        return not self.reasons

    @property
    def verdict(self) -> str:
        if self.accuracy is None:
            return "valid" if self.valid else "not valid"
        return f"board equals interpreter: {self.accuracy.matches} of {self.accuracy.n}"

    def measurements(self) -> tuple[Measurement, ...]:
        return (*_accuracy_figures(self), *_speed_figures(self), *_memory_figures(self))

    def to_json(self) -> dict[str, Any]:
        """A `edgekws-bench` document; edgekws.report reads it."""
        board = {key: getattr(self.board, key) for key in _BOARD_KEYS}
        firmware = self.firmware and {
            "sha256": self.firmware.sha256,
            "flash_bytes": self.firmware.flash_bytes,
            "ram_bytes": self.firmware.ram_bytes,
        }
        return {
            "kind": KIND,
            "version": VERSION,
            "valid": self.valid,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "board": board,
            "device": asdict(self.identity),
            "graph": {"name": self.graph_name, "sha256": self.graph_sha256, "labels": list(self.labels)},
            "firmware": firmware,
            "performance": self.performance and asdict(self.performance),
            "accuracy": self.accuracy and asdict(self.accuracy),
            "stack": self.stack and asdict(self.stack),
            "measurements": [measurement.to_json() for measurement in self.measurements()],
        }


_BOARD_KEYS = ("name", "title", "core", "how", "clock_hz", "flash_bytes", "ram_bytes", "icount_shift")


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


def _measurement(run: BenchRun, name: str, value: float, unit: str, n: int, **more: Any) -> Measurement:  # noqa: ANN401
    return Measurement(
        name, value, unit, run.board.how, n, board=run.board.name, artifact_sha256=run.graph_sha256, **more
    )
