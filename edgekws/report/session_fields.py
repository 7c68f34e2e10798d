"""The fields of a bench document that a session folder of MLPerf Tiny is made from."""

from __future__ import annotations

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
