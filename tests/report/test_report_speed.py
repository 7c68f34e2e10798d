"""Speed in a report: instructions of an emulated board, time of any other, never both."""

import re

import pytest

from edgekws.errors import ConfigError
from edgekws.report import build_report, document, speed, text
from edgekws.report.compare import compare, ranked
from edgekws.report.compare.runs import run
from edgekws.report.html import to_html
from edgekws.report.markdown import to_markdown
from edgekws.types import Interval, Measurement
from tests.report.documents import Page, bench_document

TIME = re.compile(r"\b(ms|us|latency|throughput|inferences/s|device seconds|host seconds|virtual)\b", re.IGNORECASE)


def report(graph, how, **changes):
    document = bench_document(graph, **changes)
    document["layers_us"] = [10.0 * (place + 1) for place in range(len(graph.nodes))]
    if how != "emulated":
        document["board"] |= {"how": how, "icount_shift": -1}
        document["performance"] |= {"instructions": None, "clock": "the clock of the board"}
        document["measurements"] = [Measurement("latency", 262500.0, "us", how, 5, board="b1").to_json()]
    return build_report("Run", graph, document).to_json()


def test_an_emulated_board_has_instructions_and_no_time(graph):
    built = report(graph, "emulated")
    page, markdown = Page(to_html(built)).text, to_markdown(built)
    for shown in (page, markdown):
        assert TIME.findall(shown) == []
        assert "4,101,562" in shown and "instructions per inference" in shown
    assert "## Instructions, emulated" in markdown and "Instructions of each window" in page
    assert built["layers"][0]["us"] is None and built["layers"][0]["instructions"] == 10.0 * 1000 / 64


def test_a_physical_board_has_times_and_no_instructions(graph):
    built = report(graph, "measured")
    page, markdown = Page(to_html(built)).text, to_markdown(built)
    assert "262.50 ms" in page and "us per inference" in markdown and "Latency of each window" in page
    assert "## Speed, measured" in markdown and "instructions per inference" not in markdown + page
    assert built["layers"][0]["us"] == 10.0


def test_the_windows_of_an_emulated_board_are_instructions(graph):
    emulated, measured = (speed.of(report(graph, how)) for how in ("emulated", "measured"))
    assert (emulated.unit, emulated.each[0]) == ("instructions", 4_101_562.5)
    assert (measured.unit, measured.each[0]) == ("us", 262_500.0)
    document = bench_document(graph)
    document["board"]["icount_shift"] = -1
    document["performance"]["instructions"] = None
    uncounted = build_report("Run", graph, document).to_json()
    assert speed.of(uncounted) is None and TIME.findall(to_markdown(uncounted)) == []


@pytest.mark.parametrize(
    ("figure", "sample", "bounds"),
    [
        (Measurement("latency", 43190.0, "us", "measured", 5, Interval(43180.0, 43210.0)), "n = 5 windows",
         "windows: 43.18 to 43.21 ms"),
        (Measurement("top-1 accuracy", 0.9, "share", "measured", 110, Interval(0.83, 0.94)), "n = 110 clips",
         "95 % interval: 83.00 to 94.00 %"),
        (Measurement("energy", 10.0, "uJ", "estimated", 1, Interval(5.0, 20.0)), "", "bounds: 5 to 20 uJ"),
        (Measurement("energy", 10.0, "uJ", "measured", 1), "n = 1 window", ""),
        (Measurement("peak stack", 824, "bytes", "emulated", 1), "n = 1 run", ""),
        (Measurement("words", 3.0, "words", "emulated", 7), "n = 7", ""),
    ],
)  # fmt: skip
def test_a_figure_says_what_was_counted_and_what_its_bounds_are(figure, sample, bounds):
    assert text.sample(figure.to_json()) == sample and text.bounds(figure.to_json()) == bounds


def test_figures_of_an_invalid_run_are_marked_one_by_one(graph):
    marked = to_markdown(report(graph, "measured", valid=False, reasons=["window 1 is short"]))
    assert "| latency | 262.50 ms |  | n = 5 windows | measured b1, NOT VALID |" in marked
    assert "NOT VALID |" not in to_markdown(report(graph, "measured"))


@pytest.mark.parametrize(("how", "other"), [("measured", "emulated"), ("emulated", "measured")])
def test_the_ways_to_get_a_figure_are_explained_where_they_are_used(graph, how, other):
    markdown = to_markdown(report(graph, how))
    assert f"*{how}*: {text.HOW[how]}" in markdown and f"*{other}*" not in markdown
    assert "computed by the linker" in markdown and "computed by the linker" in Page(to_html(report(graph, how))).text


def test_compare_has_no_latency_of_an_emulated_board(graph):
    emulated, other = (run(name, name, bench_document(graph)) for name in "AB")
    rows = [row["metric"] for group in compare([emulated, other])["groups"] for row in group["rows"]]
    assert "instructions" in rows and "latency" not in rows
    with pytest.raises(ConfigError, match=r"none in A, B.*emulated.*--sort instructions"):
        ranked([emulated, other], "latency")


def test_an_older_document_loses_its_virtual_times(graph):
    old = bench_document(graph, layers_us=[10.0] * len(graph.nodes))
    old = {key: value for key, value in old.items() if key not in ("provenance", "build")} | {"version": 2}
    virtual = (("throughput", 3.81, "inferences/s (virtual)"), ("latency", 262500.0, "us (virtual)"))
    old["measurements"] += [Measurement(name, value, unit, "emulated").to_json() for name, value, unit in virtual]
    current = document.checked(old, "it")
    assert [row["name"] for row in current["measurements"]] == [
        "top-1 accuracy, dev split",
        "instructions per inference",
    ]
    report_2 = {**report(graph, "emulated"), "version": 2}
    report_2["layers"] = [{**row, "us": 1.0} for row in report_2["layers"]]
    for key in ("provenance", "build"):
        del report_2[key]
    assert {row["us"] for row in document.checked(report_2, "it")["layers"]} == {None}


def test_memory_is_the_plan_of_the_firmware(graph):
    """The graph's own peak, of two whole activations, contradicted the plan, in which layers work in place."""
    built = report(graph, "emulated")
    page, markdown = Page(to_html(built)).text, to_markdown(built)
    assert "16,912 B: tensors 8,064 B + scratch 8,848 B for dsp" in markdown
    assert "16.5 KiB" in page and "tensors 8,064 B + scratch 8,848 B for dsp" in page and "alive at once" not in page
    without = Page(to_html(build_report("Export", graph).to_json())).text
    assert "Tensors alive at once, at most" in without and "if no layer works in place" in without
