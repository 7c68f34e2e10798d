"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HOW = {
    "measured": "on a board, by its own clock",
    "emulated": "counted by an emulator of the board",
    "estimated": "from a cost model",
    "computed": "on this computer",
}
"""What each way to get a figure means."""


def number(value: float) -> str:
    """Four significant digits, thousands grouped; integers in full."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def quantity(value: float, unit: str) -> tuple[str, str]:
    """(value, unit) with a unit that suits the size."""
    base, _, remark = unit.partition(" ")
    if base == "share":
        return f"{100 * value:.2f}", "%"
    if base == "us" and abs(value) >= 1000:
        return f"{value / 1000:,.2f}", f"ms {remark}".strip()
    if base == "area":
        return f"{value:.4f}", ""
    if base == "instructions":
        return f"{value:,.0f}", remark
    return number(value), unit


def interval(figure: Mapping[str, Any]) -> str:
    """The 95 % interval of a figure, or nothing."""
    bounds = figure["interval"]
    if not bounds:
        return ""
    low, unit = quantity(bounds["low"], figure["unit"])
    high, _ = quantity(bounds["high"], figure["unit"])
    return f"{low} to {high} {unit}".strip()


def has_times(report: Mapping[str, Any]) -> bool:
    return any(row["us"] is not None for row in report["layers"])


def times(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """(microseconds, instructions, estimated instructions, error of the estimate) of a layer."""
    counted, estimated = row["instructions"], row["estimated_instructions"]
    error = f"{100 * (estimated / counted - 1):+.0f} %" if counted and estimated is not None else ""
    shown = ["" if value is None else f"{value:,.0f}" for value in (counted, estimated)]
    return "" if row["us"] is None else f"{row['us']:,.1f}", shown[0], shown[1], error


def model_error(report: Mapping[str, Any]) -> str:
    """How well the cost model met what was counted, in a sentence; empty when there is nothing to compare."""
    rows = [(row["instructions"], row["estimated_instructions"]) for row in report["layers"]]
    known = [(counted, estimated) for counted, estimated in rows if counted and estimated is not None]
    if not known:
        return ""
    counted, estimated = (sum(values) for values in zip(*known, strict=True))
    worst = max(abs(estimate / count - 1) for count, estimate in known)
    return (
        f"Cost model: {estimated:,.0f} instructions estimated, {counted:,.0f} counted "
        f"({100 * (estimated / counted - 1):+.1f} %); largest error of a layer {100 * worst:.0f} %."
    )


def kib(size: int) -> str:
    return f"{size:,} B" if size < 1024 else f"{size / 1024:.1f} KiB"


def short(digest: str) -> str:
    """A hash, cut where people stop reading."""
    return f"{digest[:12]}…" if len(digest) >= 40 else digest
