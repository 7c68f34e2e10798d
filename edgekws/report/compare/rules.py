"""Rules of a regression gate: `METRIC COMPARISON BOUND`, and files of them.

    instructions > +1 %         fail when they grow by more than 1 %         a relative change
    flash > +512 B              fail when it grows by more than 512 bytes    an absolute change
    accuracy < -0.5 points      fail when it drops by more than 0.5 points
    latency > 20 ms             fail when it is above 20 ms                  a limit, without a sign

METRIC is one of METRICS, COMPARISON one of > >= < <=. A bound with a sign is a change against the base, without one a
limit for the run itself, on the side where it is worse. A file of rules is TOML:

    kind = "edgekws-gate"
    version = 1
    fail-if = ["instructions > +1 %", "accuracy < -0.5 points"]
    allow = []                  # reasons of comparable.REASONS that are accepted
    strict = false              # true: what is unclear fails too
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgekws.errors import ConfigError, unknown
from edgekws.files import write_text
from edgekws.files.os_errors import unreadable
from edgekws.report.compare.figures import METRICS

KIND, VERSION = "edgekws-gate", 1
Kind = Literal["relative", "absolute", "limit"]
_EXAMPLE = '"instructions > +1 %"'
_RULE = re.compile(r"\s*(?P<metric>[^\s<>=!]+)\s*(?P<comparison>[<>=!]+)\s*(?P<bound>.+?)\s*")
_BOUND = re.compile(r"(?P<sign>[+-]?)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[^\d\s.,](?:.*\S)?)?")
_COMPARISONS = (">", ">=", "<", "<=")
_TIME = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
_ENERGY = {"uJ": 1.0, "µJ": 1.0, "mJ": 1e3, "J": 1e6}
_SIZE = {"B": 1.0, "KiB": 1024.0, "MiB": 1024.0**2}
_UNITS = {
    "latency": _TIME,
    "instructions": {"": 1.0, "k": 1e3, "M": 1e6},
    "energy": _ENERGY,
    "energy-above-idle": _ENERGY,
    "accuracy": {"points": 0.01},
    "auc": {"": 1.0},
}
"""Metric -> its units, each in the unit of the figures (us, instructions, uJ, share, area, bytes); sizes by default."""


@dataclass(frozen=True)
class Rule:
    """One rule. text: as it was given. bound: a fraction if relative, else in the unit of the metric's figures."""

    text: str
    metric: str
    comparison: str
    kind: Kind
    bound: float

    def breaks(self, amount: float) -> bool:
        """Whether a change or figure of this size breaks the rule. Equality is decided within rounding errors."""
        if math.isclose(amount, self.bound, rel_tol=1e-9, abs_tol=1e-12):
            return "=" in self.comparison
        return amount > self.bound if ">" in self.comparison else amount < self.bound


@dataclass(frozen=True)
class Gate:
    """Rules, the reasons against a comparison that are accepted, and whether what is unclear fails."""

    rules: tuple[Rule, ...] = ()
    allow: tuple[str, ...] = ()
    strict: bool = False


def parse(text: str, where: str = "--fail-if") -> Rule:
    """The rule in a text. Raises ConfigError that says what is wrong and which rule may have been meant."""
    plain = " ".join(text.replace("\N{MINUS SIGN}", "-").split())
    match = _RULE.fullmatch(plain)
    if match is None:
        hint = f'write {_EXAMPLE}, or a limit such as "latency > 20 ms"'
        raise ConfigError(f"{where} should be METRIC COMPARISON BOUND", got=text, hint=hint)
    metric, comparison = match["metric"], match["comparison"]
    if metric not in METRICS:
        raise ConfigError(unknown(f"{where} {text!r}: the metric", metric, METRICS))
    if comparison not in _COMPARISONS:
        raise ConfigError(f"{where} should compare with {', '.join(_COMPARISONS)}", got=f"{comparison} in {text!r}")
    kind, bound = _bound(metric, match["bound"], f"{where} {text!r}")
    rule = Rule(plain, metric, comparison, kind, bound)
    _require_sense(rule, where)
    return rule


