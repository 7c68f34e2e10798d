"""Figures as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HOW = {
    "measured": "on a board, by its own clock",
    "emulated": "counted by an emulator of the board",
    "estimated": "from a cost model",
    "computed": "on this computer",
}
"""The ways to obtain a figure, explained."""


def mark(report: Mapping[str, Any]) -> str:
    """The verdict in capitals."""
    if report["incomplete"]:
        return "INCOMPLETE, NOT VALID"
    return {True: "VALID", False: "NOT VALID", None: "NO BOARD"}[report["verdict"]["valid"]]


def headline(report: Mapping[str, Any]) -> str:
    """The verdict in one line; a text that begins with the mark is not repeated."""
    verdict, text = mark(report), report["verdict"]["text"]
    rest = text[len(verdict) :].lstrip("; ") if text.lower().startswith(verdict.lower()) else text
    return f"{verdict}: {rest}" if rest else verdict


def reasons(report: Mapping[str, Any]) -> list[str]:
    """Why a run is not valid, without the error that aborted it, which is shown separately."""
    error = report["incomplete"]
    return [reason for reason in report["verdict"]["reasons"] if not error or error not in reason]


def number(value: float) -> str:
    """Four significant digits, thousands grouped; integers in full."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """share: 0..1."""
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
    """The 95 % interval of a figure, the bounds of an estimate, or nothing."""
    bounds = figure["interval"]
    if not bounds:
        return ""
    low, unit = quantity(bounds["low"], figure["unit"])
    high, _ = quantity(bounds["high"], figure["unit"])
    return f"{low} to {high} {unit}".strip()


def exchanges(transfers: Mapping[str, Any]) -> str:
    """Commands and retries of a session, and whether checksums verified them."""
    checks = {True: "every exchange verified by checksums", False: "the device has no checksums"}
    check = checks[transfers["checked"]]
    retries = "1 retry" if transfers["repeated"] == 1 else f"{transfers['repeated']:,} retries"
    return f"{transfers['commands']:,} commands, {retries}; {check}"


def signed_percent(share: float) -> str:
    """share: relative difference, 0.01 is +1.000 %."""
    return f"{100 * share:+.3f} %"


def microjoules(value: float | None, how: str) -> str:
    """Energy of an inference in uJ; "≈" marks an estimate."""
    if value is None:
        return "unknown"
    shown = f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{'≈ ' if how == 'estimated' else ''}{shown} uJ"


def energy_source(energy: Mapping[str, Any]) -> str:
    """How the energy was obtained, in one line."""
    parts = [f"{energy['how']}: {energy['meter']}"]
    if energy["rate_hz"]:
        parts.append(f"{energy['rate_hz']:,.0f} samples/s")
    if energy["volts"] is not None:
        parts.append(f"{energy['volts']:g} V")
    if energy["interval"]:
        bounds = energy["interval"]
        parts.append(f"between {bounds['low']:,.4g} and {bounds['high']:,.4g} uJ")
    if energy["source"]:
        parts.append(f"constants from {energy['source']}")
    if energy["dropped"]:
        parts.append(f"{energy['dropped']:,} SAMPLES LOST")
    return ", ".join(parts)


def energy_window(window: Mapping[str, Any]) -> tuple[str, ...]:
    """(inferences, seconds, mJ, idle mW, uJ each, uJ each above idle) of a window."""
    idle, above = window["idle_watts"], window["uj_per_inference_above_idle"]
    return (
        f"{window['iterations']:,}",
        f"{window['seconds']:.3f}",
        f"{1e3 * window['joules']:,.4f}",
        "" if idle is None else f"{1e3 * idle:,.4g}",
        f"{window['uj_per_inference']:,.2f}",
        "" if above is None else f"{above:,.2f}",
    )


def has_times(report: Mapping[str, Any]) -> bool:
    """Whether the board reported times of its layers."""
    return any(row["us"] is not None for row in report["layers"])


def times(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """(microseconds, instructions, estimated instructions, error of the estimate) of a layer."""
    counted, estimated = row["instructions"], row["estimated_instructions"]
    error = f"{100 * (estimated / counted - 1):+.0f} %" if counted and estimated is not None else ""
    shown = ["" if value is None else f"{value:,.0f}" for value in (counted, estimated)]
    return "" if row["us"] is None else f"{row['us']:,.1f}", shown[0], shown[1], error


def model_error(report: Mapping[str, Any]) -> str:
    """Error of the cost model against the counted instructions, in a sentence; empty without both."""
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
    """Bytes, in KiB from 1 KiB on."""
    return f"{size:,} B" if size < 1024 else f"{size / 1024:.1f} KiB"


def short(digest: str) -> str:
    """A hash, shortened to 12 digits."""
    return f"{digest[:12]}…" if len(digest) >= 40 else digest
