"""What a finished training means: its accuracy with an interval, and in words what there is to doubt. NumPy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.data.dataset import Dataset
from edgekws.data.labels import REJECT, reject_note
from edgekws.stats import Recall, confusion, recalls, wilson
from edgekws.types import Interval

_WIDE = 0.10
"""An interval that is wider does not tell a good network from a fair one."""
_FEW_RECORDINGS, _FEW_SPEAKERS = 20, 3
_OVERFIT = 0.10
"""Training accuracy above validation accuracy by more than this, beyond both intervals."""
_STILL_FALLING = 0.02
"""The relative fall of the validation loss over the last tenth of the epochs."""
_NAMED = 5
"""Classes named in one warning; the rest are counted."""


@dataclass(frozen=True)
class Share:
    """hits of n clips, and the 95 % Wilson interval of the proportion."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.hits, self.n)

    def text(self) -> str:
        """Like "93.1 % of 1,020 validation clips (95 % interval 91.4 to 94.5 %)" without the name of the clips."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        return f"{100 * self.value:.1f} % of {self.n:,} clips (95 % interval {low:.1f} to {high:.1f} %)"


@dataclass(frozen=True)
class Verdict:
    """validation, training: clips that the best checkpoint gets right, without augmentation.

    best, epochs: the epoch of that checkpoint and the last one, from 1; early: it ended for want of a better loss;
    recalls: of each class on validation; warnings: sentences, the gravest first.
    """

    validation: Share
    training: Share
    best: int
    epochs: int
    early: bool
    recalls: tuple[Recall, ...]
    warnings: tuple[str, ...]


def judge(
    data: Dataset,
    validation: np.ndarray,
    training: tuple[np.ndarray, np.ndarray],
    rows: Sequence[Mapping[str, float]],
    best: int,
    early: bool,
) -> Verdict:
    """The verdict on a training.

    validation: class that the network answers for each validation clip, int [n]; training: (answers, truth) for some
    training clips without augmentation, int [m] each; rows: of log.csv; best: the epoch of the checkpoint, from 1.
    """
    truth = np.asarray(data.splits["validation"].labels)
    table = confusion(truth, validation, len(data.labels))
    right = Share(int(np.trace(table)), len(truth))
    learned = Share(int((training[0] == training[1]).sum()), len(training[0]))
    by_class = recalls(table, data.labels)
    warnings = (
        *_chance(table, right, data.labels),
        *_never_right(by_class),
        *_few_clips(right),
        *_small_classes(data),
        *_overfit(learned, right),
        *_still_falling(rows, best, early),
        *filter(None, [reject_note(data.labels)]),
    )
    return Verdict(right, learned, best, len(rows), early, by_class, warnings)


def _chance(table: np.ndarray, right: Share, labels: tuple[str, ...]) -> list[str]:
    """Whether the network answers better than one that always says the most frequent class."""
    counts = table.sum(axis=1)
    if not right.n or len(labels) < 2:
        return []
    largest = int(counts.argmax())
    share = counts[largest] / right.n
    if right.interval.low > share:
        return []
    return [
        f"the network is not clearly better than chance: to answer {labels[largest]} always would be right in "
        f"{100 * share:.0f} % of the validation clips"
    ]


def _never_right(by_class: Sequence[Recall]) -> list[str]:
    wrong = [f"{row.label} (0 of {row.n})" for row in by_class if row.n and not row.hits]
    return [f"never right: {_listed(wrong)}"] if wrong else []


def _few_clips(right: Share) -> list[str]:
    low, high = right.interval.low, right.interval.high
    if high - low <= _WIDE:
        return []
    return [
        f"{right.n} validation clips: an accuracy of {100 * right.value:.0f} % may be anything from "
        f"{100 * low:.0f} to {100 * high:.0f} %; record more"
    ]


def _small_classes(data: Dataset) -> list[str]:
    """Words with few training recordings or few speakers; a speaker's name may be unknown."""
    split, told = data.splits["train"], []
    counts = np.bincount(split.labels, minlength=len(data.labels))
    speakers = Counter(label for label, _ in {*zip(split.labels.tolist(), split.speakers, strict=True)})
    for number, label in enumerate(data.labels):
        few = counts[number] < _FEW_RECORDINGS or speakers[number] < _FEW_SPEAKERS
        if few and label not in REJECT:
            recorded, heard = _counted(counts[number], "recording"), _counted(speakers[number], "speaker")
            told.append(f"{label} has {recorded} by {heard}")
    return [f"little to learn from: {_listed(told)}; more speakers help most"] if told else []


def _overfit(learned: Share, right: Share) -> list[str]:
    if learned.value - right.value <= _OVERFIT or learned.interval.low <= right.interval.high:
        return []
    return [
        f"overfitted: {100 * learned.value:.0f} % of the training clips are right, and {100 * right.value:.0f} % of "
        "the validation clips; more recordings, more augmentation or a smaller network help"
    ]


def _still_falling(rows: Sequence[Mapping[str, float]], best: int, early: bool) -> list[str]:
    if early or len(rows) < 2 or best != len(rows):
        return []
    before = rows[-1 - max(1, len(rows) // 10)]["validation_loss"]
    last = rows[-1]["validation_loss"]
    if last > (1 - _STILL_FALLING) * before:
        return []
    return [
        f"the validation loss was still falling at the end ({before:.3f} to {last:.3f}): raise --epochs, "
        "the training goes on from here"
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - _NAMED
    return ", ".join(parts[:_NAMED]) + (f" and {more} more" if more > 0 else "")
