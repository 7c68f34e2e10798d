"""What a board's run adds to a report: speed with its drift, energy both ways, and aborted runs."""

import json
import re

import pytest

from edgekws.report import build_report, speed, traces, write_report
from edgekws.report.html import to_html
from edgekws.report.markdown import to_markdown
from edgekws.types import Interval, Measurement
from tests.report.documents import Page, bench_document, energy_section


@pytest.fixture
def make(graph):
    def build(**changes):
        return build_report("Run", graph, {**bench_document(graph), **changes}).to_json()

    return build


def test_a_drift_is_in_the_plot_and_in_the_text(make, graph):
    performance = bench_document(graph)["performance"]
    rising = [262500.0 * (1 + 0.01 * number) for number in range(5)]
    middle = {"latency_us": rising[2], "instructions": rising[2] * 1000 / 64}
    report = make(performance={**performance, "latencies_us": rising, "drift": 0.04, **middle})
    assert "drift +4.000 %" in to_html(report) and "drift +4.000 %" in to_markdown(report)
    svg = traces.windows_svg(speed.of(report), "emulated")
    curve = max(re.findall(r'd="(M [^"]+)"', svg), key=lambda path: (path.count("L") == 4, len(path)))
    heights = [float(y) for _, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", curve)]
    assert len(heights) == 5 and heights == sorted(heights, reverse=True) and heights[0] - heights[-1] > 50


def test_equal_windows_are_a_level_line(make):
    svg = traces.windows_svg(speed.of(make()), "emulated")
    curves = [path for path in re.findall(r'd="(M [^"]+)"', svg) if path.count("L") == 4 and "z" not in path]
    assert any(len({y for _, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)}) == 1 for path in curves)


def test_host_seconds_are_beside_device_seconds(make, graph):
    performance = {**bench_document(graph)["performance"], "host_s": [1.25, 1.5, 1.25, 1.25, 1.75]}
    board = {**bench_document(graph)["board"], "how": "measured", "icount_shift": -1}
    report = make(performance=performance, board=board)
    assert "1.750" in to_markdown(report) and "host seconds" in Page(to_html(report)).text
    assert "host seconds" not in Page(to_html(make(board=board))).text


def test_energy_is_shown_both_ways_with_its_meter(make, tmp_path, graph):
    report = make(energy=energy_section(), modes=["energy"])
    markdown, shown = to_markdown(report), Page(to_html(report))
    assert "2,000.0 uJ per inference, 1,500.0 uJ above idle" in markdown and "## Energy, emulated" in markdown
    for words in ("Energy emulated", "2,000.0 uJ", "1,500.0 uJ", "Meter One, 1,000 samples/s, 1.8 V", "80.0000"):
        assert words in shown.text, words
    assert "≈" not in shown.text and len(shown.ids) == len(set(shown.ids))
    assert "Energy" not in Page(to_html(make())).text


def test_the_trace_has_its_edges_windows_and_idle_level():
    energy = energy_section()
    assert traces.window_edges(energy) == [(1.0 + 3 * number, 3.0 + 3 * number) for number in range(5)]
    assert traces.idle_watts(energy) == 0.01
    svg = traces.energy_svg(energy, "emulated")
    assert svg.count("stroke: var(--bad)") == 11 + 1  # and one in the legend
    assert svg.count("opacity: 0.14") == 5 + 1
    assert "idle, 10 mW" in svg and "edge of the timestamp pin" in svg and "mW (emulated)" in svg


def test_a_trace_with_missing_edges_marks_the_others():
    energy = energy_section()
    few = {**energy, "trace": {**energy["trace"], "edges_s": [1.0, 3.0, 4.0]}}
    assert traces.window_edges(few) == [None, None, None, None, (1.0, 3.0)]
    assert traces.energy_svg(few, "emulated").count("stroke: var(--bad)") == 3 + 1
    none = {**energy, "trace": {**energy["trace"], "edges_s": []}}
    assert traces.window_edges(none) == [None] * 5 and "<svg" in traces.energy_svg(none, "emulated")


def test_repeated_windows_are_not_taken_for_others():
    energy = energy_section()
    edges = energy["trace"]["edges_s"]
    again = [*edges[:3], 3.2, 3.9, *edges[3:]]  # the second window came out short the first time
    assert traces.window_edges({**energy, "trace": {**energy["trace"], "edges_s": again}}) == traces.window_edges(
        energy
    )


def test_windows_of_different_lengths_are_found():
    energy = energy_section()
    windows = [{**energy["windows"][0], "seconds": seconds} for seconds in (2.0, 3.0)]
    trace = {**energy["trace"], "edges_s": [0.5, 1.0, 3.0, 4.0, 7.0]}
    assert traces.window_edges({**energy, "windows": windows, "trace": trace}) == [(1.0, 3.0), (4.0, 7.0)]


