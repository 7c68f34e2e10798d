"""A regression gate, as the command runs it: verdicts, their intervals, exit codes and the three files."""

import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from edgekws import stats
from edgekws.cli import app
from edgekws.errors import ArtifactError, ConfigError, NotComparableError, RegressionError
from edgekws.report.compare.gate import judge
from edgekws.report.compare.rules import Gate, parse
from edgekws.report.comparison import Comparison
from edgekws.types import Interval
from tests.report.documents import Page, energy_section
from tests.report.runs import bench, changed, runs

BASE = bench()
GROWN = changed(BASE, performance={"instructions": 1030.0}, firmware={"flash_bytes": 1500})
REPLAY = changed(BASE, provenance={"source": "replay", "recorded": "2026-11-02T10:00:00+00:00"})


def invoke(tmp_path, *arguments, documents):
    paths = []
    for number, value in enumerate(documents):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(value))
    return CliRunner().invoke(app, ["compare", *map(str, paths), *arguments])


def outcome(rule, *documents, **settings):
    return judge(runs(*documents), Gate((parse(rule),), **settings)).outcomes[-1]


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        ("instructions > +1 %", "fail"),
        ("instructions > +2 %", "pass"),
        ("instructions > +20", "pass"),
        ("instructions >= +20", "fail"),
        ("instructions > 1020", "fail"),
        ("flash > +512 B", "fail"),
        ("flash > +600 B", "pass"),
        ("flash > +66.6 %", "fail"),
        ("flash > 1 KiB", "fail"),
        ("ram > +0 %", "pass"),
    ],
)
def test_exact_figures_are_decided(rule, result):
    assert outcome(rule, BASE, GROWN).result == result


@pytest.mark.parametrize(
    ("us", "rule", "result", "low"),
    [
        ((104.0, 105.0, 106.0), "latency > +1 %", "fail", 104 / 102 - 1),
        ((104.0, 105.0, 106.0), "latency > +3 %", "unclear", 104 / 102 - 1),
        ((104.0, 105.0, 106.0), "latency > +5 %", "pass", 104 / 102 - 1),
        ((104.0, 105.0, 106.0), "latency > +3 us", "unclear", 2.0),
        ((104.0, 105.0, 106.0), "latency > 104.5 us", "unclear", 104.0),
        ((104.0, 105.0, 106.0), "latency > 103 us", "fail", 104.0),
        ((99.0, 101.5, 103.0), "latency > +0 %", "unclear", 99 / 102 - 1),
    ],
)
def test_a_change_inside_the_windows_extremes_is_unclear(us, rule, result, low):
    one = outcome(rule, bench("measured"), bench("measured", us))
    assert one.result == result and one.low == pytest.approx(low)
    assert judge(runs(bench("measured"), bench("measured", us)), Gate((parse(rule),), strict=True)).result == (
        "pass" if result == "pass" else "fail"
    )


@pytest.mark.parametrize(("right", "result"), [(99, "pass"), (98, "unclear"), (90, "unclear"), (60, "fail")])
def test_a_change_inside_accuracy_s_interval_is_unclear(right, result):
    assert outcome("accuracy < -0.5 points", BASE, bench(right=right)).result == result


def test_a_limit_of_accuracy_is_judged_with_the_run_s_own_interval():
    assert outcome("accuracy < 95 %", BASE, BASE).result == "fail"
    assert outcome("accuracy < 92 %", BASE, BASE).result == "unclear"
    assert outcome("accuracy < 90 %", BASE, BASE).result == "pass"


def test_a_limit_compares_nothing_and_needs_a_sound_run_only():
    """The base may lack the figure, or come from elsewhere."""
    run = bench("measured")
    assert outcome("latency > 20 us", BASE, run).result == "fail"
    assert outcome("instructions > 20", REPLAY, BASE).refused == ()
    bad = bench("measured", valid=False, reasons=["window 2 is short"])
    refused = outcome("latency > 20 us", run, bad).refused
    assert [issue.text for issue in refused] == ["invalid run: B: window 2 is short"]
    assert [issue.id for issue in outcome("energy > 20 uJ", BASE, BASE).refused] == ["missing"]


def test_without_an_interval_nothing_is_proved():
    """One window of a real clock, and the area under the curve."""
    one, slow = (bench("measured", (us,) * 2) for us in (100.0, 200.0))
    for single in (one, slow):
        single["performance"]["latencies_us"].pop()
    assert outcome("latency > +1 %", one, slow).result == "unclear"
    assert outcome("auc < -0.1", BASE, changed(BASE, accuracy={"macro_auc": 0.5})).result == "unclear"


def test_energy_is_judged_by_its_windows():
    def metered(low, middle, high):
        section = energy_section("measured")
        each = [{**section["windows"][0], "uj_per_inference": uj} for uj in (low, middle, high)]
        return bench("measured", energy={**section, "windows": each, "uj_per_inference": middle})

    assert outcome("energy > +5 %", metered(99, 100, 101), metered(109, 110, 111)).result == "fail"
    assert outcome("energy > +5 %", metered(90, 100, 110), metered(100, 110, 120)).result == "unclear"


