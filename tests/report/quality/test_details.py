"""What follows from the answers to single clips: thresholds and wrong answers, in the documents and on the page."""

from __future__ import annotations

import pytest

from edgekws.report import build_report, document
from edgekws.report.bundle import figures
from edgekws.report.html import to_html
from edgekws.report.quality import details
from tests.report.documents import Page, bench_document


def row(name, true, predicted, permille, labels=12, scores=None):
    values = [(1000 - permille) // (labels - 1)] * labels
    values[predicted] = permille
    return {"file": name, "class": true, "permille": values, "scores": scores, "equal": True}


@pytest.fixture
def bench(graph):
    """A bench of six answers: three wrong, one of them very sure."""
    answers = [
        row("down/a.wav", 0, 0, 990),
        row("down/b.wav", 0, 1, 500),
        row("go/a.wav", 1, 0, 960),
        row("go/b.wav", 1, 1, 700),
        row("up/a.wav", 2, 2, 800),
        row("up/b.wav", 2, 0, 300),
    ]
    table = [[0] * 12 for _ in range(12)]
    for answer in answers:
        table[answer["class"]][max(range(12), key=answer["permille"].__getitem__)] += 1
    section = bench_document(graph)["accuracy"]
    accuracy = {**section, "n": 6, "matches": 6, "correct": 3, "confusion": table}
    return details.added(bench_document(graph, accuracy=accuracy), answers), answers


def test_the_surest_wrong_answer_is_the_first(bench):
    wrong = bench[0]["accuracy"]["wrong"]
    assert [(clip["file"], clip["permille"]) for clip in wrong] == [
        ("go/a.wav", 960),
        ("down/b.wav", 500),
        ("up/b.wav", 300),
    ]
    assert wrong[0]["class"] == 1 and wrong[0]["predicted"] == 0


def test_scores_decide_where_the_printed_thousandths_are_equal(bench):
    tie = {"file": "go/t.wav", "class": 1, "permille": [500, 500, *[0] * 10], "scores": [3, 4, *[0] * 10]}
    names = [clip["file"] for clip in details.of(bench[0], [*bench[1], tie])["wrong"]]
    assert "go/t.wav" not in names
    other = {**tie, "scores": [4, 3, *[0] * 10]}
    assert "go/t.wav" in [clip["file"] for clip in details.of(bench[0], [*bench[1], other])["wrong"]]


def test_a_higher_threshold_lets_less_pass(bench):
    points = bench[0]["accuracy"]["thresholds"]
    hits = [point["recall"]["hits"] for point in points]
    assert hits[0] == 3 and hits == sorted(hits, reverse=True) and hits[-1] == 1


def test_the_documents_are_valid_and_their_details_are_computed_again(bench):
    whole, answers = bench
    checked = document.checked({**whole, "answers": answers}, "it")
    of_accuracy = next(each for each in figures.findings(checked) if each.what == "bench.json: accuracy")
    assert "wrong" not in of_accuracy.got
    checked["accuracy"]["wrong"][0]["permille"] = 999
    again = next(each for each in figures.findings(checked) if each.what == "bench.json: accuracy")
    assert again.level == "error"
    checked["accuracy"]["quality"]["level"] = "excellent"
    with pytest.raises(Exception, match=r"quality\.level"):
        document.checked(checked, "it")


def test_the_page_has_the_curve_the_table_and_the_wrong_answers(bench, graph):
    words = Page(to_html(build_report("Run", graph, bench[0]).to_json())).text
    assert "Thresholds" in words and "threshold: the least probability that is accepted" in words
    assert f"{graph.labels[1]} taken for {graph.labels[0]} , 96.0 % sure" in words and "go/a.wav" in words
    assert "The recordings are not at hand" in words


def test_clips_without_labels_have_no_details(graph):
    accuracy = {**bench_document(graph)["accuracy"], "correct": None, "confusion": []}
    plain = bench_document(graph, accuracy=accuracy)
    assert details.added(plain, [row("a", None, 1, 500)]) is plain
