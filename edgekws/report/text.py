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


def kib(size: int) -> str:
    return f"{size:,} B" if size < 1024 else f"{size / 1024:.1f} KiB"


def short(digest: str) -> str:
    """A hash, cut where people stop reading."""
    return f"{digest[:12]}…" if len(digest) >= 40 else digest
