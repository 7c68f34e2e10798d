"""What a person decided: clips to keep, to drop and to relabel, in a file that is replaced after each click.

edgekws-decisions 1: data {name, sha256}, decisions {id: "keep" | "drop" | "relabel:<label>"}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekws.data import subset
from edgekws.data.dataset import Dataset
from edgekws.data.listing import UNKNOWN, Listing
from edgekws.errors import ArtifactError, DataError
from edgekws.files import read_json, write_json
from edgekws.types import Progress

KIND, VERSION = "edgekws-decisions", 1
KEEP, DROP, RELABEL = "keep", "drop", "relabel"
FORMS = f"{KEEP}, {DROP} or {RELABEL}:<label>"
_SHOWN = 3


@dataclass(frozen=True)
class Decisions:
    """sha256: of the clips that were looked at, as in their ranking."""

    data: str
    sha256: str
    made: dict[str, str]

    def with_one(self, clip: str, decision: str | None) -> Decisions:
        """With `clip` kept, dropped or relabelled, or, with None, undecided again."""
        made = {key: value for key, value in self.made.items() if key != clip}
        return replace(self, made=made if decision is None else {**made, clip: decision})

    def counts(self) -> dict[str, int]:
        """How many are kept, dropped and relabelled."""
        counted = Counter(decision.partition(":")[0] for decision in self.made.values())
        return {decision: counted[decision] for decision in (KEEP, DROP, RELABEL)}

    @property
    def dropped(self) -> frozenset[str]:
        return frozenset(clip for clip, decision in self.made.items() if decision == DROP)

    @property
    def relabelled(self) -> dict[str, str]:
        """The new label of each such clip."""
        return {clip: label for clip, decision in self.made.items() if (label := label_of(decision)) is not None}


def is_decision(value: object) -> bool:
    """Whether it has one of FORMS; not whether there is such a label."""
    return isinstance(value, str) and (value in (KEEP, DROP) or bool(label_of(value)))


def label_of(decision: str) -> str | None:
    """The label that a decision gives; None for those that give none."""
    name, colon, label = decision.partition(":")
    return label if name == RELABEL and colon else None


def save(decisions: Decisions, path: Path) -> None:
    """Replace the file."""
    data = {"name": decisions.data, "sha256": decisions.sha256}
    write_json(path, {"kind": KIND, "version": VERSION, "data": data, "decisions": decisions.made})


def load(path: Path) -> Decisions:
    """Raises ArtifactError for another kind of file, or decisions that are none."""
    value = read_json(path, KIND, VERSION, "edgekws data clean writes it once you have decided on a clip")
    made, data = value.get("decisions"), value.get("data")
    if not isinstance(made, dict) or not isinstance(data, dict):
        raise ArtifactError(f"{path} should hold data and decisions", got=", ".join(sorted(value)))
    wrong = [f"{clip}: {decision}" for clip, decision in made.items() if not is_decision(decision)]
    if wrong:
        raise ArtifactError(f"{path} should say {FORMS} for each clip", got="; ".join(wrong[:_SHOWN]))
    return Decisions(str(data.get("name")), str(data.get("sha256")), made)


def apply(data: Dataset, decided: Decisions, out: Path, progress: Progress) -> Dataset:
    """The prepared data set without the dropped clips and with the new labels, written to `out`.

    Raises DataError for clips or labels that it does not have (the list is of another set), or when a label would
    have no training clip left.
    """
    require_known(decided, {clip for split in data.splits.values() for clip in split.ids}, data.name)
    order = {label: number for number, label in enumerate(data.labels)}
    numbers = {clip: order[_class_of(label, data.labels)] for clip, label in decided.relabelled.items()}
    dropped = decided.dropped
    splits, kept = {}, {}
    for name, split in data.splits.items():
        labels = [numbers.get(clip, label) for clip, label in zip(split.ids, split.labels.tolist(), strict=True)]
        splits[name] = replace(split, labels=np.array(labels, np.int64))
        kept[name] = np.array([number for number, clip in enumerate(split.ids) if clip not in dropped], np.int64)
    return subset.write(replace(data, splits=splits), kept, out, told(decided), progress)


def applied(listing: Listing, decided: Decisions) -> Listing:
    """Recordings without the dropped ones and with the new labels, before anything is decoded. Raises as `apply`."""
    every = {item.id for items in listing.splits.values() for item in items}
    require_known(decided, every | listing.unused, listing.name)
    dropped = decided.dropped
    labels = {clip: _class_of(label, listing.labels) for clip, label in decided.relabelled.items()}
    splits = {
        name: tuple(replace(item, label=labels.get(item.id, item.label)) for item in items if item.id not in dropped)
        for name, items in listing.splits.items()
    }
    took_part = replace(decided, made={clip: decision for clip, decision in decided.made.items() if clip in every})
    made = replace(listing, splits=splits, notes=(*listing.notes, told(took_part)))
    made.check()
    return made


def told(decided: Decisions) -> str:
    """How many clips are other than before, for a data set's notes."""
    return f"{len(decided.dropped)} clips dropped by hand, {len(decided.relabelled)} relabelled"


def require_known(decided: Decisions, known: AbstractSet[str], name: str) -> None:
    """Raises DataError for dropped or relabelled clips that are not among `known`."""
    strange = sorted((decided.dropped | decided.relabelled.keys()) - known)
    if strange:
        raise DataError(
            f"every dropped or relabelled clip should be in {name}",
            got=f"{len(strange)} that are not, {', '.join(strange[:_SHOWN])}",
            hint="give the data that these decisions were made on",
        )


def _class_of(label: str, labels: Sequence[str]) -> str:
    """A word that is no class of its own is one of the others, as where the data set is made from words."""
    if label in labels:
        return label
    if UNKNOWN in labels:
        return UNKNOWN
    raise DataError(f"a new label should be one of {', '.join(labels)}", got=label)


def read_or_new(path: Path, name: str, sha256: str, ids: AbstractSet[str]) -> Decisions:
    """Those in `path`, when there are; they stay when the ranking is made anew.

    ids: of the clips that are looked at now. Recordings are repaired and added while one decides, so decisions stay
    as long as the data has the same name and every clip of theirs. Raises ArtifactError for others.
    """
    if not path.exists():
        return Decisions(name, sha256, {})
    found = load(path)
    if found.sha256 != sha256 and (found.data != name or not found.made.keys() <= ids):
        raise ArtifactError(
            f"{path} should be about these clips of {name}",
            got=f"decisions about {found.data}, or about other splits or an older state of it",
            hint="give another folder with --out, or move that file away",
        )
    return replace(found, sha256=sha256)
