"""The ranking of possible faults, worst first; a file that the page and scripts read.

    edgekws-clean 1: data {name, sha256}, probe, clips, found {reason: clips}, noise (estimated share of wrong labels),
    ranking [{id, split, label, score, reasons [{reason, score, detail}], suggested}]

A clip's score is that of its strongest reason; unreadable recordings come first. Clips without a reason follow by the
confidence that their label is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate.clean import duplicates, embeddings, faults, labels, probe
from edgekws.curate.clean.clips import UNREADABLE, Clips, Unreadable, require, shown
from edgekws.curate.clean.probe import ProbePlan
from edgekws.data.labels import SILENCE
from edgekws.errors import ArtifactError, DataError
from edgekws.files import read_json, write_json
from edgekws.types import Progress

KIND, VERSION = "edgekws-clean", 1
REASONS = (UNREADABLE, labels.WRONG_LABEL, faults.SILENT, faults.CLIPPED, faults.CUT_OFF, duplicates.DUPLICATE)
_UNFLAGGED = 0.9
"""Weight of the label score of clips that confident learning did not flag."""


@dataclass(frozen=True)
class Reason:
    """reason: one of REASONS; score: 0..1, a confidence; detail: text."""

    reason: str
    score: float
    detail: str


@dataclass(frozen=True)
class Entry:
    """One clip of the ranking. suggested: a more likely label, or ""."""

    id: str
    split: str
    label: str
    score: float
    reasons: tuple[Reason, ...]
    suggested: str = ""


@dataclass(frozen=True)
class Ranking:
    """entries: worst first, every clip once."""

    data: str
    sha256: str
    plan: ProbePlan
    noise: float
    entries: tuple[Entry, ...]

    def counts(self) -> dict[str, int]:
        """Number of clips with each reason."""
        counts = Counter(reason.reason for entry in self.entries for reason in entry.reasons)
        return {reason: counts[reason] for reason in REASONS}

    def caveat(self) -> str:
        """What to know about label errors among so few clips; "" when there are enough."""
        number = clips_a_word(entry.label for entry in self.entries)
        if number >= probe.FEW_CLIPS:
            return ""
        return (
            f"{number:.0f} clips a word are too few to judge labels (below {probe.FEW_CLIPS}): a probe that learned "
            f"from them is itself often wrong. The scores assume that {labels.TYPICAL_NOISE:.1%} of labels are wrong, "
            "as is usual; listen before you drop a clip"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "version": VERSION,
            "data": {"name": self.data, "sha256": self.sha256},
            "probe": asdict(self.plan),
            "clips": len(self.entries),
            "noise": self.noise,
            "found": self.counts(),
            "ranking": [asdict(entry) for entry in self.entries],
        }


def rank(clips: Clips, plan: ProbePlan, progress: Progress) -> Ranking:
    """Check every clip. Raises DataError when there are too few to check labels."""
    require(clips)
    made = probe.spectra(clips, progress)
    probabilities = _probabilities(clips, made, plan, progress)
    issues = labels.find_issues(probabilities, clips.labels)
    if clips_a_word(clips.labels.tolist()) < probe.FEW_CLIPS:
        issues = labels.weighed(issues, len(clips.words))
    reasons = _reasons(clips, made, issues, progress)
    scores = np.where(issues.flagged, issues.score, _UNFLAGGED * issues.score)
    for number, own in reasons.items():
        scores[number] = max(scores[number], *(reason.score for reason in own))
    order = np.argsort(-scores, kind="stable")
    entries = [_entry(clips, int(n), float(scores[n]), reasons.get(int(n), []), issues) for n in order]
    first = map(_unreadable, sorted(clips.unreadable, key=lambda each: each.id))
    return Ranking(clips.name, clips.sha256, plan, issues.noise, (*first, *entries))


def clips_a_word(words: Iterable[object]) -> float:
    """Clips of a word, on average. words: that of each clip."""
    counts = Counter(words)
    return sum(counts.values()) / max(1, len(counts))


def _probabilities(clips: Clips, made: np.ndarray, plan: ProbePlan, progress: Progress) -> np.ndarray:
    """float64 [n, classes]: out-of-fold probabilities."""
    vectors = made if plan.embedding == probe.STATISTICS else embeddings.of(clips, plan.embedding, progress)
    try:
        return probe.probabilities(vectors, clips.labels, len(clips.words), plan, progress)
    except DataError as error:
        if not clips.unreadable:
            raise
        got = f"{error.got}, and {len(clips.unreadable)} unreadable recordings ({shown(clips)})"
        raise DataError(error.expected, got=got, hint="repair these first") from error


def _unreadable(recording: Unreadable) -> Entry:
    return Entry(recording.id, "", recording.label, 1.0, (Reason(UNREADABLE, 1.0, recording.why),))


def _reasons(clips: Clips, made: np.ndarray, issues: labels.LabelIssues, progress: Progress) -> dict[int, list[Reason]]:
    reasons: dict[int, list[Reason]] = defaultdict(list)
    for number in np.flatnonzero(issues.flagged).tolist():
        likely = clips.words[issues.suggested[number]]
        reasons[number].append(Reason(labels.WRONG_LABEL, float(issues.score[number]), f"sounds like {likely}"))
    speech = np.array([clips.words[label] != SILENCE for label in clips.labels])
    for fault in faults.find(clips, progress):
        reasons[fault.number].append(Reason(fault.reason, fault.score, fault.detail))
        speech[fault.number] &= fault.reason != faults.SILENT
    for pair in duplicates.find(clips, made, speech):
        reason = Reason(duplicates.DUPLICATE, duplicates.score(clips, pair), duplicates.detail(clips, pair))
        reasons[pair.number].append(reason)
    return reasons


def _entry(clips: Clips, number: int, score: float, reasons: list[Reason], issues: labels.LabelIssues) -> Entry:
    worst_first = tuple(sorted(reasons, key=lambda reason: -reason.score))
    suggested = clips.words[issues.suggested[number]] if issues.flagged[number] else ""
    label = clips.words[clips.labels[number]]
    return Entry(clips.ids[number], clips.splits[number], label, score, worst_first, suggested)


def save(ranking: Ranking, path: Path) -> None:
    write_json(path, ranking.to_json())


def load(path: Path) -> Ranking:
    """Raises ArtifactError for another kind of file and for missing fields."""
    value = read_json(path, KIND, VERSION)
    try:
        entries = tuple(
            Entry(**{**entry, "reasons": tuple(Reason(**reason) for reason in entry["reasons"])})
            for entry in value["ranking"]
        )
        data, plan = value["data"], ProbePlan(**value["probe"])
        return Ranking(data["name"], data["sha256"], plan, value["noise"], entries)
    except (KeyError, TypeError) as error:
        hint = "remove it; data clean makes it again"
        raise ArtifactError(f"{path} should be a ranking of clips", got=f"{error!r}", hint=hint) from error
