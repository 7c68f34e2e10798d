"""Whether the network of a report is any good: a verdict of its own beside that on the run.

A run is valid when its figures can be trusted; board and interpreter agree, and nothing was lost. That says nothing
about the network: one that guesses can be measured perfectly. This verdict is about the answers. Its levels, the worst
first, and what leads to them:

poor        the 95 % interval of the accuracy contains what guessing gives: one over the number of classes, or always
            answering the most frequent class
limited     a class is never right, silence or other words are taken for a word, there is no reject class, or less than
            CLOSED_TOP1 (what the closed division of MLPerf Tiny asks for) are right
uncertain   the interval is wider than 10 points, or the clips are examples that ship with a model
good        none of these
unknown     the run is not valid, or has no accuracy: there is nothing to judge by
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgekws import stats
from edgekws.data.labels import SILENCE, UNKNOWN, reject_note, words
from edgekws.mlperf import CLOSED_TOP1
from edgekws.types import Interval

Level = Literal["good", "uncertain", "limited", "poor", "unknown"]
Row = Mapping[str, Any]
WIDE = 0.1
"""An interval wider than this leaves open how good the network is."""
MOST_SILENCE, MOST_OTHER = 0.01, 0.1
"""Shares of `_silence_` and of `_unknown_` that may be taken for a word."""
FEW = 10
"""Fewer clips of a class say next to nothing: of 9 right ones the interval of the recall begins at 70 %."""
_LISTED = 4
EXAMPLES = "golden vectors"
"""How the name of a set of example clips begins."""
HEADS: dict[Level, str] = {
    "good": "GOOD",
    "uncertain": "UNCERTAIN",
    "limited": "LIMITED",
    "poor": "POOR",
    "unknown": "NOT JUDGED",
}


@dataclass(frozen=True)
class Quality:
    """The verdict. text: the accuracy in one line; remarks: what limits it, in sentences, the worst first."""

    level: Level
    text: str
    remarks: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The level in capitals."""
        return HEADS[self.level]

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        return f"{self.head}: {self.text}"

    def to_json(self) -> dict[str, Any]:
        return {"level": self.level, "text": self.text, "remarks": list(self.remarks)}


@dataclass(frozen=True)
class Answers:
    """Counts of an accuracy. table: [true][predicted] of clips; labels in its order."""

    labels: tuple[str, ...]
    table: Sequence[Sequence[int]]
    dataset: str

    @property
    def n(self) -> int:
        return sum(map(sum, self.table))

    @property
    def correct(self) -> int:
        return sum(self.table[at][at] for at in range(len(self.labels)))

    @property
    def rows(self) -> dict[str, int]:
        """Label -> number of its clips."""
        return dict(zip(self.labels, map(sum, self.table), strict=True))

    @property
    def interval(self) -> Interval:
        """95 % interval of the accuracy, 0..1."""
        return stats.wilson(self.correct, self.n)

    @property
    def width(self) -> float:
        return self.interval.high - self.interval.low

    @property
    def guessing(self) -> tuple[float, str]:
        """(accuracy, what to answer) of the better of two ways to guess."""
        rows = [sum(row) for row in self.table]
        most = max(rows) / self.n
        if most * len(self.labels) <= 1:
            return 1 / len(self.labels), "guessing at random"
        return most, f"always answering {self.labels[rows.index(max(rows))]}"

    @property
    def is_chance(self) -> bool:
        return self.interval.low <= self.guessing[0]

    @property
    def never_right(self) -> list[str]:
        return [label for at, label in enumerate(self.labels) if sum(self.table[at]) and not self.table[at][at]]

    @property
    def weakest(self) -> str:
        """The class with the lowest recall; "" when all are right."""
        rows = enumerate(self.table)
        recall, label = min((row[at] / sum(row), self.labels[at]) for at, row in rows if sum(row))
        return label if recall < 1 else ""

    def taken(self, label: str) -> tuple[int, int]:
        """(clips of `label` that were answered with a word, clips of `label`)."""
        if label not in self.labels:
            return 0, 0
        row = self.table[self.labels.index(label)]
        accepted = set(words(self.labels))
        return sum(count for name, count in zip(self.labels, row, strict=True) if name in accepted), sum(row)

    @property
    def is_examples(self) -> bool:
        return self.dataset.startswith(EXAMPLES)


