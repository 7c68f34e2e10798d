"""What a person decided: clips to keep and clips to drop, in a file that is replaced after each click.

edgekws-decisions 1: data {name, sha256}, decisions {id: "keep" | "drop"}
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekws.data import subset
from edgekws.data.dataset import Dataset
from edgekws.errors import ArtifactError, DataError
from edgekws.files import read_json, write_json
from edgekws.types import Progress

KIND, VERSION = "edgekws-decisions", 1
KEEP, DROP = "keep", "drop"
_SHOWN = 3


@dataclass(frozen=True)
class Decisions:
    """sha256: of the clips that were looked at, as in their ranking."""

    data: str
    sha256: str
    made: dict[str, str]

    def with_one(self, clip: str, decision: str | None) -> Decisions:
        """With `clip` kept or dropped, or, with None, undecided again."""
        made = {key: value for key, value in self.made.items() if key != clip}
        return replace(self, made=made if decision is None else {**made, clip: decision})

    def counts(self) -> dict[str, int]:
        counted = Counter(self.made.values())
        return {KEEP: counted[KEEP], DROP: counted[DROP]}

    @property
    def dropped(self) -> frozenset[str]:
        return frozenset(clip for clip, decision in self.made.items() if decision == DROP)


def save(decisions: Decisions, path: Path) -> None:
    data = {"name": decisions.data, "sha256": decisions.sha256}
    write_json(path, {"kind": KIND, "version": VERSION, "data": data, "decisions": decisions.made})


def load(path: Path) -> Decisions:
    """Raises ArtifactError for another kind of file, or decisions that are neither keep nor drop."""
    value = read_json(path, KIND, VERSION)
    made, data = value.get("decisions"), value.get("data")
    if not isinstance(made, dict) or not isinstance(data, dict):
        raise ArtifactError(f"{path} should hold data and decisions", got=", ".join(sorted(value)))
    wrong = [f"{clip}: {decision}" for clip, decision in made.items() if decision not in (KEEP, DROP)]
    if wrong:
        raise ArtifactError(f"{path} should say {KEEP} or {DROP} for each clip", got="; ".join(wrong[:_SHOWN]))
    return Decisions(str(data.get("name")), str(data.get("sha256")), made)


def apply(data: Dataset, dropped: frozenset[str], out: Path, progress: Progress) -> Dataset:
    """The prepared data set without the dropped clips, written to `out`.

    Raises DataError for clips that it does not have (the list is of another set), or when a label would have no
    training clip left.
    """
    known = {clip for split in data.splits.values() for clip in split.ids}
    strange = sorted(dropped - known)
    if strange:
        raise DataError(
            f"every dropped clip should be in {data.name}",
            got=f"{len(strange)} that are not, {', '.join(strange[:_SHOWN])}",
            hint="give the data set that these decisions were made on",
        )
    kept = {
        name: np.array([number for number, clip in enumerate(split.ids) if clip not in dropped], np.int64)
        for name, split in data.splits.items()
    }
    note = f"without {len(dropped)} clips that were dropped by hand"
    return subset.write(data, kept, out, note, progress)


def read_or_new(path: Path, name: str, sha256: str) -> Decisions:
    """Those in `path`, when there are; they stay when the ranking is made anew over the same clips.

    Raises ArtifactError when they are about other clips.
    """
    if not path.exists():
        return Decisions(name, sha256, {})
    found = load(path)
    if found.sha256 != sha256:
        raise ArtifactError(
            f"{path} should be about these clips of {name}",
            got=f"decisions about {found.data}, or about other splits or an older state of it",
            hint="give another folder with --out, or move that file away",
        )
    return found
