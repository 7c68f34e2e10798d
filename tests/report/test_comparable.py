"""What a gate refuses to compare: every row of the table, both ways, and what it takes to accept it."""

import re
from pathlib import Path

import pytest

from edgekws.errors import ConfigError, NotComparableError
from edgekws.report import build_report, document
from edgekws.report.compare import compare
from edgekws.report.compare.comparable import REASONS, issues, require_known, unchecked
from edgekws.report.compare.figures import METRICS
from edgekws.report.compare.gate import judge
from edgekws.report.compare.rules import Gate, parse
from tests.report.documents import bench_document, energy_section
from tests.report.runs import GRAPH, bench, changed, runs

HOME = Path(__file__).resolve().parents[2]
METERED = bench("measured", energy=energy_section("measured"))
RULES = {"latency": "latency > +50 %", "instructions": "instructions > +50 %", "energy": "energy > +50 %",
         "accuracy": "accuracy < -50 points", "auc": "auc < -0.5", "flash": "flash > +50 %"}  # fmt: skip
ESTIMATED = bench(energy={**energy_section("estimated"), "chip": "chip one"})
REPLAY = {"source": "replay", "recorded": "2026-11-02T10:00:00+00:00", "port": "replay:t.jsonl"}
UNVERIFIED = {**bench(), "build": {"status": "unverified", "id": "", "expected": "0123abcd" * 4}, "firmware": None}
OTHER_BUILD = {"status": "unknown", "id": "89abcdef" * 4, "expected": "0123abcd" * 4}
SHORT = [{**window, "seconds": 1.0, "iterations": 20} for window in METERED["energy"]["windows"]]
MANY = [{**window, "iterations": 40_000} for window in METERED["energy"]["windows"]]
TENTH = {"windows_s": [1.05] * 5, "iterations": [4] * 5}

CASES = [
    ("missing", "energy", bench(), bench(), "energy per inference in A and B"),
    ("missing", "latency", METERED, bench("measured", performance=None), "latency in B"),
    ("missing", "flash", bench(), UNVERIFIED, "flash in B (a run whose build is unverified claims no size)"),
    ("incomplete", "flash", bench(), bench(valid=False, reasons=["x"], incomplete="The port is gone."), "B: The port"),
    ("invalid", "flash", bench(), bench(valid=False, reasons=["window 2 is short"]), "B: window 2 is short"),
    ("kind", "latency", METERED, bench("computed"), "computed against measured"),
    ("kind", "accuracy", bench(), bench("measured"), "measured against emulated"),
    ("kind", "energy", METERED, {**METERED, "energy": energy_section("estimated")}, "estimated against measured"),
    ("source", "instructions", bench(), changed(bench(), provenance=REPLAY), "replay against live"),
    ("source", "accuracy", bench(), changed(bench(), provenance=REPLAY), "replay against live"),
    ("build", "instructions", bench(), UNVERIFIED, "unverified against verified"),
    ("build-id", "flash", changed(bench(), build=OTHER_BUILD), changed(bench(), build=OTHER_BUILD), "A ran 89abcdef"),
    ("board", "flash", bench(), changed(bench(), board={"name": "other"}), "other against emulated-board"),
    ("board", "instructions", bench(), changed(bench(), board={"name": "other"}), "other against emulated-board"),
    ("clock", "latency", METERED, changed(METERED, board={"clock_hz": 80_000_000}), "80 MHz against 1e-06 MHz"),
    ("emulator", "instructions", bench(), changed(bench(), provenance={"emulator": "QEMU 9"}), "QEMU 9 against QEMU"),
    ("emulator", "instructions", bench(), changed(bench(), provenance={"emulator": ""}), "unknown against QEMU"),
    ("windows", "latency", METERED, changed(METERED, performance=TENTH), "5 of 1.05 s against 5"),
    ("windows", "latency", METERED, changed(METERED, performance={"windows_s": [10.5] * 3}), "3 of 10.5 s against 5"),
    ("windows", "energy", METERED, changed(METERED, energy={"windows": SHORT}), "5 of 1 s against 5 of 2 s"),
    ("inferences", "energy", METERED, changed(METERED, energy={"windows": MANY}), "40,000 of 0.05 ms against 40"),
    ("dataset", "accuracy", bench(), changed(bench(), accuracy={"dataset": "my words"}), "my words against dev split"),
    ("clips", "accuracy", bench(), changed(bench(), provenance={"clips_sha256": "d" * 64}), "clips dddddddd against"),
    ("clips", "auc", bench(), changed(bench(), accuracy={"n": 100}), "100 clips cccccccc against 110 clips cccccccc"),
    ("volts", "energy", METERED, changed(METERED, energy={"volts": 3.0}), "3 V against 1.8 V"),
    ("volts", "energy", METERED, changed(METERED, energy={"volts": None}), "unknown against 1.8 V"),
    ("meter", "energy", METERED, changed(METERED, energy={"meter": "Meter Two"}), "Meter Two against Meter One"),
    ("meter", "energy", ESTIMATED, changed(ESTIMATED, energy={"chip": "chip two"}), "chip two against model"),
    ("windows", "instructions", bench(), changed(bench(), performance=TENTH), "5 of 1.05 s"),
]  # fmt: skip


