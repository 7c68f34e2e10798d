"""The verdict of a regression gate: each rule on each run, against the first run.

pass      the figure, or its change, keeps the rule
fail      it breaks the rule, and so does every value within its interval
unclear   it breaks the rule, but within its interval there are values that keep it, or the interval is not known
refused   the runs cannot be compared: see comparable.REASONS

The interval of a change: of accuracy, Newcombe's 95 % interval of a difference of proportions, narrower where the
answers to each clip are known (bench.json); of latency and energy, from one run's extremes to the other's. Sizes and
instructions are exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from operator import sub
from typing import Any, Literal

import numpy as np

from edgekws import stats
from edgekws.errors import NotComparableError, RegressionError
from edgekws.report.compare import comparable
from edgekws.report.compare.comparable import Issue
from edgekws.report.compare.figures import Value
from edgekws.report.compare.rules import Gate, Rule
from edgekws.report.compare.runs import Run
from edgekws.types import Interval

Result = Literal["pass", "fail", "unclear", "refused"]
_COUNTED: dict[Result, str] = {"fail": "failed", "unclear": "unclear", "refused": "refused", "pass": "passed"}
_CLEARER = "measure more clips or windows, or leave out --strict"


@dataclass(frozen=True)
class Outcome:
    """One rule on one run. base, value: the figures, None where missing. unit: of the figures.

    amount: what the rule limits: value / base - 1, value - base, or value; None when refused. low, high: its interval;
    None when unknown. issues: reasons against the comparison; allowed: those of them that were accepted.
    unchecked: conditions that neither document knows.
    """

    rule: Rule
    run: str
    result: Result
    base: float | None = None
    value: float | None = None
    unit: str = ""
    amount: float | None = None
    low: float | None = None
    high: float | None = None
    refused: tuple[Issue, ...] = ()
    allowed: tuple[Issue, ...] = ()
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """All outcomes of a gate. base: the name of the first run."""

    base: str
    gate: Gate
    outcomes: tuple[Outcome, ...]

    def count(self, result: Result) -> int:
        return sum(outcome.result == result for outcome in self.outcomes)

    @property
    def result(self) -> Result:
        """fail when one rule fails, else refused when one was, else pass. Unclear fails only if strict."""
        if self.count("fail") or (self.gate.strict and self.count("unclear")):
            return "fail"
        return "refused" if self.count("refused") else "pass"

    def to_json(self) -> dict[str, Any]:
        """The section `gate` of an `edgekws-compare` document."""
        allow, strict = list(self.gate.allow), self.gate.strict
        outcomes = [asdict(outcome) for outcome in self.outcomes]
        return {"base": self.base, "result": self.result, "allow": allow, "strict": strict, "outcomes": outcomes}

    def require_pass(self) -> None:
        """Raises RegressionError when the gate failed, NotComparableError when it could not decide."""
        got = counted([outcome.result for outcome in self.outcomes])
        if self.result == "fail":
            hint = "undo the change that did it, or bench the new base" if self.count("fail") else _CLEARER
            raise RegressionError("every rule should hold", got=got, hint=hint)
        if self.result == "refused":
            ids = dict.fromkeys(issue.id for one in self.outcomes for issue in one.refused)
            raise NotComparableError(
                "every rule should compare runs of the same conditions", got=got, hint=_way_out(list(ids))
            )


def _way_out(ids: Sequence[str]) -> str:
    """What to do about these reasons. Only what --allow takes is offered to it."""
    optional = [name for name in ids if not comparable.REASONS[name].final]
    missing = "measure the missing figures, or leave out their rules" if len(optional) < len(ids) else ""
    allow = f"bench under the conditions of the base, or accept differences with --allow (here: {', '.join(optional)})"
    return "; ".join(filter(None, (missing, allow if optional else "")))


def counted(results: Sequence[str]) -> str:
    """How many there are of each, such as "1 failed, 2 passed"."""
    return ", ".join(f"{results.count(name)} {word}" for name, word in _COUNTED.items() if name in results)


def judge(runs: Sequence[Run], gate: Gate) -> Verdict:
    """Every rule on every run after the first. Raises ConfigError for a reason that does not exist or is final."""
    comparable.require_known(gate.allow, "--allow")
    outcomes = [_outcome(rule, runs[0], run, gate.allow) for rule in gate.rules for run in runs[1:]]
    return Verdict(runs[0].name, gate, tuple(outcomes))


def _outcome(rule: Rule, base: Run, run: Run, allow: Sequence[str]) -> Outcome:
    old, new = base.values.get(rule.metric), run.values.get(rule.metric)
    other = run if rule.kind == "limit" else base  # a limit compares nothing: only what is wrong with the run counts
    issues = comparable.issues(rule.metric, other, run)
    if old is not None and old.value <= 0 and rule.kind == "relative":
        text = f"a change in % needs a base above 0, and {base.name} has {old.value:g}"
        issues = [*issues, Issue("missing", f"missing figure: {text}")]
    known = Outcome(
        rule,
        run.name,
        "refused",
        base=None if old is None else old.value,
        value=None if new is None else new.value,
        unit=next((value.unit for value in (new, old) if value is not None), ""),
        refused=tuple(issue for issue in issues if issue.id not in allow),
        allowed=tuple(issue for issue in issues if issue.id in allow),
        unchecked=tuple(comparable.unchecked(rule.metric, other, run)),
    )
    if known.refused or new is None:
        return known
    amount, interval = _amount(rule, old or new, new)
    low, high = interval or (None, None)
    return replace(known, result=_result(rule, amount, interval), amount=amount, low=low, high=high)


def _amount(rule: Rule, old: Value, new: Value) -> tuple[float, tuple[float, float] | None]:
    """What the rule limits, and its interval."""
    if rule.kind == "limit":
        return new.value, new.spread
    change = _ratio if rule.kind == "relative" else sub
    amount = change(new.value, old.value)
    if old.spread is None or new.spread is None:
        return amount, None
    if new.unit == "share":
        related = _correlation(old, new)
        bounds = stats.difference(old.value, Interval(*old.spread), new.value, Interval(*new.spread), related)
        return amount, (bounds.low, bounds.high)
    return amount, (change(new.spread[0], old.spread[1]), change(new.spread[1], old.spread[0]))


def _correlation(old: Value, new: Value) -> float:
    """Of the answers of both runs to each clip; 0, which gives a wider interval, where they were not kept."""
    before, after = old.answers, new.answers
    if before is None or after is None or before.keys() != after.keys():
        return 0.0
    return stats.correlation(np.array(list(before.values())), np.array([after[clip] for clip in before]))


def _ratio(new: float, old: float) -> float:
    return new / old - 1 if old > 0 else math.inf


def _result(rule: Rule, amount: float, interval: tuple[float, float] | None) -> Result:
    if not rule.breaks(amount):
        return "pass"
    return "fail" if interval is not None and all(map(rule.breaks, interval)) else "unclear"
