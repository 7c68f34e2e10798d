"""Comparison of runs: the `edgekws-compare` document, version 2 (compare.json); schema.json has it too.

kind, version, edgekws
runs         name (a letter), source, title, how, board, graph, graph_sha256, dataset, valid, why, incomplete,
             provenance, build (as in the document), conditions: clock, clips, meter, volts, windows (runs.Conditions)
notes        differences between the runs, as sentences
groups       one for each `how` of the boards: how, runs (names), rows
   rows      metric, title, how, unit, cells: one for each run of the group, null where it has none
      cells  run, value, low, high (null: no interval), change (null: not compared), verdict, why
gate         null without rules; base, result, allow, strict
   outcomes  one for each rule and run after the first: gate.Outcome

All values of a row have the same `how`, and so have the boards of a group: measured, emulated, estimated and computed
figures are never put in a ratio. The first valid run of a row is its base. verdict: base, better, worse (disjoint
intervals, or exact), same, unclear (intervals overlap or are missing), none (not comparable; `why` says the reason, in
the words of comparable.REASONS). change: value / base, or value - base for shares and areas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekws._version import __version__
from edgekws.errors import ConfigError, unknown
from edgekws.report.compare.comparable import issues
from edgekws.report.compare.figures import METRICS, Metric, Value
from edgekws.report.compare.gate import Verdict
from edgekws.report.compare.runs import Run
from edgekws.report.comparison import KIND, VERSION
from edgekws.types import How

Row = dict[str, Any]
_ORDER: tuple[How, ...] = ("measured", "emulated", "estimated", "computed")


def compare(runs: Sequence[Run], verdict: Verdict | None = None) -> Row:
    """The document. verdict: of a gate on the same runs. Raises ConfigError with fewer than two runs."""
    require_two(runs)
    kinds = [how for how in _ORDER if any(run.how == how for run in runs)]
    return {
        "kind": KIND,
        "version": VERSION,
        "edgekws": __version__,
        "runs": [run.to_json() for run in runs],
        "notes": notes(runs),
        "groups": [_group(how, [run for run in runs if run.how == how]) for how in kinds],
        "gate": verdict and verdict.to_json(),
    }


def require_two(runs: Sequence[Run]) -> None:
    """Raises ConfigError with fewer than two runs."""
    if len(runs) < 2:
        raise ConfigError("a comparison needs at least two runs", got=str(len(runs)), hint="give two folders or files")


def ranked(runs: Sequence[Run], metric: str) -> list[Run]:
    """The runs, best first; invalid runs are not ranked and come last.

    Raises ConfigError for an unknown metric, when a run has no such figure, and for figures that cannot be ranked
    together: of different kinds (measured, emulated, estimated) or data sets.
    """
    if metric not in METRICS:
        raise ConfigError(unknown("--sort", metric, METRICS))
    valid = [run for run in runs if run.valid is not False]
    without = [run.name for run in valid if metric not in run.values]
    if without:
        expected = f"every run should have a figure for {METRICS[metric].title}"
        got = f"none in {', '.join(without)}"
        if metric == "latency" and all(run.how == "emulated" for run in valid if run.name in without):
            hint = "emulated boards have instructions and no time: --sort instructions"
            raise ConfigError(expected, got=f"{got}, emulated", hint=hint)
        raise ConfigError(expected, got=got, hint="omit these runs, or bench them")
    by_basis = _by(valid, lambda run: run.values[metric].basis)
    if len(by_basis) > 1:
        got = "; ".join(f"{', '.join(names)}: {basis}" for basis, names in by_basis.items())
        hint = "compare runs of one kind; without --sort all are shown, in groups"
        raise ConfigError(f"a ranking by {metric} needs figures of one kind", got=got, hint=hint)
    sign = 1 if METRICS[metric].better == "less" else -1
    best = sorted(valid, key=lambda run: sign * run.values[metric].value)
    return [*best, *(run for run in runs if run.valid is False)]


def notes(runs: Sequence[Run]) -> list[str]:
    """Differences between the runs that a reader of their figures should know, as sentences."""
    sentences = [
        f"{run.name} is not valid: its figures are shown but not compared ({run.why})" for run in _invalid(runs)
    ]
    kinds = _by(runs, lambda run: run.how)
    if len(kinds) > 1:
        listed = ", ".join(f"{how} ({', '.join(names)})" for how, names in kinds.items())
        sentences.append(f"the figures are {listed}: they are in separate tables and never put in a ratio")
    graphs = _by(runs, lambda run: f"{run.graph} {run.graph_sha256[:12]}")
    if len(graphs) > 1:
        listed = "; ".join(f"{', '.join(names)}: {graph}" for graph, names in graphs.items())
        sentences.append(
            f"the runs are of different graphs ({listed}): a difference may come from the network, not the board"
        )
    boards = _by(runs, lambda run: run.board or "no board")
    if len(boards) > 1:
        listed = "; ".join(f"{', '.join(names)}: {board}" for board, names in boards.items())
        sentences.append(f"the runs are of different boards ({listed})")
    sets = _by([run for run in runs if run.dataset], lambda run: run.dataset)
    if len(sets) > 1:
        listed = "; ".join(f"{', '.join(names)}: {dataset}" for dataset, names in sets.items())
        sentences.append(f"accuracies are of different data sets ({listed}) and are compared only within one")
    return sentences


def _by(runs: Sequence[Run], key: Callable[[Run], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run.name)
    return groups


def _invalid(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.valid is False]


def _group(how: How, runs: Sequence[Run]) -> Row:
    rows = []
    for name, metric in METRICS.items():
        for kind in _ORDER:
            if any(name in run.values and run.values[name].how == kind for run in runs):
                rows.append(_row(name, metric, kind, runs))
    return {"how": how, "runs": [run.name for run in runs], "rows": rows}


def _row(name: str, metric: Metric, how: How, runs: Sequence[Run]) -> Row:
    shown = [name in run.values and run.values[name].how == how for run in runs]
    base = next((run for run, has in zip(runs, shown, strict=True) if has and run.valid is not False), None)
    cells = [_cell(name, metric, run, base) if has else None for run, has in zip(runs, shown, strict=True)]
    unit = next(run.values[name].unit for run, has in zip(runs, shown, strict=True) if has)
    return {"metric": name, "title": metric.title, "how": how, "unit": unit, "cells": cells}


def _cell(name: str, metric: Metric, run: Run, base: Run | None) -> Row:
    value = run.values[name]
    low, high = value.spread or (None, None)
    change, verdict, why = _compared(name, metric, run, base)
    return {"run": run.name, "value": value.value, "low": low, "high": high, "change": change,
            "verdict": verdict, "why": why}  # fmt: skip


def _compared(name: str, metric: Metric, run: Run, base: Run | None) -> tuple[float | None, str, str]:
    """(change, verdict, why) of a cell. Without a common basis there is no change, and with an issue no verdict."""
    if run.valid is False:
        return None, "none", "the run is not valid"
    if base is None or run is base:
        return None, "base", ""
    value, against = run.values[name], base.values[name]
    why = "; ".join(issue.text for issue in issues(name, base, run))
    if value.basis != against.basis:
        return None, "none", why
    points = metric.change == "points"
    change = value.value - against.value if points else _ratio(value.value, against.value)
    return change, "none" if why else judged(metric, value, against), why


def _ratio(value: float, base: float) -> float | None:
    return value / base if base else None


def judged(metric: Metric, value: Value, base: Value) -> str:
    """ "better", "worse", "same" or "unclear". Overlapping intervals do not prove equality."""
    if value.spread is None or base.spread is None:
        return "unclear"
    (low, high), (base_low, base_high) = value.spread, base.spread
    if low == high == base_low == base_high:
        return "same"
    if low <= base_high and base_low <= high:
        return "unclear"
    return "better" if (value.value < base.value) == (metric.better == "less") else "worse"
