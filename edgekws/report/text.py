"""Figures as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekws.report import origin

HOW = {
    "measured": "on a board, by its own clock or by a meter",
    "emulated": "counted by an emulator of the board",
    "estimated": "from a cost model",
    "computed": "on this computer",
}
"""The ways to obtain a figure, explained."""
TRACED = {"imported trace": "from a table that an instrument recorded; this run used no board"}
"""The same for what stands beside `how` in a run of an imported trace."""


def legend(traced: bool) -> dict[str, str]:
    """The words beside figures, explained. traced: whether all are of an imported trace."""
    return {**HOW, "measured": "by an instrument", **TRACED} if traced else HOW


def mark(report: Mapping[str, Any]) -> str:
    """The verdict in capitals."""
    if report["incomplete"]:
        return "INCOMPLETE, NOT VALID"
    if report["verdict"]["valid"] and origin.is_trace(report):
        return "VALID AS A TRACE"
    return {True: "VALID", False: "NOT VALID", None: "NO BOARD"}[report["verdict"]["valid"]]


def headline(report: Mapping[str, Any]) -> str:
    """The verdict on the measurement in one line."""
    verdict, rest = mark(report), detail(report)
    return f"{verdict}: {rest}" if rest else verdict


def detail(report: Mapping[str, Any]) -> str:
    """What stands behind the mark; a text that begins with the mark does not repeat it."""
    verdict, text = mark(report), str(report["verdict"]["text"])
    if report["verdict"]["valid"] and origin.is_trace(report):
        return "no board was used"
    head, _, rest = text.partition("; ")
    return rest if head.lower() == verdict.lower() else text


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
    """The 95 % interval of a figure, its lowest and highest window, the bounds of an estimate, or nothing."""
    limits = figure["interval"]
    if not limits:
        return ""
    (low, unit), (high, high_unit) = (quantity(limits[end], figure["unit"]) for end in ("low", "high"))
    return f"{low} {unit if unit != high_unit else ''}".strip() + f" to {high} {high_unit}".rstrip()


_SAMPLES = {
    "share": "clip",
    "area": "clip",
    "clips": "clip",
    "us": "window",
    "inferences/s": "window",
    "instructions": "window",
    "uJ": "window",
    "bytes": "run",
}
"""What `n` counts, by the unit of a figure."""


def sample(figure: Mapping[str, Any]) -> str:
    """What a figure was computed from: "n = 5 windows"; an estimate has no sample."""
    if figure["how"] == "estimated":
        return ""
    name, n = _SAMPLES.get(figure["unit"], ""), figure["n"]
    return f"n = {n:,} {name}{'' if n == 1 or not name else 's'}".strip()


def bounds(figure: Mapping[str, Any]) -> str:
    """The bounds of a figure and what they are: "95 % interval: 83.00 to 94.00 %"; "" without any."""
    shown = interval(figure)
    if not shown:
        return ""
    if figure["how"] == "estimated":
        return f"bounds: {shown}"
    return f"windows: {shown}" if _SAMPLES.get(figure["unit"]) == "window" else f"95 % interval: {shown}"


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


def energy_source(report: Mapping[str, Any]) -> str:
    """How the energy of a report was obtained, in one line."""
    energy = report["energy"]
    parts = [f"{origin.how(report, energy['how'])}: {energy['meter']}"]
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
