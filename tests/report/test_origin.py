"""Provenance and build beside the verdict, in every rendering."""

from __future__ import annotations

import pytest

from edgekws.report import build_report, mlperf, origin
from edgekws.report.html import to_html
from edgekws.report.markdown import to_markdown
from tests.report.documents import Page, bench_document


@pytest.fixture
def bench(graph):
    return bench_document(graph)


def everywhere(graph, bench, tmp_path):
    """The document in each rendering; of a session its log."""
    report = build_report("Run", graph, bench).to_json()
    answers = [{"file": "a.wav", "class": 1, "permille": [0] * 12}] * bench["accuracy"]["n"]
    session = mlperf.write_session({**bench, "answers": answers}, tmp_path, "")
    log = (session / "accuracy" / "log.txt").read_text()
    return [to_markdown(report), Page(to_html(report)).text, log]


def test_a_live_run_says_where_when_and_with_which_emulator(graph, bench, tmp_path):
    words = "ive at qemu:b1, 2026-12-01 02:15:30+00:00, QEMU emulator version 7.2.22; build 0123abcd verified"
    for rendering in everywhere(graph, bench, tmp_path):
        assert words in rendering and "REPLAY" not in rendering


def test_a_replay_is_never_called_live(graph, bench, tmp_path):
    bench["provenance"] |= {"source": "replay", "recorded": "2026-11-02T10:00:00+00:00", "port": "replay:t.jsonl"}
    for rendering in everywhere(graph, bench, tmp_path):
        assert "REPLAY of traffic recorded 2026-11-02 10:00:00+00:00" in rendering
        assert "live at" not in rendering.lower()


def test_an_unverified_build_stands_beside_the_verdict(graph, bench, tmp_path):
    bench |= {"build": {"status": "unverified", "id": "", "expected": ""}, "firmware": None}
    for rendering in everywhere(graph, bench, tmp_path):
        assert "BUILD UNVERIFIED: the device reports no build id" in rendering and "Flash" not in rendering


@pytest.mark.parametrize(
    ("source", "words"), [("trace", "an imported trace; no board was used"), ("unknown", "origin unknown")]
)
def test_other_sources_have_their_words(bench, source, words):
    bench["provenance"]["source"] = source
    assert words in origin.line(bench) and origin.alerts(bench) == []
    assert ("build" in origin.line(bench)) == (source == "unknown")


def test_a_report_without_a_board_has_no_origin(graph):
    report = build_report("Export", graph).to_json()
    assert origin.line(report) == "" and origin.alerts(report) == []