def answers(document: Row) -> Answers | None:
    """The counts in a report or bench; None without labelled clips."""
    accuracy = document["accuracy"]
    if not accuracy or not accuracy["confusion"] or not any(map(any, accuracy["confusion"])):
        return None
    return Answers(tuple(document["graph"]["labels"]), accuracy["confusion"], accuracy["dataset"])


def judge(document: Row) -> Quality:
    """The verdict on the network of a report or bench in this version."""
    valid = document["verdict"]["valid"] if isinstance(document["verdict"], Mapping) else document["valid"]
    counts = answers(document)
    missing = reject_note(document["graph"]["labels"])
    note = (_sentence(missing),) if missing else ()
    if counts is None:
        return Quality("unknown", _why_unknown(document), note)
    right = _accuracy(counts)
    if valid is False:
        return Quality("unknown", f"the run is not valid; by its answers, {right}", note)
    if counts.is_chance:
        share, how = counts.guessing
        text = f"no better than guessing: {right}; {how} gives {_percent(share)}"
        return Quality("poor", text, (*_limits(counts), *note, *_doubts(counts)))
    limits, doubts = (*_limits(counts), *note), tuple(_doubts(counts))
    level: Level = "limited" if limits else "uncertain" if doubts else "good"
    return Quality(level, right, (*limits, *doubts))


def _why_unknown(document: Row) -> str:
    if not document["accuracy"]:
        return "this report has no accuracy"
    return "the clips have no labels, so nobody knows which answers are right"


def _accuracy(counts: Answers) -> str:
    low, high = (_percent(end) for end in (counts.interval.low, counts.interval.high))
    share = _percent(counts.correct / counts.n)
    return f"{share} of {counts.n:,} clips are right (95 % interval {low.removesuffix(' %')} to {high})"


def _limits(counts: Answers) -> Iterator[str]:
    """What is known to be wrong with the network."""
    if counts.never_right:
        yield f"Never right: {_some([f'{label} (0 of {counts.rows[label]:,})' for label in counts.never_right])}."
    for label, most, what in (
        (SILENCE, MOST_SILENCE, "Silence and noise are taken for a word"),
        (UNKNOWN, MOST_OTHER, "Other words are taken for one of its own"),
    ):
        hits, n = counts.taken(label)
        if n and hits / n > most:
            yield f"{what}: {hits:,} of {n:,} clips of {label} ({_percent(hits / n)}, more than {100 * most:g} %)."
    if counts.correct / counts.n < CLOSED_TOP1 / 100 and not counts.is_chance:
        yield f"Fewer than {CLOSED_TOP1:g} % are right, which is what the closed division of MLPerf Tiny asks for."


def _doubts(counts: Answers) -> Iterator[str]:
    """Why the accuracy says little."""
    if counts.is_examples:
        yield "These clips are examples that ship with the model, and no test set: other recordings may give less."
    empty = [label for label, n in counts.rows.items() if not n]
    few = [f"{label} ({n})" for label, n in counts.rows.items() if 0 < n < FEW]
    if empty:
        yield f"No clips of {_some(empty)}: nothing is known about {'it' if len(empty) == 1 else 'them'}."
    if few:
        yield f"Fewer than {FEW} clips of {_some(few)}: too few to know a recall."
    if counts.width > WIDE:
        yield f"Few clips: the interval is {100 * counts.width:.0f} points wide, so smaller differences mean nothing."


def _some(names: Sequence[str]) -> str:
    """The names, cut after _LISTED of them."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