def test_every_row_of_the_table_has_a_case():
    assert {case[0] for case in CASES} == set(REASONS)


@pytest.mark.parametrize(("reason", "metric", "base", "other", "text"), CASES)
def test_a_comparison_is_refused_with_the_reason(reason, metric, base, other, text):
    verdict = judge(runs(base, other), Gate((parse(RULES[metric]),)))
    assert verdict.result == "refused"
    refused = {issue.id: issue.text for issue in verdict.outcomes[0].refused}
    assert refused[reason].startswith(REASONS[reason].title) and text in refused[reason]


@pytest.mark.parametrize(("reason", "metric", "base", "other", "text"), CASES)
def test_it_can_be_allowed_on_purpose_and_the_outcome_says_so(reason, metric, base, other, text):
    if REASONS[reason].final:
        with pytest.raises(ConfigError, match=f"cannot accept {reason}"):
            judge(runs(base, other), Gate((parse(RULES[metric]),), (reason,)))
        return
    found = tuple(issue.id for issue in issues(metric, *runs(base, other)))
    verdict = judge(runs(base, other), Gate((parse(RULES[metric]),), found))
    assert verdict.result in ("pass", "fail") and verdict.outcomes[0].refused == ()
    assert reason in {issue.id for issue in verdict.outcomes[0].allowed}
    fewer = tuple(name for name in found if name != reason)
    assert judge(runs(base, other), Gate((parse(RULES[metric]),), fewer)).result == "refused"


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ((0.157, 1), (0.247, 1), "fail"),  # one inference each: the window is longer because the inference is
        ((0.12, 2), (0.2, 1), "fail"),  # 60 ms and 200 ms, in windows of 0.1 s at least
        ((10.0, 40), (20.0, 40), "fail"),  # as many inferences, twice as slow
        ((10.0, 1000), (20.0, 1999), "refused"),
        ((0.1, 1), (0.3, 3), "refused"),
    ],
)
def test_windows_that_differ_by_their_inferences_only_are_compared(old, new, result):
    def run(seconds, inferences):
        each = {
            "windows_s": [seconds] * 5,
            "iterations": [inferences] * 5,
            "latencies_us": [1e6 * seconds / inferences] * 5,
        }
        return changed(METERED, performance={**each, "latency_us": 1e6 * seconds / inferences})

    verdict = judge(runs(run(*old), run(*new)), Gate((parse("latency > +20 %"),)))
    assert verdict.result == result


