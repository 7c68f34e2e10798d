"""Reports: the document, the Markdown, the page."""

from __future__ import annotations

import json
import re

import pytest

from edgekws import targets
from edgekws.errors import ArtifactError
from edgekws.report import Report, build_report, text, write_report
from edgekws.types import Manifest
from tests.report.documents import Page, bench_document


@pytest.fixture
def make(graph):
    def build(wrong=0, **options):
        parity = [
            {"artifact": "model.onnx", "runtime": "onnxruntime", "n": 100, "differences": 0},
            {"artifact": "model.tflite", "runtime": "xnnpack", "n": 100, "differences": 7, "note": "ties"},
        ]
        manifests = {"training": Manifest("training", {"data": "a" * 64}, {"epochs": 3}, {"torch": "2"}, ("note 1",))}
        defaults = {"parity": parity, "manifests": manifests, "warnings": ["synthetic speech"], "created": "today"}
        return build_report("A <title>", graph, bench_document(graph, wrong), **{**defaults, **options})

    return build


def written(report: Report, folder):
    paths = write_report(report, folder)
    assert [path.name for path in paths] == ["report.json", "report.md", "report.html"]
    return [path.read_text() for path in paths]


def test_the_document_has_exactly_its_documented_fields(make, tmp_path):
    document = json.loads(written(make(), tmp_path)[0])
    assert (document["kind"], document["version"]) == ("edgekws-report", 3)
    assert set(document) == {
        *("kind", "version", "edgekws", "title", "created", "verdict", "warnings", "figures", "graph", "layers"),
        *("memory", "arena", "board", "device", "performance", "accuracy", "parity", "manifests"),
        *("incomplete", "modes", "energy", "transfers", "provenance", "build"),
    }
    assert document["verdict"] == {"valid": True, "text": "board equals interpreter: 110 of 110", "reasons": []}
    assert document["warnings"] == ["synthetic speech", "2 inputs were sent again"]
    assert document["memory"] == [
        {"name": "Flash", "used": 900, "budget": 1000},
        {"name": "RAM", "used": 77, "budget": 0},
    ]
    assert [row["name"] for row in document["layers"]] == ["conv1", "dw1", "pw1", "pool", "fc"]
    assert document["graph"]["macs"] == sum(row["macs"] for row in document["layers"])


def test_the_page_shows_everything(make, tmp_path):
    page = Page(written(make(), tmp_path)[2])
    assert len(page.ids) == len(set(page.ids))
    for words in (
        *("board equals interpreter: 110 of 110", "A <title>", "synthetic speech", "2 inputs were sent again"),
        *("top-1 accuracy, dev split", "90.00 %", "83.00 to 94.00 %", "n = 110", "emulated", "4,101,562"),
        *("Board One", "90.0 % of 1,000 B", "no budget set", "depthwise_conv2d", "equal", "7 differ", "ties"),
        *(
            "aaaaaaaaaaaa…",
            "torch 2",
            "note 1",
            '"epochs": 3',
            "no clips",
            "dev split, n = 110",
            "counted by the emulator",
        ),
    ):
        assert words in page.text, words


def test_the_page_needs_no_network_and_no_script(make, tmp_path):
    page = written(make(), tmp_path)[2]
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"' <)]+", page)) <= names
    assert not re.search(r"<script|<link|<img|@import|\bsrc=|url\((?!#)", page)
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]\b", page), "a plot kept a colour that the page cannot change"
    references = set(re.findall(r'(?:href="|url\()#([^")]+)', page))
    assert references <= set(Page(page).ids)


def test_the_page_adapts(make, tmp_path):
    page = written(make(), tmp_path)[2]
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page and "var(--accent)" in page


def test_a_failed_bench_is_marked(make, tmp_path):
    document, markdown, page = written(make(wrong=2), tmp_path)
    assert json.loads(document)["verdict"]["valid"] is False
    assert "**NOT VALID: board equals interpreter: 108 of 110**" in markdown
    shown = Page(page)
    assert ("class", "banner bad") in shown.attributes
    assert "✗ NOT VALID board equals interpreter: 108 of 110" in shown.text
    assert "NOT JUDGED the run is not valid; by its answers, 90.9 % of 110" in shown.text and "✓" not in shown.text
    assert "differ on 2 clips" in shown.text and "yes/a.wav" in shown.text and "yes/a.wav" in markdown


