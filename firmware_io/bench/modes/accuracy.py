"""Accuracy mode: every clip is sent to the device and its answer compared with the interpreter's, bit for bit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws import stats
from edgekws.graph import interp
from edgekws.mlperf import kws01
from firmware_io.bench.modes import Setup, Vectors
from firmware_io.bench.modes._clip import classify
from firmware_io.protocol.session import Answer

ORDER = 2
SHOWN_MISMATCHES = 10


@dataclass(frozen=True)
class Mismatch:
    """One clip on which board and interpreter differ."""

    clip: str
    compared: str
    expected: tuple[int, ...]
    got: tuple[int, ...]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of `n` clips. matches: clips whose answers equal the interpreter's.

    compared: "scores" (int8), or "permille" (printed probabilities) when the device has no `raw`. text_matches: clips
    whose printed probabilities are right. mismatches: the first SHOWN_MISMATCHES. resent: inputs that were sent again.
    host_s: duration on this computer. correct, confusion [labels, labels], recalls, macro_auc: None or empty when the
    labels are not known. files: what is proved of clips that are named as MLPerf Tiny's; None for others.
    """

    dataset: str
    n: int
    compared: str
    matches: int
    text_matches: int
    mismatches: tuple[Mismatch, ...]
    resent: int
    host_s: float
    correct: int | None
    confusion: tuple[tuple[int, ...], ...]
    recalls: tuple[stats.Recall, ...]
    macro_auc: float | None
    files: kws01.Standing | None = None


@dataclass(frozen=True)
class ClipAnswer:
    """The probabilities in thousandths that the device printed for one clip. label: the true one, None if unknown.

    scores: int8, None when the device has no `raw`. equal: whether the answer is the interpreter's.
    """

    clip: str
    label: int | None
    permille: tuple[int, ...]
    scores: tuple[int, ...] | None
    equal: bool


def window_answer(setup: Setup, index: int, permille: tuple[int, ...]) -> ClipAnswer:
    """The answer to the clip with this index at the end of a window, where the device prints no scores."""
    label = None if setup.vectors.labels is None else int(setup.vectors.labels[index])
    return ClipAnswer(setup.vectors.ids[index], label, permille, None, permille == setup.expected(index)[1])


class Runner:
    """Accuracy mode on one device: `measure`, then `section` and `answers`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._answers: list[Answer] = []
        self._comparison: tuple[np.ndarray, list[Mismatch | None]] | None = None
        self._host_s = 0.0

    def measure(self) -> None:
        """Send every clip. Raises BoardError or ProtocolError, with the clip's name, when the device fails."""
        report, total = self._setup.report, len(self._setup.vectors.features)
        start = time.monotonic()
        for index in range(total):
            report("accuracy", index, total)
            self._answers.append(classify(self._setup, index))
            self._host_s = time.monotonic() - start
        report("accuracy", total, total)

    def answers(self) -> tuple[ClipAnswer, ...]:
        """The answers so far, in the order of the clips."""
        ids, labels = self._setup.vectors.ids, self._setup.vectors.labels
        return tuple(
            ClipAnswer(
                ids[index],
                None if labels is None else int(labels[index]),
                answer.permille,
                answer.scores,
                mismatch is None,
            )
            for index, (answer, mismatch) in enumerate(zip(self._answers, self._compared()[1], strict=True))
        )

    def section(self) -> Accuracy | None:
        """The section of the clips answered so far; None when there are none."""
        setup, answers = self._setup, self._answers
        n = len(answers)
        if n == 0:
            return None
        labels = setup.vectors.labels
        texts, compared = self._compared()
        mismatches = [mismatch for mismatch in compared if mismatch is not None]
        pairs = zip(answers, texts.tolist(), strict=True)
        files = _official(setup.vectors, n)
        return Accuracy(
            dataset=files.title if files else setup.vectors.dataset,
            n=n,
            compared="scores" if setup.session.has_raw else "permille",
            matches=n - len(mismatches),
            text_matches=sum(answer.permille == tuple(text) for answer, text in pairs),
            mismatches=tuple(mismatches[:SHOWN_MISMATCHES]),
            resent=sum(answer.loads - 1 for answer in answers),
            host_s=self._host_s,
            files=files,
            **_against_labels(setup.graph.labels, None if labels is None else labels[:n], answers),
        )

    def _compared(self) -> tuple[np.ndarray, list[Mismatch | None]]:
        """The interpreter's probabilities in thousandths, and for each answer how it differs, if it does."""
        n, setup = len(self._answers), self._setup
        if self._comparison is None or len(self._comparison[1]) != n:
            expected = interp.run(setup.graph, setup.vectors.features[:n])
            texts = setup.graph.permille(expected)
            rows = zip(setup.vectors.ids, self._answers, expected.tolist(), texts.tolist(), strict=False)
            self._comparison = texts, [_mismatch(*row) for row in rows]
        return self._comparison


def _official(vectors: Vectors, n: int) -> kws01.Standing | None:
    """What is proved of the first `n` clips; None if they are not named as MLPerf Tiny's."""
    ids, labels = vectors.ids[:n], vectors.labels
    if not kws01.is_meant(ids):
        return None
    contents = [clip.tobytes() for clip in vectors.features[:n]]
    return kws01.standing(ids, None if labels is None else labels[:n].tolist(), contents)


def _mismatch(clip: str, answer: Answer, scores: list[int], text: list[int]) -> Mismatch | None:
    """How the answer differs, by the strictest comparison that the device allows: scores, else probabilities."""
    if answer.scores is not None and answer.scores != tuple(scores):
        return Mismatch(clip, "scores", tuple(scores), answer.scores)
    if answer.scores is None and answer.permille != tuple(text):
        return Mismatch(clip, "permille", tuple(text), answer.permille)
    return None


def _against_labels(names: tuple[str, ...], labels: np.ndarray | None, answers: list[Answer]) -> dict[str, Any]:
    if labels is None:
        return {"correct": None, "confusion": (), "recalls": (), "macro_auc": None}
    predicted = np.array([np.argmax(answer.scores or answer.permille) for answer in answers])  # the first of a tie
    table = stats.confusion(labels, predicted, len(names))
    probabilities = np.array([answer.permille for answer in answers])
    return {
        "correct": int(np.trace(table)),
        "confusion": tuple(map(tuple, table.tolist())),
        "recalls": stats.recalls(table, names),
        "macro_auc": stats.macro_auc(labels, probabilities),
    }
