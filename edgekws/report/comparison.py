"""The `edgekws-compare` document, version 2, as types; schema.json is generated from them.

edgekws/report/compare/__init__.py says what each field means.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from edgekws.report.document import Build, Provenance
from edgekws.types import How

KIND, VERSION = "edgekws-compare", 2


class _Own(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ComparedConditions(_Own):
    """clips: hash and number. windows: number, median seconds and inferences; null: none, or not known."""

    clock: str
    dataset: str
    clips: tuple[str, int]
    meter: str
    volts: float | None
    latency_windows: tuple[int, float, float] | None
    energy_windows: tuple[int, float, float] | None


class ComparedRun(_Own):
    """source: the path as it was given. valid: null when no board was measured."""

    name: str
    source: str
    title: str
    how: How
    board: str
    graph: str
    graph_sha256: str
    dataset: str
    valid: bool | None
    why: str
    incomplete: bool
    provenance: Provenance | None
    build: Build | None
    conditions: ComparedConditions


class Cell(_Own):
    """low, high: null when there is no interval. change: null when not compared. why: against a verdict."""

    run: str
    value: float
    low: float | None
    high: float | None
    change: float | None
    verdict: Literal["base", "better", "worse", "same", "unclear", "none"]
    why: str


class CellRow(_Own):
    """cells: one for each run of the group, null where it has no such figure."""

    metric: str
    title: str
    how: How
    unit: str
    cells: list[Cell | None]


class Group(_Own):
    """Runs whose boards have the same `how`."""

    how: How
    runs: list[str]
    rows: list[CellRow]


class GateRule(_Own):
    """bound: a fraction if relative, else in the unit of the figures."""

    text: str
    metric: str
    comparison: Literal[">", ">=", "<", "<="]
    kind: Literal["relative", "absolute", "limit"]
    bound: float


class GateIssue(_Own):
    """id: of the table in docs/how-to/compare.md."""

    id: str
    text: str


class GateOutcome(_Own):
    """amount: what the rule limits, with its interval low to high; null: refused, or no interval."""

    rule: GateRule
    run: str
    result: Literal["pass", "fail", "unclear", "refused"]
    base: float | None
    value: float | None
    unit: str
    amount: float | None
    low: float | None
    high: float | None
    refused: list[GateIssue]
    allowed: list[GateIssue]
    unchecked: list[str]


class GateSection(_Own):
    """base: the name of the first run."""

    base: str
    result: Literal["pass", "fail", "refused"]
    allow: list[str]
    strict: bool
    outcomes: list[GateOutcome]


class Comparison(_Own):
    """`edgekws-compare`. gate: null without rules."""

    kind: Literal["edgekws-compare"]
    version: Literal[2]
    edgekws: str
    runs: list[ComparedRun]
    notes: list[str]
    groups: list[Group]
    gate: GateSection | None