def test_a_change_in_percent_needs_a_base():
    nothing = changed(BASE, firmware={"flash_bytes": 0})
    one = outcome("flash > +1 %", nothing, BASE)
    assert one.result == "refused" and "a base above 0, and A has 0" in one.refused[0].text
    assert outcome("flash > +1 B", nothing, BASE).result == "fail"


def test_every_run_is_checked_against_the_first():
    verdict = judge(runs(BASE, BASE, GROWN), Gate((parse("instructions > +1 %"), parse("flash > +1 B"))))
    assert [(one.rule.metric, one.run, one.result) for one in verdict.outcomes] == [
        ("instructions", "B", "pass"),
        ("instructions", "C", "fail"),
        ("flash", "B", "pass"),
        ("flash", "C", "fail"),
    ]


@pytest.mark.parametrize(
    ("documents", "strict", "result", "error"),
    [
        ((BASE, BASE), False, "pass", None),
        ((BASE, bench(right=90)), False, "pass", None),
        ((BASE, bench(right=90)), True, "fail", RegressionError),
        ((BASE, GROWN), False, "fail", RegressionError),
        ((BASE, REPLAY), False, "refused", NotComparableError),
        ((BASE, REPLAY, GROWN), False, "fail", RegressionError),
    ],
)
def test_a_broken_rule_outweighs_a_refused_one(documents, strict, result, error):
    rules = Gate((parse("instructions > +1 %"), parse("accuracy < -0.5 points")), strict=strict)
    verdict = judge(runs(*documents), rules)
    assert verdict.result == result
    if error is None:
        verdict.require_pass()
    else:
        with pytest.raises(error):
            verdict.require_pass()


def test_the_exit_codes_are_those_of_the_table():
    assert (RegressionError.exit_code, NotComparableError.exit_code) == (10, 11)


SHARES = st.integers(0, 110).map(lambda right: (right / 110, stats.wilson(right, 110)))


@given(SHARES, SHARES)
def test_the_interval_of_a_difference_turns_with_the_runs(one, two):
    bounds, turned = stats.difference(*one, *two), stats.difference(*two, *one)
    assert bounds.low <= two[0] - one[0] <= bounds.high
    assert (bounds.low, bounds.high) == pytest.approx((-turned.high, -turned.low))


def test_the_interval_of_a_difference_equals_newcombe_s_example():
    """56 of 70 against 48 of 80: Newcombe 1998, table II (a), method 10: 0.0524 to 0.3339."""
    bounds = stats.difference(48 / 80, stats.wilson(48, 80), 56 / 70, stats.wilson(56, 70))
    assert (round(bounds.low, 4), round(bounds.high, 4)) == (0.0524, 0.3339)
    assert isinstance(bounds, Interval)


@given(st.lists(st.floats(1, 1e3), min_size=3, max_size=3), st.lists(st.floats(1, 1e3), min_size=3, max_size=3),
       st.integers(0, 90))  # fmt: skip
def test_a_looser_rule_never_fails_where_a_stricter_one_passes(old, new, percent):
    both = bench("measured", sorted(old)), bench("measured", sorted(new))
    order = {"pass": 0, "unclear": 1, "fail": 2}
    results = [outcome(f"latency > +{bound} %", *both).result for bound in (percent, percent + 10)]
    assert order[results[0]] >= order[results[1]]


# The command


def test_a_gate_that_holds_exits_with_0(tmp_path):
    done = invoke(tmp_path, "--fail-if", "instructions > +1 %", "--fail-if", "flash > +0 %", documents=(BASE, BASE))
    assert done.exit_code == 0, done.output
    assert "PASS    instructions > +1 %: B 1,010 against A 1,010: +0.00 %; exact" in done.output
    assert "gate: PASS (2 passed)" in done.output


def test_a_broken_rule_is_an_error_after_the_lines(tmp_path):
    done = invoke(tmp_path, "--fail-if", "instructions > +1 %", "--fail-if", "flash > +512 B", documents=(BASE, GROWN))
    assert isinstance(done.exception, RegressionError) and "2 failed" in str(done.exception)
    assert "FAIL    instructions > +1 %: B 1,030 against A 1,010: +1.98 %; exact" in done.output
    assert "FAIL    flash > +512 B: B 1,500 bytes against A 900 bytes: +600 bytes; exact" in done.output


def test_what_is_unclear_says_its_interval(tmp_path):
    done = invoke(tmp_path, "--fail-if", "accuracy < -0.5 points", documents=(BASE, bench(right=90)))
    assert done.exit_code == 0
    line = r"UNCLEAR accuracy < -0.5 points: B 81.82 % against A 90.00 %: -8.18 points; 95 % interval -17\.\S+ points"
    assert re.search(line, done.output), done.output
    strict = invoke(tmp_path, "--fail-if", "accuracy < -0.5 points", "--strict", documents=(BASE, bench(right=90)))
    assert isinstance(strict.exception, RegressionError) and "unclear counts as failed" in strict.output


