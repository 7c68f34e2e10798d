"""What figures mean, in words."""

from __future__ import annotations

import numpy as np

from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.evaluation import figures, texts
from edgekws.evaluation.figures import Evaluation

LABELS = ("yes", "no", SILENCE, UNKNOWN)


def result(answers: dict[tuple[int, int], int], confidence: float = 0.7) -> Evaluation:
    """answers: (true, answer) -> clips."""
    pairs = np.array([pair for pair, count in answers.items() for _ in range(count)])
    probabilities = np.full((len(pairs), 4), (1 - confidence) / 3)
    probabilities[np.arange(len(pairs)), pairs[:, 1]] = confidence
    return figures.evaluate(probabilities, pairs[:, 0], LABELS)


def test_a_good_result_needs_no_words() -> None:
    good = result({(label, label): 200 for label in range(4)})
    assert list(texts.findings(good)) == []
    assert texts.percent(good.accuracy) == "100.0 % (99.5 to 100.0)" and texts.short(good.accuracy) == "100.0 (100-100)"
    assert texts.threshold_advice(good).startswith("no threshold is needed: at most 1 % of silence")


def test_chance_few_clips_and_words_that_are_never_right() -> None:
    findings = "; ".join(texts.findings(result({(0, 1): 10, (1, 1): 10})))
    assert "not above chance: always answering one label gives 50.0 %" in findings
    assert "20 clips are few: the interval of the accuracy is 40 points wide" in findings
    assert "never right: yes" in findings


def test_few_clips_of_words_among_many_others() -> None:
    findings = list(texts.findings(result({(0, 0): 6, (1, 1): 6, (3, 3): 400})))
    assert findings == ["12 clips of words are few: the interval of their recall is 24 points wide"]


def test_silence_taken_for_a_word() -> None:
    findings = list(texts.findings(result({(0, 0): 200, (1, 1): 200, (2, 2): 90, (2, 1): 10})))
    assert findings == [f"{SILENCE} is taken for a word: 10 of 100 clips, no most often"]


def test_advice_names_the_limits() -> None:
    bad = result({(0, 0): 200, (1, 1): 200, (2, 1): 10, (3, 1): 10})
    assert bad.suggested is None  # only a threshold that rejects all words would do
    assert texts.threshold_advice(bad).endswith("other words accepted, and 50 % of the words recognized")
    nothing = result({(0, 0): 50, (1, 1): 50})
    assert "no clips of silence or of other words" in texts.threshold_advice(nothing)
    assert "judged without silence" in texts.threshold_advice(result({(0, 0): 50, (1, 1): 50, (3, 3): 50}))
    certain = result({(0, 0): 50, (3, 0): 50}, confidence=0.999)
    assert texts.threshold_advice(certain).startswith("no threshold is suggested: none has at most 1 %")
