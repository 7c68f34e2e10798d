"""The `edgekws-report` and `edgekws-bench` documents, version 3, as types; schema.json is generated from them.

A report has exactly these fields. The sections that come from a bench may have more; readers ignore those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgekws.errors import ArtifactError
from edgekws.files.os_errors import unreadable
from edgekws.report import older
from edgekws.report.memory import Arena
from edgekws.report.session_fields import Answer, Details, OfficialFiles, WindowSamples
from edgekws.types import How

KIND, VERSION = "edgekws-report", 3
BENCH_KIND, BENCH_VERSION = "edgekws-bench", 3
MODES = ("performance", "accuracy", "energy")
Mode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""Modes of other packages have no section; their figures are among the measurements."""
_READABLE = {(kind, version) for kind in (KIND, BENCH_KIND) for version in (1, 2, 3)}
Row = dict[str, Any]


class _Own(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class Bounds(_Own):
    low: float
    high: float


class Figure(_Own):
    """A measurement. n: clips, windows or runs behind it. board: "" for none."""

    name: str
    value: float
    unit: str
    how: How
    n: int
    interval: Bounds | None
    board: str
    artifact_sha256: str


class Provenance(_Section):
    """Where the figures come from.

    source: live (a device answered), replay (recorded traffic), trace (an imported table of a meter), unknown (an
    older document). run_id: name of the run's folder. model: the model's folder, as the command named it. started,
    ended, recorded (of a replay's traffic): ISO 8601 with UTC offset. port: the URL that was opened. emulator: its
    version, "" without one. clips_sha256: over names, features and labels of the run's clips. All are "" when unknown.
    """

    source: Literal["live", "replay", "trace", "unknown"]
    run_id: str
    started: str
    ended: str
    recorded: str
    port: str
    emulator: str
    clips_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    model: str = ""


class Build(_Section):
    """Whether the device ran the firmware that was built for the run.

    id: the build id that the device reported; "" when it reports none (unverified). expected: that of the firmware.
    """

    status: Literal["verified", "unverified", "unknown"]
    id: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]
    expected: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.status == "verified" and (not self.id or self.id != self.expected):
            raise ValueError("a verified build should have the expected id")
        if self.status == "unverified" and self.id:
            raise ValueError("an unverified build should have no id")
        return self


class Board(_Section):
    """icount_shift: the emulator's clock advances 2**shift ns per instruction; -1 for boards that are not emulated."""

    name: str
    title: str
    how: How
    icount_shift: int
    flash_bytes: int
    ram_bytes: int


class Performance(_Section):
    """Readings of the device's clock; that of an emulated board counts instructions, and its readings are no time.

    spread: (slowest - fastest) / median; drift: last / first - 1.
    clock_us: that clock before and after each window, when known.
    """

    clock: str
    iterations: list[int] = Field(min_length=1)
    windows_s: list[float] = Field(min_length=1)
    latencies_us: list[float] = Field(min_length=1)
    latency_us: float = Field(gt=0)
    inferences_per_s: float
    spread: float
    instructions: float | None
    drift: float | None
    host_s: list[float] | None
    clock_us: list[list[int]] | None = None


class Recall(_Section):
    label: str
    hits: int
    n: int
    value: float | None
    interval: Bounds


class Accuracy(_Section, Details):
    """correct, confusion, recalls and macro_auc are null or empty when the clips have no labels."""

    dataset: str
    n: int = Field(gt=0)
    compared: str
    matches: int
    mismatches: list[Row]
    correct: int | None
    confusion: list[list[int]]
    recalls: list[Recall]
    macro_auc: float | None
    files: OfficialFiles | None = None


class EnergyWindow(_Section):
    """One window between two edges of the timestamp pin."""

    iterations: int
    seconds: float
    joules: float
    idle_watts: float | None
    uj_per_inference: float
    uj_per_inference_above_idle: float | None


class Trace(_Section):
    """Mean watts of each point, at most 4000 points; edges of the timestamp pin in seconds from the first point."""

    seconds_per_point: float = Field(gt=0)
    watts: list[float] = Field(min_length=1, max_length=4000)
    edges_s: list[float]


class Energy(_Section):
    """Medians over the windows, microjoules.

    Of an estimate: interval, source of the constants, and the chip that it stands for, with its clock and supply.
    """

    meter: str
    how: Literal["measured", "emulated", "estimated"]
    rate_hz: float
    volts: float | None
    dropped: int
    windows: list[EnergyWindow]
    uj_per_inference: float
    uj_per_inference_above_idle: float | None
    interval: Bounds | None
    spread: float
    source: str
    trace: Trace | None
    chip: str = ""


class Transfers(_Section):
    """checked: the device's checksums verified every exchange. repeated: retries of damaged exchanges."""

    checked: bool
    commands: int
    repeated: int


class BenchGraph(_Section):
    name: str
    sha256: str
    labels: list[str]


class Firmware(_Section):
    sha256: str
    flash_bytes: int
    ram_bytes: int