def test_markdown_tables_are_rectangular(make, tmp_path):
    markdown = written(make(wrong=1), tmp_path)[1]
    blocks = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)]
    assert len(blocks) == 9
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1, block[0]


def test_a_report_without_a_board(graph, tmp_path):
    document, markdown, page = written(build_report("Export", graph), tmp_path)
    assert json.loads(document)["verdict"]["valid"] is None
    assert "**NO BOARD: no board was measured**" in markdown and "no board was measured" in Page(page).text


def test_labels_of_any_language_and_with_markup(graph_factory, tmp_path):
    from dataclasses import replace

    labels = ("<b>&\"'", "$x^2$", "日本語", "a|b", *(f"w{i}" for i in range(8)))
    graph = replace(graph_factory(), labels=labels)
    _, markdown, page = written(build_report("T", graph, bench_document(graph)), tmp_path)
    shown = Page(page)
    assert "<b>&\"'" in shown.text and "$x^2$" in shown.text and "日本語" in shown.text
    assert r"a\|b" in markdown


def test_the_same_report_gives_the_same_bytes(make, tmp_path):
    assert written(make(), tmp_path / "a") == written(make(), tmp_path / "b")


def test_a_failing_renderer_leaves_the_old_report(make, tmp_path, monkeypatch):
    before = written(make(), tmp_path)
    monkeypatch.setattr("edgekws.report.html._plots", lambda report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(make(wrong=1), tmp_path)
    assert [(tmp_path / f"report.{kind}").read_text() for kind in ("json", "md", "html")] == before


@pytest.mark.parametrize("change", [{"kind": "other"}, {"version": 4}, {"version": True}, {"version": None}])
def test_other_documents_are_refused(graph, change):
    with pytest.raises(ArtifactError, match="edgekws-bench"):
        build_report("T", graph, bench_document(graph, **change))


def test_the_bench_of_another_graph_is_refused(graph, graph_factory):
    with pytest.raises(ArtifactError, match="should be of graph"):
        build_report("T", graph, bench_document(graph_factory(seed=7)))


def test_incomplete_parity_rows_are_refused(graph):
    with pytest.raises(ArtifactError, match="a parity row should have"):
        build_report("T", graph, parity=[{"artifact": "x"}])


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.93456, "share", ("93.46", "%")),
        (999.0, "us", ("999", "us")),
        (2500.0, "us", ("2.50", "ms")),
        (4072440.6, "instructions", ("4,072,441", "")),
        (0.98765, "area", ("0.9877", "")),
        (3.83676, "1/s", ("3.837", "1/s")),
    ],
)
def test_quantities_read_well(value, unit, shown):
    assert text.quantity(value, unit) == shown


@pytest.fixture
def timed(graph, monkeypatch):
    """A report of a board whose layers took 64, 128, ... instructions, 40 estimated each."""
    monkeypatch.setitem(targets.KERNEL_COSTS, "core", targets.Costs(1, 1, 1, 1, 1, 1, 1))
    monkeypatch.setattr(targets, "instructions", lambda node, costs: 40.0)
    times = [4.096 * (number + 1) for number in range(len(graph.nodes))]
    return build_report("timed", graph, bench_document(graph, layers_us=times, cpu="core"))


def test_layers_of_the_board_are_beside_the_estimates(timed, make, tmp_path):
    row = timed.layers[1]
    assert (row["us"], row["instructions"], row["estimated_instructions"]) == (None, pytest.approx(128), 40)
    _, markdown, page = written(timed, tmp_path)
    for shown in (markdown, page):
        assert "Layers on the board" in shown and "-69 %" in shown  # 40 of 128
        assert "200 instructions estimated, 960 counted (-79.2 %); largest error of a layer 88 %" in shown
    Page(page)
    assert all("Layers on the board" not in shown for shown in written(make(), tmp_path))


def test_layers_without_a_cost_model_have_no_estimate(graph, tmp_path):
    times = [1.0] * len(graph.nodes)
    report = build_report("plain", graph, bench_document(graph, layers_us=times))
    _, markdown, page = written(report, tmp_path)
    assert "Layers on the board" in markdown and "Cost model" not in markdown + page
