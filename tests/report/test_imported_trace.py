"""An imported trace is called one beside each of its figures, and its verdict is no plain "valid"."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.files import write_json
from edgekws.report import build_report, text
from edgekws.report.compare import compare
from edgekws.report.compare.pages import to_html as compare_html
from edgekws.report.compare.pages import to_markdown as compare_markdown
from edgekws.report.html import to_html
from edgekws.report.markdown import to_markdown
from tests.report.documents import Page, energy_section
from tests.report.runs import GRAPH, bench, runs

TRACE = {"source": "trace", "started": "2026-12-01T02:15:30+00:00"}


def metered(source="live", **changes):
    """A run of a metered energy alone."""
    document = bench("measured", performance=None, accuracy=None, energy=energy_section("measured"), modes=["energy"])
    figure = {**document["measurements"][0], "name": "energy per inference", "value": 2000.0, "unit": "uJ", "n": 5}
    figure |= {"how": "measured", "interval": None, "board": document["board"]["name"]}
    document |= {"measurements": [figure], "verdict": "valid"}
    document["provenance"] |= {"source": source}
    return {**document, **changes}


def rendered(document):
    report = build_report("Run", GRAPH, document).to_json()
    page = to_html(report)
    return to_markdown(report), Page(page).text, page


def test_each_figure_of_a_trace_says_so():
    markdown, words, page = rendered(metered("trace"))
    assert "| measured, imported trace measured-board |" in markdown
    assert "## Energy, measured, imported trace" in markdown and "(measured, imported trace: Meter One" in markdown
    assert page.count('<span class="chip traced">imported trace</span>') >= 4  # figure, energy, its two cards, legend
    assert "mW (measured, imported trace)" in page and "measured, imported trace: Meter One" in words


def test_the_legend_of_a_trace_does_not_speak_of_a_board_and_its_clock():
    markdown, words, _ = rendered(metered("trace"))
    for rendering in (markdown, words):
        assert "by its own clock" not in rendering
        assert "a table that an instrument recorded; this run used no board" in " ".join(rendering.split())


def test_the_verdict_of_a_trace_is_no_plain_valid():
    markdown, words, page = rendered(metered("trace"))
    assert "VALID AS A TRACE: no board was used" in markdown and "VALID AS A TRACE no board was used" in words
    assert 'class="banner traced"' in page and 'class="banner valid"' not in page
    assert "NOT VALID" in rendered(metered("trace", valid=False, verdict="not valid", reasons=["x"]))[0]


def test_a_live_run_has_none_of_these_words():
    markdown, words, page = rendered(metered())
    for rendering in (markdown, words, page.partition("</style>")[2]):
        assert "imported" not in rendering and "TRACE" not in rendering
    assert "**VALID**" in markdown and 'class="banner valid"' in page


def test_a_comparison_names_its_traces(tmp_path):
    compared, both = [metered("trace"), metered("trace")], runs(metered("trace"), metered())
    document = compare(both)
    markdown, words = compare_markdown(document), Page(compare_html(document, both)).text
    for rendering in (markdown, words):
        assert "valid as a trace" in rendering and "A (imported trace)" in rendering and "B (imp" not in rendering
    assert "| measured, imported trace |" in markdown and "this run used no board" in " ".join(words.split())
    for number, content in enumerate(compared):
        write_json(tmp_path / f"{number}.json", content)
    rule = ("--fail-if", "energy > +1 %")
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "0.json"), str(tmp_path / "1.json"), *rule])
    output = " ".join(done.output.split())
    assert done.exit_code == 0 and "valid as a trace, measured, imported trace" in output
    assert "A (imported trace)" in output and "B (imported trace)" in output
    (line,) = [line for line in done.output.splitlines() if line.startswith("PASS")]
    assert "imported trace: A; imported trace: B" in line and "exact" not in line


@pytest.mark.parametrize(
    ("text_of_it", "expected"),
    [("valid", "VALID AS A TRACE: no board was used"), ("valid as a trace; no board was used",) * 2],
)
def test_the_headline_is_said_once(text_of_it, expected):
    verdict = {"valid": True, "text": text_of_it}
    head = text.headline({"incomplete": "", "verdict": verdict, "provenance": TRACE})
    assert head.lower() == expected.lower().replace(";", ":")
