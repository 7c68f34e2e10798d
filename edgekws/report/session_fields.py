"""The fields of a bench document that a session folder of MLPerf Tiny is made from."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_OPEN = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class OfficialFiles(BaseModel):
    """Clips that are named as MLPerf Tiny's: how many have the official content, and what contradicts it.

    unlisted: files whose content is not in our list of hashes.
    """

    model_config = _OPEN

    n: int
    verified: int
    unlisted: int
    problems: list[str]


class WindowSamples(BaseModel):
    """Joules per millisecond around one window; edges: indices of its first millisecond and of the one behind it."""

    model_config = _OPEN

    joules: list[float]
    edges: list[int] = Field(min_length=2, max_length=2)


class Answer(BaseModel):
    """Probabilities that the board printed for one clip, in thousandths.

    `class`: the true one, an index into the graph's labels; null when unknown. scores: int8, null when the board does
    not say them. equal: whether the answer is the interpreter's; null in older documents.
    """

    model_config = _OPEN

    file: str
    label: int | None = Field(alias="class")
    permille: list[int] = Field(min_length=1)
    scores: list[int] | None = None
    equal: bool | None = None


class ShareBounds(BaseModel):
    """A 95 % interval, 0..1."""

    model_config = _OPEN

    low: float
    high: float


class Share(BaseModel):
    """`hits` of `n` clips; value: null when n is 0."""

    model_config = _OPEN

    hits: int
    n: int
    value: float | None
    interval: ShareBounds


class Threshold(BaseModel):
    """What passes when answers below `threshold` (0..1) are refused.

    recall, wrong: of the clips of words, accepted as the right and as another word. silence, other: of `_silence_` and
    `_unknown_`, accepted as a word.
    """

    model_config = _OPEN

    threshold: float
    recall: Share
    wrong: Share
    silence: Share
    other: Share


class WrongAnswer(BaseModel):
    """class, predicted: indices into the graph's labels; permille: probability of the prediction in thousandths."""

    model_config = _OPEN

    file: str
    label: int = Field(alias="class")
    predicted: int
    permille: int


class Quality(BaseModel):
    """The verdict on the network: edgekws/report/quality/__init__.py has what the levels mean."""

    model_config = _OPEN

    level: Literal["good", "uncertain", "limited", "poor", "unknown"]
    text: str
    remarks: list[str]


class Details(BaseModel):
    """What follows from the answers to labelled clips; null in older documents. wrong: the surest first, at most 20."""

    model_config = _OPEN

    quality: Quality | None = None
    thresholds: list[Threshold] | None = None
    wrong: list[WrongAnswer] | None = None
