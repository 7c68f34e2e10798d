"""What follows from the answers to single clips: what each threshold lets pass, and the surest wrong answers.

`edgekws bench` adds it to the accuracy of its documents: quality, thresholds, wrong. Older documents have none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edgekws.evaluation.figures import evaluate, mistakes
from edgekws.report.quality import judge

WRONG_SHOWN = 20
KEYS = ("quality", "thresholds", "wrong")
Row = dict[str, Any]


def added(bench: Row, answers: Sequence[Mapping[str, Any]]) -> Row:
    """The `edgekws-bench` document with these details in its accuracy; without labelled clips it stays as it is."""
    accuracy = bench["accuracy"]
    if not accuracy or accuracy["correct"] is None or not answers:
        return bench
    return {**bench, "accuracy": {**accuracy, **of(bench, answers)}}


def of(bench: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Row:
    """The details of labelled answers, by KEYS.

    thresholds: of each the shares recall, wrong (word clips), silence and other that pass; empty when a device printed
    no probability. wrong: file, class, predicted and permille (of the prediction), the surest first.
    """
    labels = bench["graph"]["labels"]
    truth = np.array([answer["class"] for answer in answers], np.int64)
    permille = np.array([answer["permille"] for answer in answers], np.float64)
    totals = permille.sum(axis=1, keepdims=True)
    points = evaluate(permille / totals, truth, labels).thresholds if totals.all() else ()
    return {
        "quality": judge(bench).to_json(),
        "thresholds": [asdict(point) for point in points],
        "wrong": _wrong(answers, truth, permille),
    }


def _wrong(answers: Sequence[Mapping[str, Any]], truth: np.ndarray, permille: np.ndarray) -> list[Row]:
    """By the scores, where the device says them: they decide what the printed thousandths leave equal."""
    predicted = np.array([int(np.argmax(answer.get("scores") or answer["permille"])) for answer in answers])
    sure = np.where(np.arange(permille.shape[1]) == predicted[:, None], permille + 0.5, permille)
    return [
        {
            "file": answers[at]["file"],
            "class": int(truth[at]),
            "predicted": int(predicted[at]),
            "permille": int(permille[at, predicted[at]]),
        }
        for at in mistakes(sure, truth)[:WRONG_SHOWN].tolist()
    ]
