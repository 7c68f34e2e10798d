"""The outcomes of a gate as lines of text, for the console, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekws.report import origin, text
from edgekws.report.compare.figures import METRICS
from edgekws.report.compare.gate import counted

Row = Mapping[str, Any]


def lines(document: Row) -> list[tuple[str, str, str]]:
    """(PASS, FAIL, UNCLEAR or REFUSED; the rule; what was compared) of each outcome in a comparison with a gate."""
    gate, traces = document["gate"], [run["name"] for run in document["runs"] if origin.is_trace(run)]
    return [(row["result"].upper(), row["rule"]["text"], _what(row, gate, traces)) for row in gate["outcomes"]]


def summary(gate: Row) -> str:
    """The verdict in one line, such as "FAIL (1 failed, 2 passed)"."""
    results = [row["result"] for row in gate["outcomes"]]
    strict = "; unclear counts as failed" if gate["strict"] and "unclear" in results else ""
    return f"{gate['result'].upper()} ({counted(results)}{strict})"


def _what(row: Row, gate: Row, traces: Sequence[str]) -> str:
    if row["refused"]:
        return "; ".join([*_sides(row, gate), *(issue["text"] for issue in row["refused"])])
    sides = "".join(_sides(row, gate))
    change = "" if row["rule"]["kind"] == "limit" else f": {_amount(row, row['amount'])}"
    allowed = [f"ALLOWED in spite of {issue['text']}" for issue in row["allowed"]]
    unchecked = [f"not checked, as neither run says it: {', '.join(row['unchecked'])}"] if row["unchecked"] else []
    traced = [f"imported trace: {name}" for name in traces if name in (row["run"], gate["base"])]
    return "; ".join([f"{sides}{change}", _certainty(row), *traced, *allowed, *unchecked])


def _sides(row: Row, gate: Row) -> list[str]:
    """The figures, in one text; none where one is missing."""
    limit = row["rule"]["kind"] == "limit"
    if row["value"] is None or (row["base"] is None and not limit):
        return []
    new = f"{row['run']} {_figure(row['value'], row['unit'])}"
    return [new if limit else f"{new} against {gate['base']} {_figure(row['base'], row['unit'])}"]


def _certainty(row: Row) -> str:
    """The interval, or that it is not known; nothing for exact figures."""
    if row["low"] is None:
        return "interval unknown"
    if METRICS[row["rule"]["metric"]].exact:
        return "exact"
    name = "95 % interval" if row["unit"] == "share" else "windows or bounds"
    return f"{name} {_amount(row, row['low'])} to {_amount(row, row['high'])}"


def _figure(value: float, unit: str) -> str:
    return " ".join(text.quantity(value, unit)).strip()


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