class Bench(_Section):
    """`edgekws-bench`. incomplete: the error that ended the run early, "" for none; reasons has it too.

    firmware: null when it is not known which one the device ran.
    """

    kind: Literal["edgekws-bench"]
    version: Literal[3]
    valid: bool
    verdict: str
    reasons: list[str]
    warnings: list[str]
    incomplete: str
    modes: list[Mode]
    provenance: Provenance
    build: Build
    board: Board
    graph: BenchGraph
    firmware: Firmware | None
    performance: Performance | None
    accuracy: Accuracy | None
    energy: Energy | None
    transfers: Transfers | None
    layers_us: list[float]
    arena: Arena | None = None
    measurements: list[Figure]
    answers: list[Answer] | None = None
    window_answers: dict[str, list[Answer]] | None = None
    samples: list[WindowSamples] | None = None

    @model_validator(mode="after")
    def _claims_no_sizes(self) -> Self:
        if self.build.status == "unverified" and self.firmware is not None:
            raise ValueError("firmware should be null when the build is unverified")
        return self


class Verdict(_Own):
    """valid: null when no board was measured."""

    valid: bool | None
    text: str
    reasons: list[str]


class GraphSummary(_Own):
    name: str
    target: str
    sha256: str
    labels: list[str]
    macs: int
    parameter_bytes: int
    peak_activation_bytes: int
    imported_from: str = ""


class Layer(_Own):
    """us, instructions: of the board, null if not reported; us is also null for an emulated board.

    estimated_instructions: null without a cost model.
    """

    name: str
    op: str
    out_shape: list[int]
    weight_bits: int
    macs: int
    macs_share: float
    parameter_bytes: int
    activation_bytes: int
    us: float | None
    instructions: float | None
    estimated_instructions: float | None


class Memory(_Own):
    """Bytes; budget 0: none set."""

    name: str
    used: int
    budget: int


class Parity(_Section):
    artifact: str
    runtime: str
    n: int
    differences: int


class ReportDocument(_Own):
    """`edgekws-report`. provenance, build, board, device and what the board measured: null without a board."""

    kind: Literal["edgekws-report"]
    version: Literal[3]
    edgekws: str
    title: str
    created: str
    verdict: Verdict
    incomplete: str
    modes: list[Mode]
    provenance: Provenance | None
    build: Build | None
    warnings: list[str]
    figures: list[Figure]
    graph: GraphSummary
    layers: list[Layer]
    memory: list[Memory]
    arena: Arena | None
    board: Board | None
    device: Row | None
    performance: Performance | None
    accuracy: Accuracy | None
    energy: Energy | None
    transfers: Transfers | None
    parity: list[Parity]
    manifests: dict[str, Row]

    @model_validator(mode="after")
    def _claims_no_sizes(self) -> Self:
        if self.build is not None and self.build.status == "unverified" and self.memory:
            raise ValueError("memory should be empty when the build is unverified")
        return self


def upgraded(document: Mapping[str, Any], where: str = "the document") -> Row:
    """A report or bench in this version. Sections that an older version did not have are null or say "unknown".

    Raises ArtifactError for any other document.
    """
    kind, version = document.get("kind"), document.get("version")
    if not isinstance(kind, str) or type(version) is not int or (kind, version) not in _READABLE:
        expected = f"{where} should be an {KIND} or {BENCH_KIND} document, version 1 to {VERSION}"
        got = f"{ascii(kind)[:60]} version {ascii(version)[:20]}"
        raise ArtifactError(expected, got=got, hint="run `edgekws bench` again, or use the edgekws that wrote it")
    current = dict(document)
    for upgrade in _UPGRADES[version - 1 :]:
        current = upgrade(current)
    return current


def _from_1(document: Row) -> Row:
    modes = [mode for mode in MODES if document.get(mode)]
    added = {"version": 2, "modes": modes, "incomplete": "", "transfers": None, "energy": None}
    return {**document, **added, "performance": older.with_drift(document.get("performance"))}


def _from_2(document: Row) -> Row:
    """Version 2 said neither where the figures came from nor which build the device ran.

    It had the virtual time of emulated boards among the figures.
    """
    document = {**older.without_virtual_time(document), "arena": None}
    if not document.get("board"):
        return {**document, "version": 3, "provenance": None, "build": None}
    provenance = dict.fromkeys(Provenance.model_fields, "") | {"source": "unknown"}
    build = dict.fromkeys(Build.model_fields, "") | {"status": "unknown"}
    return {**document, "version": 3, "provenance": provenance, "build": build}


_UPGRADES: tuple[Callable[[Row], Row], ...] = (_from_1, _from_2)


def checked(document: Mapping[str, Any], where: str) -> Row:
    """The document in this version. Raises ArtifactError that names the first invalid field."""
    current = upgraded(document, where)
    try:
        (ReportDocument if current["kind"] == KIND else Bench).model_validate_json(json.dumps(current))
    except (ValidationError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{where} should be as schema.json says", got=_first(error)) from error
    return current


def read(path: Path) -> Row:
    """The document in a file. Raises ArtifactError when it is not a valid report or bench."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise unreadable(ArtifactError, path, f"an {KIND} or {BENCH_KIND} file", error) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} should be an {KIND} or {BENCH_KIND} file", got="no JSON") from error
    return checked(value if isinstance(value, dict) else {}, str(path))


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    problems = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in problems[0]["loc"])
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{ascii(place)[1:-1][:120]}: {problems[0]['msg']}{more}"
