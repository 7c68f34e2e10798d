"""The pages at any width: no title of an axis leaves its plot, and boxes that scroll show that there is more."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from edgekws.report import build_report, plots, speed, traces
from edgekws.report.compare import scatter
from tests.report.documents import bench_document, energy_section
from tests.report.runs import GRAPH, bench, runs

LABELS = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_"]
RECALL = {"label": "_unknown_", "n": 1000, "value": 1.0, "interval": {"low": 0.9, "high": 1.0}}


def drawn(monkeypatch, module, draw):
    """The figure that a plot draws."""
    figures = []
    monkeypatch.setattr(module, "to_svg", lambda figure, *_: figures.append(figure) or "")
    draw()
    return figures[0]


def windows(how, instructions):
    report = build_report("Run", GRAPH, bench_document(GRAPH)).to_json()
    scaled = {"instructions": instructions, "latency_us": instructions, "latencies_us": [instructions] * 5}
    report = {**report, "performance": {**report["performance"], **scaled}, "board": {**report["board"], "how": how}}
    return lambda: traces.windows_svg(speed.of(report), how)


LAYERS = [{"name": "depthwise_1", "us": 1e6, "instructions": 123456789, "estimated_instructions": 123456789}] * 9
CASES = {
    "millions of instructions": (traces, windows("emulated", 2445807.0)),
    "thousands of instructions": (traces, windows("emulated", 999999.0)),
    "instructions": (traces, windows("emulated", 999.0)),
    "ms": (traces, windows("measured", 262500.0)),
    "us": (traces, windows("measured", 999.9)),
    "energy": (traces, lambda: traces.energy_svg(energy_section("measured"), "measured")),
    "layers": (traces, lambda: traces.layers_svg(LAYERS, "emulated")),
    "confusion": (plots, lambda: plots.confusion_svg([[1000] * 12] * 12, LABELS, "Confusion")),
    "recall": (plots, lambda: plots.recall_svg([RECALL] * 12, "Recall")),
    "scatter": (scatter, lambda: scatter.plots(runs(bench(), bench(us=(200.0, 202.0, 204.0))))),
}


@pytest.mark.parametrize("name", CASES)
def test_titles_and_numbers_of_an_axis_stay_inside_the_plot(name, monkeypatch):
    figure = drawn(monkeypatch, *CASES[name])
    figure.draw_without_rendering()
    edge = figure.bbox.padded(1)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            box = axis.get_tightbbox()
            assert edge.contains(box.x0, box.y0) and edge.contains(box.x1, box.y1), (axis.axis_name, box)


def test_every_box_that_scrolls_has_shadows_at_the_side_where_more_is():
    style = (files("edgekws.report") / "page.css").read_text("utf-8")
    scrolling = [rule for rule in re.findall(r"([^{}]+)\{([^}]*)\}", style) if "overflow-x: auto" in rule[1]]
    assert {selector.strip().splitlines()[-1] for selector, _ in scrolling} == {"figure", ".scroll", "details pre"}
    shadows = re.search(r"\.scroll, figure\.card, details pre \{ background: ([^}]*)\}", style)[1]
    assert shadows.count("no-repeat local") == 2 and shadows.count("var(--shade), transparent") == 2
    assert style.count("--shade:") == 2  # light and dark