def test_a_refused_rule_has_its_own_exit_code_and_names_the_option(tmp_path):
    done = invoke(tmp_path, "--fail-if", "instructions > +1 %", documents=(BASE, REPLAY))
    assert isinstance(done.exception, NotComparableError) and "--allow (here: source)" in str(done.exception)
    assert "REFUSED instructions > +1 %" in done.output and "other source: replay against live" in done.output
    allowed = invoke(tmp_path, "--fail-if", "instructions > +1 %", "--allow", "source", documents=(BASE, REPLAY))
    assert allowed.exit_code == 0 and "ALLOWED in spite of other source: replay against live" in allowed.output


def test_the_files_have_the_gate_even_when_it_fails(tmp_path):
    out = tmp_path / "out"
    done = invoke(tmp_path, "--fail-if", "flash > +1 %", "--out", str(out), documents=(BASE, GROWN))
    assert isinstance(done.exception, RegressionError)
    compared = json.loads((out / "compare.json").read_text())
    assert compared["version"] == 2 and compared["gate"]["result"] == "fail"
    assert compared["gate"]["outcomes"][0]["amount"] == pytest.approx(600 / 900)
    markdown, page = (out / "compare.md").read_text(), Page((out / "compare.html").read_text()).text
    for words in ("Gate: FAIL (1 failed)", "flash > +1 %", "1,500 bytes against A 900 bytes: +66.67 %"):
        assert words in markdown and words in page


def written(path):
    """Read as the schema says: a list where JSON has no tuples."""
    return Comparison.model_validate_json(path.read_text())


@pytest.mark.parametrize("documents", [(BASE, GROWN), (BASE, REPLAY), (bench("measured"), BASE)])
def test_the_document_is_as_the_schema_says(tmp_path, documents):
    rules = ("--fail-if", "flash > +1 %", "--fail-if", "latency > 20 ms", "--fail-if", "accuracy < -1 points")
    for arguments in (rules, ()):
        invoke(tmp_path, *arguments, "--out", str(tmp_path / "out"), documents=documents)
        gate = written(tmp_path / "out" / "compare.json").gate
        assert (gate is not None) == bool(arguments)


def test_without_rules_nothing_is_refused(tmp_path):
    done = invoke(tmp_path, "--out", str(tmp_path / "out"), documents=(BASE, REPLAY))
    assert done.exit_code == 0 and "not comparable: other source: replay against live" in " ".join(done.output.split())
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["gate"] is None


def test_rules_are_written_and_read(tmp_path):
    given = ("--fail-if", "instructions > +1 %", "--allow", "source", "--strict")
    path = str(tmp_path / "gate.toml")
    assert invoke(tmp_path, *given, "--write-rules", path, documents=(BASE, BASE)).exit_code == 0
    assert invoke(tmp_path, "--rules", path, documents=(BASE, REPLAY)).exit_code == 0
    done = invoke(tmp_path, "--rules", path, "--fail-if", "flash > +1 %", documents=(BASE, GROWN))
    assert isinstance(done.exception, RegressionError) and "2 failed" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-if", "flsh > +1 %"], "did you mean flash?"),
        (["--fail-if", "flash > +1 %", "--allow", "emulators"], "--allow emulators is not known; did you mean"),
        (["--fail-if", "flash > +1 %", "--allow", "missing"], "--allow cannot accept missing"),
        (["--allow", "volts"], "--allow belongs to --fail-if or --rules"),
        (["--strict"], "--strict belongs to --fail-if or --rules"),
        (["--write-rules", "x.toml"], "--write-rules needs a rule"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_paragraph(tmp_path, arguments, message):
    done = invoke(tmp_path, *arguments, documents=(BASE, BASE))
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)


def test_one_run_is_no_gate(tmp_path):
    done = invoke(tmp_path, "--fail-if", "flash > +1 %", documents=(BASE,))
    assert isinstance(done.exception, ConfigError) and "at least two runs" in str(done.exception)


def folder_of_runs(board, link):
    for name, value in (("20261201-021530-accuracy", BASE), ("20261201-031530-accuracy", GROWN)):
        (board / name).mkdir(parents=True)
        (board / name / "bench.json").write_text(json.dumps(value))
    if link:
        (board / "latest").symlink_to("20261201-031530-accuracy")
    else:
        (board / "latest").write_text("20261201-031530-accuracy\n")


@pytest.mark.parametrize("link", [True, False])
def test_a_board_s_folder_means_its_latest_run(tmp_path, link):
    folder_of_runs(tmp_path / "b1", link and hasattr(os, "symlink"))
    first = str(tmp_path / "b1" / "20261201-021530-accuracy")
    done = CliRunner().invoke(app, ["compare", first, str(tmp_path / "b1"), "--fail-if", "flash > +1 %"])
    assert isinstance(done.exception, RegressionError) and "1,500 bytes against A 900 bytes" in done.output


def test_a_pointer_to_nowhere_names_the_runs(tmp_path):
    (tmp_path / "b1" / "old").mkdir(parents=True)
    (tmp_path / "b1" / "old" / "report.json").write_text("{}")
    (tmp_path / "b1" / "latest").write_text("gone\n")
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "b1"), str(tmp_path / "b1")])
    assert isinstance(done.exception, ArtifactError) and str(tmp_path / "b1" / "old") in str(done.exception)