def test_gaps_as_long_as_the_windows_are_not_taken_for_them():
    energy = energy_section(seconds=1.0)  # as long as the rest between them
    assert traces.window_edges(energy) == [(1.0 + 2 * number, 2.0 + 2 * number) for number in range(5)]


def test_an_estimate_never_looks_measured(make):
    bounds = Interval(1000.0, 4000.0)
    figure = Measurement("energy per inference", 2000.0, "uJ", "estimated", interval=bounds, board="b1")
    report = make(energy=energy_section("estimated"), measurements=[figure.to_json()])
    markdown, page = to_markdown(report), to_html(report)
    assert "| energy per inference | ≈ 2,000 uJ | bounds: 1,000 to 4,000 uJ |  | estimated b1 |" in markdown
    assert "≈ 2,000 uJ bounds: 1,000 to 4,000 uJ" in Page(page).text and "95 % interval: 1,000" not in Page(page).text
    assert (
        "**≈ 2,000.0 uJ per inference, STM32L4R5 at 120 MHz and 3 V** (" in markdown
        and "## Energy, estimated" in markdown
    )
    assert "between 1,000 and 4,000 uJ, constants from data sheet, table 7" in markdown
    assert ("class", "card estimated ") in Page(page).attributes and "≈ 2,000.0 uJ" in Page(page).text
    assert "Energy per inference, STM32L4R5 at 120 MHz and 3 V" in Page(page).text and "above idle" not in page
    assert "Power over time" not in page
    assert "var(--accent)" not in traces.energy_svg({**energy_section(), "how": "estimated"}, "estimated")


def test_lost_samples_are_in_capitals(make):
    report = make(energy={**energy_section(), "dropped": 17})
    assert "17 SAMPLES LOST" in to_markdown(report) and "17 SAMPLES LOST" in Page(to_html(report)).text


def test_an_aborted_run_keeps_what_was_measured(make, graph, tmp_path):
    why = "The meter should go on sampling. Got: the port is gone."
    reasons = [f"the run broke off: {why}", "window 2: too short"]
    broken = {"incomplete": why, "valid": False, "reasons": reasons, "accuracy": None}
    report = make(**broken, verdict="incomplete, not valid; half way")
    markdown, shown = to_markdown(report), Page(to_html(report))
    assert "**INCOMPLETE, NOT VALID: half way**" in markdown and markdown.count(why) == 1
    assert ("class", "ribbon") in shown.attributes and shown.text.count(why) == 1
    assert "window 2: too short" in shown.text and "4,101,562" in shown.text
    assert "not valid" in shown.text[shown.text.index("Key figures") : shown.text.index("Instructions emulated")]
    paths = write_report(build_report("Run", graph, {**bench_document(graph), **broken}), tmp_path)
    assert json.loads(paths[0].read_text())["incomplete"] == why


def test_a_run_that_measured_nothing_has_a_report(make):
    nothing = {"performance": None, "accuracy": None, "firmware": None, "measurements": [], "transfers": None}
    report = make(**nothing, incomplete="The board should answer.", valid=False, verdict="not valid")
    assert "The board should answer." in Page(to_html(report)).text and "INCOMPLETE" in to_markdown(report)


@pytest.mark.parametrize(
    ("valid", "verdict", "headline"),
    [(False, "not valid", "NOT VALID"), (True, "valid", "VALID"), (False, "3 of 4", "NOT VALID: 3 of 4")],
)
def test_a_verdict_is_shown_once(make, valid, verdict, headline):
    assert f"**{headline}**" in to_markdown(make(valid=valid, verdict=verdict))


def test_transfers_are_shown(make):
    assert "1,234 commands, 2 retries; every exchange verified" in Page(to_html(make())).text
    unchecked = make(transfers={"checked": False, "commands": 9, "repeated": 0})
    assert "the device has no checksums" in Page(to_html(unchecked)).text


@pytest.fixture
def layers():
    names = ("conv1", "dw1", "fc")
    return [
        {"name": name, "us": 10.0 * (place + 1), "instructions": None, "estimated_instructions": 100.0 * (place + 1)}
        for place, name in enumerate(names)
    ]


def test_layers_are_compared_in_instructions_or_else_in_shares(layers):
    board, model, unit = traces.layer_bars(layers)
    assert board == pytest.approx(model) and sum(board) == pytest.approx(100) and unit == "% of all layers"
    counted = [{**row, "instructions": 7.0} for row in layers]
    assert traces.layer_bars(counted) == ([7.0] * 3, [100.0, 200.0, 300.0], "instructions")
    assert traces.layer_bars([{**row, "estimated_instructions": None} for row in layers])[1] == []


def test_estimated_layers_are_hatched_and_counted_ones_are_not(layers):
    svg = traces.layers_svg(layers, "measured")
    assert svg.count("url(#layers-") >= 3 and "measured" in svg and "estimated" in svg
    alone = traces.layers_svg([{**row, "estimated_instructions": None} for row in layers], "measured")
    assert "fill: url(#layers-h" not in alone
