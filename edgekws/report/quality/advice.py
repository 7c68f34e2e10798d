"""What to do next with a network, after its report: at most two steps, each with a command to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from edgekws.data.labels import REJECT
from edgekws.report.quality import FEW, Answers, answers, judge

Row = Mapping[str, Any]
_STEPS = 2
_Z2 = 3.8415
"""Square of the two-sided 95 % point of the normal distribution."""


@dataclass(frozen=True)
class Step:
    """text: one or two sentences. command: ready to paste, but for words in capitals; "" for none."""

    text: str
    command: str = ""


def steps(report: Row) -> list[Step]:
    """The most useful steps after a report, the first one first; no command twice."""
    first: dict[str, Step] = {}
    for step in _steps(report):
        first.setdefault(step.command or step.text, step)
    return list(islice(first.values(), _STEPS))


def _steps(report: Row) -> Iterator[Step]:
    if report["incomplete"] or report["verdict"]["valid"] is False:
        yield Step(
            "No figure counts before the run is valid. Remove the reasons above, then measure again:", _bench(report)
        )
        return
    counts = answers(report)
    if counts is None:
        yield from _without_accuracy(report)
        return
    level = judge(report).level
    if level == "poor":
        yield Step(
            "The network has not learned its words. Look at its training curves and at the labels of its recordings, "
            "then train it longer or with more recordings:",
            f"edgekws train --out {_model(report)}",
        )
    yield from _about_clips(report, counts)
    if level == "good":
        yield Step("Try it on a recording of yours:", f"edgekws predict {_model(report)} RECORDING.wav")
        yield Step("Judge it, and choose a threshold, on recordings from where it will be used:", _evaluate(report))


def _without_accuracy(report: Row) -> Iterator[Step]:
    if not report["board"]:
        yield Step(
            "Measure it on a board, or on an emulated one:", f"edgekws bench --board qemu-an386 --out {_model(report)}"
        )
    elif not report["accuracy"]:
        yield Step("The accuracy is not known. Measure it, too:", f"{_bench(report)} --mode accuracy")
    else:
        yield Step("Judge the network on clips with labels, a folder of recordings for each word:", _evaluate(report))


def _about_clips(report: Row, counts: Answers) -> Iterator[Step]:
    """Steps for what limits the network, or the judgement of it."""
    if counts.is_examples:
        yield Step("Judge it on recordings that it has never seen, a folder for each word:", _evaluate(report))
    never = [label for label in counts.never_right if label not in REJECT] * (not counts.is_chance)
    weakest = counts.weakest
    if never:
        yield Step(f"Record more of {_listed(never)}, prepare the data again and train again:", _record(never))
    if not set(REJECT) <= set(counts.labels):
        yield Step(
            "Give it a reject class: `edgekws data prepare` makes one of noise and other words by default. Then train "
            "again."
        )
    if any(hits for hits, _ in map(counts.taken, REJECT)):
        yield Step(
            "Choose a threshold: it refuses answers that are not sure, at the cost of some words. The table says what "
            "each threshold lets pass:",
            _evaluate(report),
        )
    if counts.width > 0.1 and not counts.is_examples:
        yield Step(
            f"Judge it on more clips: about {_needed(counts):,} narrow the interval to 10 points.", _evaluate(report)
        )
    few = [label for label, n in counts.rows.items() if n < FEW and label not in REJECT]
    if few and not counts.is_examples:
        yield Step(f"Record more of {_listed(few)}, to train with and to judge by:", _record(few))
    if weakest and weakest not in REJECT and not never and not counts.is_chance:
        yield Step(
            f"The weakest word is {weakest}: record more of it, from other speakers, and train again:",
            _record([weakest]),
        )


def _needed(counts: Answers) -> int:
    """Clips for an interval of 10 points at this accuracy, to two digits, rounded up; the worst case is 390."""
    share = (counts.correct + 2) / (counts.n + 4)
    n = share * (1 - share) * _Z2 / 0.05**2
    return max(50, -(-int(n) // 10) * 10)


def _listed(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _model(report: Row) -> str:
    return shlex.quote((report["provenance"] or {}).get("model", "")) if _known(report) else "MODEL"


def _known(report: Row) -> bool:
    return bool((report["provenance"] or {}).get("model"))


def _bench(report: Row) -> str:
    return f"edgekws bench --board {report['board']['name']} --out {_model(report)}"


def _evaluate(report: Row) -> str:
    return f"edgekws evaluate {_model(report)} RECORDINGS"


def _record(labels: list[str]) -> str:
    return f"edgekws data record --words {shlex.quote(','.join(labels))} --out RECORDINGS"