def _bound(metric: str, text: str, where: str) -> tuple[Kind, float]:
    match = _BOUND.fullmatch(text)
    if match is None:
        hint = "such as +1 %, -0.5 points, +512 B or 20 ms, with a decimal point and without separators"
        raise ConfigError(f"{where} should end with a number and its unit", got=text, hint=hint)
    unit = match["unit"] or ""
    number = float(f"{match['sign']}{match['number']}")
    if unit == "%":
        return _percent(metric, number, bool(match["sign"]), where)
    units = _UNITS.get(metric, _SIZE)
    if unit not in units:
        known = ", ".join(name or "(none)" for name in (*units, "%"))
        if not unit:
            raise ConfigError(f"{where} should have a unit", got=text, hint=f"units of {metric}: {known}")
        raise ConfigError(unknown(f"{where}: the unit", unit, [name or "(none)" for name in (*units, "%")]))
    if metric == "accuracy" and not match["sign"]:
        got, hint = text, f'write "accuracy < {match["number"]} %"; points are of a change, with a sign'
        raise ConfigError(f"{where}: a limit of accuracy should be in %", got=got, hint=hint)
    return "absolute" if match["sign"] else "limit", number * units[unit]


def _percent(metric: str, number: float, signed: bool, where: str) -> tuple[Kind, float]:
    """% is a relative change, except that a limit of accuracy is a percentage itself."""
    if metric in ("accuracy", "auc"):
        if metric == "accuracy" and not signed:
            return "limit", number / 100
        unit = f"{number:+g} points" if metric == "accuracy" else f"{number / 100:+g}"
        hint = f"write {unit}"
        raise ConfigError(f"{where}: a change of {metric} should be absolute, not relative", got="%", hint=hint)
    if not signed:
        raise ConfigError(
            f"{where}: a change in % should have a sign", got=f"{number:g} %", hint=f"write +{number:g} %"
        )
    return "relative", number / 100


def _require_sense(rule: Rule, where: str) -> None:
    """Raises ConfigError for a limit on the better side, and for a change that equal runs break, and better ones."""
    improving = "<" if METRICS[rule.metric].better == "less" else ">"
    if improving not in rule.comparison:
        return
    if rule.kind != "limit" and (not rule.breaks(0.0) or not rule.bound):
        return
    turned = {"<": ">", ">": "<"}[rule.comparison[0]] + rule.comparison[1:]
    hint = f'write "{rule.text.replace(rule.comparison, turned)}"'
    if rule.kind == "limit":
        better = f"{rule.metric} is better when it is {METRICS[rule.metric].better}"
        raise ConfigError(f"{where} should limit the worse side: {better}", got=f'"{rule.text}"', hint=hint)
    raise ConfigError(f"{where} should let equal runs and better ones pass", got=f'"{rule.text}"', hint=hint)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    kind: Literal["edgekws-gate"]
    version: Literal[1]
    fail_if: Annotated[list[str], Field(alias="fail-if", min_length=1)]
    allow: list[str] = []
    strict: bool = False


def read(path: Path) -> Gate:
    """The rules in a file. Raises ConfigError that names the key or the rule that is wrong."""
    try:
        content = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise unreadable(ConfigError, path, "a file of rules", error, "--write-rules writes one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} should be TOML", got=str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        hint = "--write-rules writes a file that is right"
        raise ConfigError(
            f"{path} should be a file of rules ({KIND}, version {VERSION})", got=got, hint=hint
        ) from error
    return Gate(tuple(parse(text, str(path)) for text in content.fail_if), tuple(content.allow), content.strict)


def write(gate: Gate, path: Path) -> None:
    """Write a file that `read` reads as this gate. Raises ArtifactError when it cannot be written."""
    lines = [f'kind = "{KIND}"', f"version = {VERSION}", "fail-if = ["]
    lines += [f"    {_quoted(rule.text)}," for rule in gate.rules]
    lines += ["]", f"allow = [{', '.join(map(_quoted, gate.allow))}]", f"strict = {str(gate.strict).lower()}"]
    write_text(path, "\n".join(lines) + "\n")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a basic string of TOML has the escapes of JSON


def joined(gates: Sequence[Gate]) -> Gate:
    """One gate with the rules and reasons of all; strict when one of them is."""
    return Gate(
        tuple(dict.fromkeys(rule for gate in gates for rule in gate.rules)),
        tuple(dict.fromkeys(reason for gate in gates for reason in gate.allow)),
        any(gate.strict for gate in gates),
    )
