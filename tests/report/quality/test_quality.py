"""The verdict on a network: what its answers say, apart from whether the run is valid."""

from __future__ import annotations

import pytest

from edgekws.report import build_report
from edgekws.report.html import to_html
from edgekws.report.markdown import to_markdown
from edgekws.report.quality import advice, judge
from tests.report.documents import Page, bench_document

LABELS = ["yes", "no", "_silence_", "_unknown_"]
GOOD = [[99, 1, 0, 0], [0, 99, 0, 1], [0, 0, 100, 0], [1, 1, 0, 98]]


def document(table, labels=LABELS, dataset="words test", **changes):
    """A report with this confusion table, as far as a verdict reads it."""
    accuracy = {"confusion": table, "dataset": dataset, "n": sum(map(sum, table))}
    return {
        "verdict": {"valid": True}, "incomplete": "", "accuracy": accuracy, "graph": {"labels": labels},
        "board": {"name": "b1"}, "provenance": {"model": "work/my words/model"}, **changes,
    }  # fmt: skip


def commands(report):
    return [step.command for step in advice.steps(report)]


def test_a_good_network_is_called_good_and_can_be_tried():
    report = document(GOOD)
    assert judge(report).headline == "GOOD: 99.0 % of 400 clips are right (95 % interval 97.5 to 99.6 %)"
    assert judge(report).remarks == ()
    assert "edgekws predict 'work/my words/model' RECORDING.wav" in commands({**report, "accuracy": report["accuracy"]})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[25, 25, 25, 25]] * 4, "guessing at random gives 25.0 %"),
        ([[0, 0, 0, 20], [0, 0, 0, 20], [0, 0, 0, 20], [0, 0, 0, 300]], "always answering _unknown_ gives 83.3 %"),
        ([[2, 1, 0, 0], [1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], "guess"),
    ],
)
def test_guessing_is_poor_however_it_is_done(table, words):
    quality = judge(document(table))
    assert quality.level == "poor" and "no better than guessing" in quality.text
    assert words in quality.text or words == "guess"


def test_each_limit_is_said_in_words():
    table = [[90, 10, 0, 0], [0, 0, 100, 0], [3, 0, 97, 0], [20, 0, 0, 80]]
    quality = judge(document(table))
    never, silence, other, few = quality.remarks
    assert quality.level == "limited" and "Never right: no (0 of 100)" in never
    assert "Silence and noise are taken for a word: 3 of 100" in silence and "20 of 100 clips of _unknown_" in other
    assert "Fewer than 90 %" in few
    assert commands(document(table))[0] == "edgekws data record --words no --out RECORDINGS"


def test_a_missing_reject_class_limits_the_best_network():
    quality = judge(document([[100, 0], [0, 100]], ["yes", "no"]))
    assert quality.level == "limited" and "has no _silence_ and no _unknown_" in quality.remarks[0]
    assert "data prepare" in advice.steps(document([[100, 0], [0, 100]], ["yes", "no"]))[0].text


def test_few_clips_and_examples_leave_it_open():
    few = [[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0], [0, 0, 1, 9]]
    quality = judge(document(few))
    assert quality.level == "uncertain" and "12 points wide" in quality.remarks[0]
    examples = judge(document(GOOD, dataset="golden vectors of x"))
    assert examples.level == "uncertain" and "no test set" in examples.remarks[0]
    assert commands(document(GOOD, dataset="golden vectors of x"))[0].startswith("edgekws evaluate")


def test_classes_without_clips_are_named():
    quality = judge(document([[100, 0, 0, 0], [0, 100, 0, 0], [0, 0, 0, 0], [0, 0, 0, 100]]))
    assert quality.level == "uncertain" and quality.remarks == ("No clips of _silence_: nothing is known about it.",)


def test_a_word_with_a_handful_of_clips_is_named_however_many_the_others_have():
    report = document([[6, 0, 0, 0], [0, 1, 0, 0], [0, 0, 200, 0], [0, 0, 0, 200]])
    quality = judge(report)
    assert quality.level == "uncertain" and quality.remarks == (
        "Fewer than 10 clips of yes (6), no (1): too few to know a recall.",
    )
    assert commands(report) == ["edgekws data record --words yes,no --out RECORDINGS"]


def test_an_invalid_run_says_nothing_about_the_network():
    report = document(GOOD, verdict={"valid": False})
    assert judge(report).level == "unknown" and "99.0 % of 400" in judge(report).text
    assert commands(report) == ["edgekws bench --board b1 --out 'work/my words/model'"]


@pytest.mark.parametrize(
    "accuracy", [None, {"confusion": [], "dataset": "x", "n": 3}, {"confusion": [[0]], "dataset": "x"}]
)
def test_without_labelled_clips_nothing_is_judged(accuracy):
    report = document(GOOD, accuracy=accuracy)
    assert judge(report).level == "unknown" and len(advice.steps(report)) == 1


def test_a_network_that_guesses_gets_no_green_tick(graph):
    classes = len(graph.labels)
    accuracy = {
        **bench_document(graph)["accuracy"],
        "confusion": [[1] * classes] * classes,
        "n": classes**2,
        "correct": classes,
    }
    report = build_report("Run", graph, bench_document(graph, accuracy=accuracy)).to_json()
    page, markdown = to_html(report), to_markdown(report)
    assert "✓" not in page and "banner quality poor" in page and "banner quality good" not in page
    assert "✗ POOR no better than guessing: 8.3 % of 144" in Page(page).text
    assert "**POOR: no better than guessing" in markdown and "**VALID: board equals" in markdown


def test_both_verdicts_and_the_next_step_come_before_the_figures(graph):
    report = build_report("Run", graph, bench_document(graph)).to_json()
    words = Page(to_html(report)).text
    places = [words.index(part) for part in ("measurement valid?", "network good?", "What next?", "Key figures")]
    assert places == sorted(places) and "edgekws evaluate MODEL RECORDINGS" in words
