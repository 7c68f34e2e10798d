"""Speed of a board: instructions where an emulator counts them, time where a real clock ran; never both.

The clock of an emulator counts instructions, so many nanoseconds for each. Its readings are no time of any core: they
stay in the lines of the protocol, and a report shows what they count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgekws.report import text

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Speed:
    """One value per window, and their median. unit: "instructions" of an inference, or its "us"."""

    unit: Literal["instructions", "us"]
    each: tuple[float, ...]
    middle: float

    @property
    def counted(self) -> bool:
        return self.unit == "instructions"

    @property
    def title(self) -> str:
        """The head of a plot of the windows."""
        return "Instructions of each window" if self.counted else "Latency of each window"

    @property
    def column(self) -> str:
        """The head of a column with one value per window."""
        return f"{self.unit} per inference"

    def shown(self, value: float) -> str:
        return f"{value:,.0f}" if self.counted else f"{value:,.1f}"


def emulated(document: Row) -> bool:
    """Whether the board of a report or bench is emulated, so that its clock says nothing about a time."""
    return bool(document["board"]) and document["board"]["how"] == "emulated"


def of(document: Row) -> Speed | None:
    """The speed in a report or bench.

    None without performance mode, and for an emulated board whose instructions are not counted.
    """
    performance = document["performance"]
    if not performance:
        return None
    if not emulated(document):
        return Speed("us", tuple(performance["latencies_us"]), performance["latency_us"])
    shift = document["board"]["icount_shift"]
    if performance["instructions"] is None or shift < 0:
        return None
    each = tuple(us * 1000 / (1 << shift) for us in performance["latencies_us"])
    return Speed("instructions", each, performance["instructions"])


def line(document: Row) -> str:
    """What was counted or which clock ran, with spread and drift of the windows, in one line."""
    performance = document["performance"]
    drift = performance["drift"]
    trend = f", drift {text.signed_percent(drift)}" if drift is not None else ""
    spread = f"Spread {100 * performance['spread']:.3f} %{trend}."
    if emulated(document):
        return f"Instructions, counted by the emulator; a time of a real core is only estimated from them. {spread}"
    return f"Time base: {performance['clock']}. {spread}"


def windows(document: Row) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(head, rows) of a table of the windows. Only a board with a clock of its own has columns of seconds."""
    performance, speed = document["performance"], of(document)
    columns = [
        ("window", [str(number) for number in range(1, len(performance["iterations"]) + 1)]),
        ("inferences", [f"{count:,}" for count in performance["iterations"]]),
    ]
    if not emulated(document):
        columns.append(("device seconds", [f"{seconds:.3f}" for seconds in performance["windows_s"]]))
    if speed is not None:
        columns.append((speed.column, [speed.shown(value) for value in speed.each]))
    if performance["host_s"] and not emulated(document):
        columns.append(("host seconds", [f"{seconds:.3f}" for seconds in performance["host_s"]]))
    heads, cells = zip(*columns, strict=True)
    return heads, list(zip(*cells, strict=True))


@dataclass(frozen=True)
class LayerSpeed:
    """A layer on the board. value: in the unit of the table, "" if unknown; share: of all layers, 0..1."""

    name: str
    value: str
    share: float
    estimated: str
    error: str


def layers(document: Row) -> tuple[str, list[LayerSpeed]]:
    """(unit, rows): what each layer took on the board beside the cost model's instructions; no rows if not reported."""
    unit = "instructions" if emulated(document) else "us"
    values = [row[unit] for row in document["layers"]]
    if all(value is None for value in values):
        return unit, []
    total = sum(value or 0.0 for value in values) or 1.0
    return unit, [
        LayerSpeed(
            row["name"],
            "" if value is None else f"{value:,.0f}" if unit == "instructions" else f"{value:,.1f}",
            (value or 0.0) / total,
            _count(row["estimated_instructions"]),
            _error(row["instructions"], row["estimated_instructions"]),
        )
        for row, value in zip(document["layers"], values, strict=True)
    ]


def _count(instructions: float | None) -> str:
    return "" if instructions is None else f"{instructions:,.0f}"


def _error(counted: float | None, estimated: float | None) -> str:
    return f"{100 * (estimated / counted - 1):+.0f} %" if counted and estimated is not None else ""
