"""The outcomes of a gate as lines of text, for the console, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekws.report import text

Row = Mapping[str, Any]


def lines(gate: Row) -> list[tuple[str, str, str]]:
    """(PASS, FAIL, UNCLEAR or REFUSED; the rule; what was compared) of each outcome in a section `gate`."""
    return [(row["result"].upper(), row["rule"]["text"], _what(row, gate)) for row in gate["outcomes"]]


def summary(gate: Row) -> str:
    """The verdict in one line, such as "failed: 1 of 3 checks failed, 1 was refused"."""
    results = [row["result"] for row in gate["outcomes"]]
    counts = [f"{results.count(name)} {name}" for name in ("fail", "unclear", "refused", "pass") if name in results]
    strict = ", unclear counts as failed" if gate["strict"] and "unclear" in results else ""
    state = {"pass": "PASS", "fail": "FAIL", "refused": "REFUSED"}[gate["result"]]
    return f"{state} ({', '.join(counts)} of {len(results)}{strict})"


def _what(row: Row, gate: Row) -> str:
    parts = [_sides(row, gate)]
    if row["refused"]:
        return "; ".join([*parts, *(issue["text"] for issue in row["refused"])])
    if row["rule"]["kind"] != "limit":
        parts[0] += f": {_amount(row, row['amount'])}"
    parts += [_certainty(row), *(f"ALLOWED in spite of {issue['text']}" for issue in row["allowed"])]
    if row["unchecked"]:
        parts.append(f"not known of either run: {', '.join(row['unchecked'])}")
    return "; ".join(parts)


def _sides(row: Row, gate: Row) -> str:
    new = f"{row['run']} {_figure(row['value'], row['unit'])}"
    if row["rule"]["kind"] == "limit":
        return new
    return f"{new} against {gate['base']} {_figure(row['base'], row['unit'])}"


def _certainty(row: Row) -> str:
    """The interval, or that it is not known; nothing for exact figures."""
    if row["low"] is None:
        return "interval unknown"
    if row["low"] == row["high"]:
        return "exact"
    name = "95 % interval" if row["unit"] == "share" else "windows or bounds"
    return f"{name} {_amount(row, row['low'])} to {_amount(row, row['high'])}"


def _figure(value: float | None, unit: str) -> str:
    return "has none" if value is None else " ".join(text.quantity(value, unit)).strip()


def _amount(row: Row, amount: float) -> str:
    kind, unit = row["rule"]["kind"], row["unit"]
    if kind == "relative":
        return f"{100 * amount:+.2f} %"
    if kind == "limit":
        return _figure(amount, unit)
    if unit == "share":
        return f"{100 * amount:+.2f} points"
    shown = _figure(amount, unit)
    return shown if amount < 0 else f"+{shown}"
