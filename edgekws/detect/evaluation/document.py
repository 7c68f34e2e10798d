"""The `edgekws-detection` document, version 1, as types; schema.json beside this file is generated from them.

python -m edgekws.detect.evaluation.document      write schema.json again
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from edgekws.files import write_json

KIND, VERSION = "edgekws-detection", 1
SCHEMA = Path(__file__).with_name("schema.json")
Method = Literal["exact Poisson", "Wilson", "bootstrap by speaker"]


class _Own(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Bounds(_Own):
    low: float
    high: float


class Rate(_Own):
    """Events in hours of sound. per_hour and its interval are None without any sound."""

    events: int
    hours: float
    per_hour: float | None
    interval: Bounds | None
    method: Method = "exact Poisson"


class Share(_Own):
    """`count` of `n`; value is None when n is 0."""

    count: int
    n: int
    value: float | None
    interval: Bounds
    method: Method


class Latency(_Own):
    """From the end of the word to the event, in samples that were read; without the time to compute. Negative: before.

    None without a hit.
    """

    n: int
    median_ms: float | None
    p95_ms: float | None


class Keyword(_Own):
    """One word. threshold: thousandths; 1001 is never. false_accepts: of it, in sound without any keyword."""

    keyword: str
    threshold: int
    false_accepts: Rate
    missed: Share
    latency: Latency


class Condition(_Own):
    """Words of one signal-to-noise ratio (None: nothing was added) or one room ("": none)."""

    snr_db: float | None
    room: str | None
    missed: Share
    latency: Latency


class DetPoint(_Own):
    """All thresholds moved by one step of log odds. shift: 0 are the thresholds themselves."""

    shift: float
    false_accepts_per_hour: float
    missed: float


class FalseAccept(_Own):
    """An event where nobody said a keyword. at_s: in the recording; stream_s: in the stream."""

    keyword: str
    score: int
    recording: str
    at_s: float
    stream: str
    stream_s: float
    synthetic: bool


class Missed(_Own):
    """A word without an event. highest: its highest mean posterior in thousandths, within the window."""

    keyword: str
    recording: str
    snr_db: float | None
    room: str
    highest: int
    stream: str
    stream_s: float
    heard_instead: str


class Extra(_Own):
    """Events in streams with words that are the hit of none.

    wrong: within the window of another keyword's word; repeated: of the same; between: of no word.
    """

    wrong: int
    repeated: int
    between: int


class Evaluation(_Own):
    """Everything that was measured on streams of one part: validation or test.

    hours: of sound without keywords; synthetic_hours: of these, what a program spoke; scene_hours: of sound with words.
    """

    hours: float
    synthetic_hours: float
    scene_hours: float
    words: int
    speakers: int
    false_accepts: Rate
    false_accepts_real: Rate
    false_accepts_synthetic: Rate
    missed: Share
    latency: Latency
    extra: Extra
    keywords: tuple[Keyword, ...]
    by_snr: tuple[Condition, ...]
    by_room: tuple[Condition, ...]
    det: tuple[DetPoint, ...]
    wrong_accepts: tuple[FalseAccept, ...]
    wrong_misses: tuple[Missed, ...]


class Detector(_Own):
    """step_ms: from one score to the next. tau_ms: a hit may come this long after the end of its word."""

    smoothing_steps: int
    refractory_steps: int
    step_ms: float
    tau_ms: float
    thresholds_from: str


class Document(_Own):
    """report.json of `edgekws detect-eval`. validation: of the streams that the thresholds were chosen on, if any."""

    kind: Literal["edgekws-detection"]
    version: Literal[1]
    model: str
    graph_sha256: str
    executor: str
    detector: Detector
    budget_per_hour: float | None
    validation: Evaluation | None
    test: Evaluation
    notes: tuple[str, ...]


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    described = Document.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


if __name__ == "__main__":
    write_json(SCHEMA, schema())