def test_only_reasons_that_can_be_allowed_are_offered():
    def hint(*rules):
        with pytest.raises(NotComparableError) as caught:
            judge(runs(bench(), changed(bench(), provenance=REPLAY)), Gate(tuple(map(parse, rules)))).require_pass()
        return caught.value.hint

    assert hint("latency > 20 ms") == "measure the missing figures, or leave out their rules"
    both = hint("latency > 20 ms", "instructions > +1 %")
    assert both.startswith("measure the missing figures") and both.endswith(
        "accept differences with --allow (here: source)"
    )


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_runs_of_the_same_conditions_are_compared(metric):
    how = "measured" if metric == "latency" else "emulated"
    with_all = bench(how, energy=energy_section())
    with_all["measurements"].append(
        {**with_all["measurements"][1], "name": "peak stack", "value": 512, "unit": "bytes"}
    )
    one, two = (build_report("A run", GRAPH, with_all).to_json() for _ in "12")
    assert issues(metric, *runs(document.checked(one, "it"), document.checked(two, "it"))) == []
    assert unchecked(metric, *runs(one, two)) == []


def test_an_emulated_board_has_no_time_and_the_reason_says_so():
    missing = "missing figure: latency in A and B (emulated boards have instructions and no time)"
    assert [issue.text for issue in issues("latency", *runs(bench(), bench()))] == [missing]


@pytest.mark.parametrize(("volts", "same"), [(1.79, True), (1.81, True), (1.75, False)])
def test_a_regulator_s_tolerance_is_not_another_voltage(volts, same):
    found = issues("energy", *runs(METERED, changed(METERED, energy={"volts": volts})))
    assert (found == []) is same


def test_conditions_that_concern_other_figures_do_not_matter():
    other = changed(METERED, energy={"volts": 3.0, "meter": "Meter Two"}, accuracy={"dataset": "my words"})
    assert issues("latency", *runs(METERED, other)) == issues("flash", *runs(METERED, other)) == []
    assert issues("accuracy", *runs(bench(), changed(bench(), board={"clock_hz": 5, "name": "b2"}))) == []


def test_what_neither_of_two_older_documents_says_is_listed():
    old = {**bench_document(GRAPH), "version": 2}
    for key in ("provenance", "build"):
        old.pop(key)
    both = runs(document.upgraded(old), document.upgraded(old))
    assert issues("instructions", *both) == [] and issues("accuracy", *both) == []
    assert unchecked("instructions", *both) == ["source", "build", "emulator"]
    assert unchecked("accuracy", *both) == ["source", "build", "clips"]
    assert [issue.id for issue in issues("instructions", *runs(bench(), document.upgraded(old)))][:2] == [
        "source",
        "build",
    ]


def test_an_unknown_reason_is_suggested():
    with pytest.raises(ConfigError, match=re.escape("--allow volt is not known; did you mean volts?")):
        require_known(["volt"], "--allow")


def test_a_table_shows_the_ratio_and_says_why_it_proves_nothing():
    """Without rules nothing is refused; the cell has no verdict."""
    compared = compare(runs(METERED, changed(METERED, energy={"volts": 3.0, "uj_per_inference": 1000.0})))
    cell = next(row for row in compared["groups"][0]["rows"] if row["metric"] == "energy")["cells"][1]
    assert (cell["verdict"], cell["change"]) == ("none", 0.5) and "3 V against 1.8 V" in cell["why"]


@pytest.mark.parametrize(("iterations", "same"), [(40, True), (200, True), (201, False), (8, True), (7, False)])
def test_an_inference_may_become_five_times_faster_or_slower(iterations, same):
    windows = [{**window, "iterations": iterations} for window in METERED["energy"]["windows"]]
    other = changed(METERED, energy={"windows": windows})
    assert (issues("energy", *runs(METERED, other)) == []) is same
    assert issues("energy", *runs(METERED, changed(other, graph={"sha256": "e" * 64}))) == [], "another network"


def rows_of_the_table():
    for reason in REASONS.values():
        without = [metric for metric in METRICS if metric not in reason.metrics]
        listed = ", ".join(f"`{metric}`" for metric in reason.metrics)
        figures = "all" if not without else f"all but `{without[0]}`" if len(without) == 1 else listed
        allowed = " (cannot be allowed)" if reason.final else ""
        yield f"| `{reason.id}` | {reason.title} | {figures} | {reason.why}{allowed} |"


def test_the_guide_has_the_table():
    rows = list(rows_of_the_table())
    assert [line for line in HOME.joinpath("docs/how-to/compare.md").read_text().splitlines() if line in rows] == rows
