"""Review decisions: which clips to keep, drop or relabel. The file is replaced after each decision.

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
from edgekws.data.labels import UNKNOWN
from edgekws.data.listing import Listing
from edgekws.errors import ArtifactError, DataError
from edgekws.files import read_json, write_json
from edgekws.types import Progress

KIND, VERSION = "edgekws-decisions", 1
KEEP, DROP, RELABEL = "keep", "drop", "relabel"
FORMS = f"{KEEP}, {DROP} or {RELABEL}:<label>"
_SHOWN = 3


@dataclass(frozen=True)
class Decisions:
    """data: name of the data set; sha256: of the reviewed clips, as in their ranking; by_clip: id -> decision."""

    data: str
    sha256: str
    by_clip: dict[str, str]

    def with_one(self, clip: str, decision: str | None) -> Decisions:
        """With this decision about `clip`; None makes it undecided again."""
        others = {key: value for key, value in self.by_clip.items() if key != clip}
        return replace(self, by_clip=others if decision is None else {**others, clip: decision})

    def counts(self) -> dict[str, int]:
        """Number of clips kept, dropped and relabelled."""
        counted = Counter(decision.partition(":")[0] for decision in self.by_clip.values())
        return {decision: counted[decision] for decision in (KEEP, DROP, RELABEL)}

    @property
    def dropped(self) -> frozenset[str]:
        return frozenset(clip for clip, decision in self.by_clip.items() if decision == DROP)

    @property
    def relabelled(self) -> dict[str, str]:
        """The new label of each such clip."""
        return {clip: label for clip, decision in self.by_clip.items() if (label := label_of(decision)) is not None}


def is_decision(value: object) -> bool:
    """Whether `value` has one of FORMS; the label itself is not checked."""
    return isinstance(value, str) and (value in (KEEP, DROP) or bool(label_of(value)))


def label_of(decision: str) -> str | None:
    """The new label of a `relabel` decision; None for other decisions."""
    name, colon, label = decision.partition(":")
    return label if name == RELABEL and colon else None


def save(decisions: Decisions, path: Path) -> None:
    """Replace the file."""
    data = {"name": decisions.data, "sha256": decisions.sha256}
    write_json(path, {"kind": KIND, "version": VERSION, "data": data, "decisions": decisions.by_clip})


def load(path: Path) -> Decisions:
    """Read decisions. Raises ArtifactError for another kind of file, or for a decision that is not one of FORMS."""
    value = read_json(path, KIND, VERSION, "edgekws data clean writes it once you have decided on a clip")
    made, data = value.get("decisions"), value.get("data")
    if not isinstance(made, dict) or not isinstance(data, dict):
        raise ArtifactError(f"{path} should hold data and decisions", got=", ".join(sorted(value)))
    invalid = [f"{clip}: {decision}" for clip, decision in made.items() if not is_decision(decision)]
    if invalid:
        raise ArtifactError(f"{path} should say {FORMS} for each clip", got="; ".join(invalid[:_SHOWN]))
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
    return subset.write(replace(data, splits=splits), kept, out, summary(decided), progress)


def apply_to_listing(listing: Listing, decided: Decisions) -> Listing:
    """The listing without the dropped recordings and with the new labels, before decoding. Raises as `apply`."""
    decided = _of_parts(decided, listing)
    listed_ids = {item.id for items in listing.splits.values() for item in items}
    left_out = {each.file for each in listing.left_out}
    require_known(decided, listed_ids | listing.unused | left_out, listing.name)
    dropped = decided.dropped
    labels = {clip: _class_of(label, listing.labels) for clip, label in decided.relabelled.items()}
    splits = {
        name: tuple(replace(item, label=labels.get(item.id, item.label)) for item in items if item.id not in dropped)
        for name, items in listing.splits.items()
    }
    used = replace(
        decided, by_clip={clip: decision for clip, decision in decided.by_clip.items() if clip in listed_ids}
    )
    kept = tuple(each for each in listing.left_out if each.file not in dropped)
    changed = replace(listing, splits=splits, notes=(*listing.notes, summary(used)), left_out=kept)
    changed.check()
    return changed


def _of_parts(decided: Decisions, listing: Listing) -> Decisions:
    """A decision about a long recording is one about each clip that was cut from it."""
    by_clip = dict(decided.by_clip)
    for item in (item for items in listing.splits.values() for item in items if item.convert):
        whole = item.id.rpartition("@")[0]
        if whole in decided.by_clip:
            by_clip.setdefault(item.id, decided.by_clip[whole])
            by_clip.pop(whole, None)
    return replace(decided, by_clip=by_clip)


def summary(decided: Decisions) -> str:
    """How many clips the decisions change, for a data set's notes."""
    return f"{len(decided.dropped)} clips dropped by hand, {len(decided.relabelled)} relabelled"


def require_known(decided: Decisions, known: AbstractSet[str], name: str) -> None:
    """Raises DataError for dropped or relabelled clips that are not among `known`."""
    missing = sorted((decided.dropped | decided.relabelled.keys()) - known)
    if missing:
        raise DataError(
            f"every dropped or relabelled clip should be in {name}",
            got=f"{len(missing)} that are not, {', '.join(missing[:_SHOWN])}",
            hint="give the data that these decisions were made on",
        )


def _class_of(label: str, labels: Sequence[str]) -> str:
    """The class of a label: a word that is not a class of its own belongs to `_unknown_`, where there is one."""
    if label in labels:
        return label
    if UNKNOWN in labels:
        return UNKNOWN
    raise DataError(f"a new label should be one of {', '.join(labels)}", got=label)


def read_or_new(path: Path, name: str, sha256: str, ids: AbstractSet[str]) -> Decisions:
    """The decisions in `path`, or none yet; they stay valid when the clips are ranked again.

    ids: of the clips under review. Recordings may be repaired and added during a review, so decisions are kept as long
    as the data set has the same name and still has every decided clip. Raises ArtifactError otherwise.
    """
    if not path.exists():
        return Decisions(name, sha256, {})
    saved = load(path)
    if saved.sha256 != sha256 and (saved.data != name or not saved.by_clip.keys() <= ids):
        raise ArtifactError(
            f"{path} should be about these clips of {name}",
            got=f"decisions about {saved.data}, other splits of it, or an older state",
            hint="give another folder with --out, or move that file away",
        )
    return replace(saved, sha256=sha256)
