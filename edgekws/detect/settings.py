"""What a detector listens for: words, thresholds, smoothing and refractory time; detector.json beside graph.npz.

edgekws-detector 1: graph_sha256 (of the graph that the thresholds belong to), keywords [labels], thresholds_permille
[1..1000, or 1001 for a word that is switched off], smoothing_steps 1..32, refractory_steps, how {where the thresholds
are from: by, budget_per_hour, figures of the validation streams, histogram [keywords][32 counts of posteriors]}; and
gate {margin, hangover_steps}, where the network rests while it is quiet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekws.data import labels as label_names
from edgekws.errors import ArtifactError, ConfigError, unknown
from edgekws.files import check_kind, fields, read_json, write_json

KIND, VERSION = "edgekws-detector", 1
FILE = "detector.json"
ONE = 1000
"""Probability 1, in thousandths."""
NEVER = ONE + 1
"""A threshold that no score reaches: the word is switched off."""
MOST_SMOOTHING_STEPS = 32
"""EKW_DETECTOR_MOST_STEPS of kernels/detector.h: the posteriors that a board can hold of each word."""
MOST_REFRACTORY_STEPS = 65_535
_SMOOTHING_MS, _REFRACTORY_MS, _THRESHOLD = 320, 800, 900
"""Of a model whose thresholds nobody has chosen."""
_HINT = "edgekws detect-eval writes one"


@dataclass(frozen=True)
class Gate:
    """Of edgekws.detect.gate: how far above the floor a row is loud, in levels (of an MFCC about decibels), 1..255; and
    the steps, 1..1000, that the network runs for after a loud row: longer than the longest word and the smoothing.

    Raises ConfigError for values outside these ranges.
    """

    margin: int
    hangover_steps: int

    def __post_init__(self) -> None:
        _require("the margin of the gate", [self.margin], 1, 255, "")
        _require("the hangover of the gate", [self.hangover_steps], 1, 1000, " steps")


@dataclass(frozen=True)
class Settings:
    """A detector.

    keywords: labels of the graph. thresholds_permille: one for each, 1..1000, or NEVER. A word passes when the mean of
    its posterior over the last `smoothing_steps` steps (1..32) is at least its threshold. After an event of any word no
    other follows within `refractory_steps` steps. how: where the thresholds are from: figures and names, as JSON.
    gate: None for a network that always runs.

    Raises ConfigError for values outside these ranges.
    """

    keywords: tuple[str, ...]
    thresholds_permille: tuple[int, ...]
    smoothing_steps: int
    refractory_steps: int
    how: Mapping[str, Any] = field(default_factory=dict, compare=False)
    gate: Gate | None = None

    def __post_init__(self) -> None:
        if not self.keywords or len(set(self.keywords)) < len(self.keywords):
            raise ConfigError("a detector should have keywords, each once", got=", ".join(self.keywords) or "none")
        if len(self.thresholds_permille) != len(self.keywords):
            got = f"{len(self.thresholds_permille)} for {len(self.keywords)} keywords"
            raise ConfigError("each keyword should have a threshold", got=got)
        _require("a threshold", self.thresholds_permille, 1, NEVER, " thousandths")
        _require("the smoothing", [self.smoothing_steps], 1, MOST_SMOOTHING_STEPS, " steps")
        _require("the refractory time", [self.refractory_steps], 0, MOST_REFRACTORY_STEPS, " steps")

    def indices(self, labels: Sequence[str]) -> list[int]:
        """The place of each keyword in `labels`. Raises ConfigError for a keyword that is none of them."""
        for keyword in self.keywords:
            if keyword not in labels:
                raise ConfigError(unknown("keyword", keyword, labels), hint="a detector belongs to one model")
        return [labels.index(keyword) for keyword in self.keywords]


def default(labels: Sequence[str], step_ms: float) -> Settings:
    """Every word of `labels`, at one threshold that nobody has chosen. step_ms: from one score to the next."""
    words = label_names.words(labels)
    smoothing = min(max(round(_SMOOTHING_MS / step_ms), 1), MOST_SMOOTHING_STEPS)
    refractory = round(_REFRACTORY_MS / step_ms)
    return Settings(words, (_THRESHOLD,) * len(words), smoothing, refractory, {"by": "default"})


def save(settings: Settings, path: Path, graph_sha256: str) -> None:
    """Write detector.json. graph_sha256: of the graph that the thresholds belong to."""
    rest = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()}
    if settings.gate is None:
        del rest["gate"]
    write_json(path, {"kind": KIND, "version": VERSION, "graph_sha256": graph_sha256, **rest})


def load(path: Path, graph_sha256: str = "") -> Settings:
    """The detector in a file. graph_sha256: of the graph that it should belong to, where that matters.

    Raises ArtifactError for another kind, version or graph, and for fields that a detector cannot have.
    """
    value = read_json(path, KIND, VERSION, _HINT)
    if graph_sha256 and value.get("graph_sha256") != graph_sha256:
        raise ArtifactError(
            f"{path} should belong to the graph {graph_sha256[:12]}",
            got=f"thresholds chosen for {str(value.get('graph_sha256'))[:12]!r}",
            hint="choose thresholds for this model with edgekws detect-eval, or remove the file for the defaults",
        )
    return from_json(value, path)


def from_json(value: Mapping[str, Any], path: Path = Path(FILE)) -> Settings:
    """The settings in a document. Raises ArtifactError for fields that a detector cannot have."""
    check_kind(path, value, KIND, VERSION)
    gate = value.get("gate")
    fields.require(str(path), dict(value), _KINDS if gate is None else {**_KINDS, "gate": fields.OBJECT})
    if gate is not None:
        fields.require(f"{path}: gate", gate, _GATE_KINDS)
    try:
        return Settings(
            tuple(value["keywords"]),
            tuple(value["thresholds_permille"]),
            value["smoothing_steps"],
            value["refractory_steps"],
            value["how"],
            Gate(**gate) if gate else None,
        )
    except ConfigError as error:
        raise ArtifactError(f"{path} should be a detector", got=str(error)) from error


def _require(what: str, values: Sequence[int], lowest: int, highest: int, unit: str) -> None:
    for value in values:
        if not lowest <= value <= highest:
            raise ConfigError(f"{what} should be {lowest}..{highest}{unit}", got=str(value))


_KINDS = {
    "kind": fields.TEXT,
    "version": fields.INTEGER,
    "graph_sha256": fields.TEXT,
    "keywords": fields.list_of(fields.TEXT),
    "thresholds_permille": fields.list_of(fields.INTEGER),
    "smoothing_steps": fields.INTEGER,
    "refractory_steps": fields.INTEGER,
    "how": fields.OBJECT,
}
_GATE_KINDS = {"margin": fields.INTEGER, "hangover_steps": fields.INTEGER}
