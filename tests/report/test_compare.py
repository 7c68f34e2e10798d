"""Comparisons: which figures may be compared, which differences are significant, which runs are refused."""

import json
import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.errors import ArtifactError, ConfigError
from edgekws.report import build_report, document
from edgekws.report.compare import compare, judged, ranked
from edgekws.report.compare.figures import METRICS, Value
from edgekws.report.compare.pages import to_markdown, write_comparison
from edgekws.report.compare.runs import load
from edgekws.report.compare.scatter import plots
from tests.conftest import random_graph
from tests.report.documents import Page, energy_section
from tests.report.runs import GRAPH, bench, runs

OTHER = random_graph(seed=7)


def cells(compared, metric, how=None):
    """By run: the cells of a metric's rows, of one kind if asked."""
    rows = [row for group in compared["groups"] for row in group["rows"] if row["metric"] == metric]
    return {cell["run"]: cell for row in rows if how in (None, row["how"]) for cell in row["cells"] if cell}


def test_ratios_are_against_the_first_run():
    times = ((100.0, 101.0, 102.0), (49.0, 50.5, 51.0), (100.5, 101.0, 103.0))
    latencies = cells(compare(runs(*(bench("measured", us) for us in times))), "latency")
    assert (latencies["A"]["verdict"], latencies["A"]["change"]) == ("base", None)
    assert (latencies["B"]["verdict"], latencies["B"]["change"]) == ("better", 0.5)
    assert (latencies["C"]["verdict"], latencies["C"]["change"]) == ("unclear", 1.0)


def test_one_window_of_real_time_proves_no_difference():
    """Instructions are exact."""
    two, less = (bench("measured", (us,) * 2) for us in (100.0, 99.0))
    assert cells(compare(runs(two, less)), "latency")["B"]["verdict"] == "better"
    one, one_less = (bench("measured", (us,) * 2) for us in (100.0, 99.0))
    for single in (one, one_less):
        single["performance"]["latencies_us"].pop()
    for pair in ((one, one_less), (one, less), (less, one)):
        assert cells(compare(runs(*pair)), "latency")["B"]["verdict"] == "unclear"
    counted = compare(runs(bench(us=(100.0,) * 2), bench(us=(99.0,) * 2)))
    assert cells(counted, "instructions")["B"]["verdict"] == "better" and cells(counted, "latency") == {}


def test_one_window_of_energy_proves_no_difference():
    def document_of(uj, windows):
        section = energy_section("measured")
        each = [{**section["windows"][0], "uj_per_inference": uj}] * windows
        return bench("measured", energy={**section, "windows": each, "uj_per_inference": uj})

    for windows, verdict in ((1, "unclear"), (2, "better")):
        compared = compare(runs(document_of(1000.0, windows), document_of(990.0, windows)))
        assert cells(compared, "energy")["B"]["verdict"] == verdict


def test_an_accuracy_is_better_only_when_the_intervals_lie_apart():
    accuracies = cells(compare(runs(bench(right=60), bench(right=70), bench(right=105), bench(right=20))), "accuracy")
    assert [accuracies[name]["verdict"] for name in "ABCD"] == ["base", "unclear", "better", "worse"]
    assert (
        accuracies["C"]["change"] == pytest.approx(45 / 110)
        and accuracies["A"]["low"] < 60 / 110 < accuracies["A"]["high"]
    )


def test_sizes_are_exact():
    smaller = bench(firmware={"sha256": "", "flash_bytes": 450, "ram_bytes": 77})
    compared = compare(runs(bench(), smaller))
    flash, ram = cells(compared, "flash"), cells(compared, "ram")
    assert (flash["B"]["verdict"], flash["B"]["change"]) == ("better", 0.5)
    assert (ram["B"]["verdict"], ram["B"]["change"]) == ("same", 1.0)


def test_sizes_of_a_host_build_are_not_of_a_board():
    assert cells(compare(runs(bench(), bench("computed"))), "flash").keys() == {"A"}


def test_kinds_have_separate_tables():
    compared = compare(runs(bench(), bench("measured"), bench(), bench("computed")))
    groups = {group["how"]: group["runs"] for group in compared["groups"]}
    assert groups == {"measured": ["B"], "emulated": ["A", "C"], "computed": ["D"]}
    assert any("emulated (A, C), measured (B), computed (D)" in note for note in compared["notes"])
    assert {name: cell["verdict"] for name, cell in cells(compared, "latency").items()} == {"B": "base", "D": "base"}
    assert {name: cell["verdict"] for name, cell in cells(compared, "instructions").items()} == {
        "A": "base",
        "C": "same",
    }


def test_an_estimate_is_never_the_base_of_a_measured_energy():
    estimated, measured = (bench("measured", energy=energy_section(how)) for how in ("estimated", "measured"))
    compared = compare(runs(estimated, measured, estimated))
    assert cells(compared, "energy", "measured").keys() == {"B"}
    energies = cells(compared, "energy", "estimated")
    assert (energies["A"]["verdict"], energies["C"]["verdict"]) == ("base", "unclear")
    assert (energies["A"]["low"], energies["A"]["high"]) == (1000.0, 4000.0)
    text = to_markdown(compared)
    assert "energy per inference (estimated) | ≈ 2,000 uJ [1,000 to 4,000] (base) |  | ≈ 2,000 uJ" in text


def test_instructions_are_compared_whatever_the_clock_of_the_emulator():
    slow = bench()
    slow["board"] = {**slow["board"], "icount_shift": 3}
    compared = compare(runs(bench(), slow))
    assert cells(compared, "instructions")["B"]["change"] == 1.0 and cells(compared, "latency") == {}


def test_data_sets_are_not_mixed():
    other = bench()
    other["accuracy"] = {**other["accuracy"], "dataset": "my words"}
    compared = compare(runs(bench(), other))
    assert cells(compared, "accuracy")["B"]["verdict"] == cells(compared, "auc")["B"]["verdict"] == "none"
    assert any("different data sets (A: dev split; B: my words)" in note for note in compared["notes"])


def test_different_graphs_and_boards_are_noted():
    message = " ".join(compare(runs(bench(), bench("measured", graph=OTHER)))["notes"])
    assert (
        "different graphs (A: random" in message
        and "different boards (A: emulated-board; B: measured-board)" in message
    )
    assert compare(runs(bench(), bench()))["notes"] == []


def test_an_invalid_run_is_shown_and_not_compared():
    bad = bench("measured", us=(1.0, 1.0, 1.0), valid=False, reasons=["window 2 is short"])
    loaded = runs(bad, bench("measured"), bench("measured", us=(200.0, 202.0, 203.0)))
    compared = compare(loaded)
    latency = cells(compared, "latency")
    assert [latency[name]["verdict"] for name in "ABC"] == ["none", "base", "worse"]
    assert any("A is not valid" in note and "window 2 is short" in note for note in compared["notes"])
    assert [entry.name for entry in ranked(loaded, "latency")] == ["B", "C", "A"]


def test_an_aborted_run_says_why():
    compared = compare(runs(bench(), bench(valid=False, reasons=["x"], incomplete="The port is gone.")))
    assert any("B is not valid" in note and "The port is gone." in note for note in compared["notes"])


@pytest.mark.parametrize("metric", ["latency", "accuracy", "flash", "instructions"])
def test_the_best_comes_first(metric):
    how = "measured" if metric == "latency" else "emulated"
    good = bench(how, us=(1.0, 1.0, 1.0), right=109, firmware={"sha256": "", "flash_bytes": 1, "ram_bytes": 1})
    assert ranked(runs(bench(how), good, bench(how, right=50)), metric)[0].name == "B"


@pytest.mark.parametrize(
    ("documents", "metric", "message"),
    [
        ((bench(), bench("measured")), "latency", r"none in A, emulated.*--sort instructions"),
        (
            (bench(energy=energy_section("estimated")), bench(energy=energy_section("measured"))),
            "energy",
            "B: measured",
        ),
        ((bench("measured"), bench("measured", performance=None)), "latency", "none in B"),
        ((bench(), bench()), "beauty", "--sort beauty is not known"),
    ],
)
def test_a_ranking_over_kinds_is_refused(documents, metric, message):
    with pytest.raises(ConfigError, match=message):
        ranked(runs(*documents), metric)


def test_one_run_is_no_comparison():
    with pytest.raises(ConfigError, match="at least two runs"):
        compare(runs(bench()))


KINDS = st.sampled_from(["measured", "emulated", "computed"])
RUN = st.builds(
    lambda how, us, energy, valid: bench(
        how, (us, us, us * 1.01), energy=energy and energy_section(energy), valid=valid, reasons=[] if valid else ["x"]
    ),
    KINDS, st.floats(1, 1e6), st.sampled_from([None, "measured", "emulated", "estimated"]), st.booleans(),
)  # fmt: skip


@given(st.lists(RUN, min_size=2, max_size=5))
def test_no_ratio_ever_joins_two_kinds(documents):
    loaded = runs(*documents)
    by_name = {entry.name: entry for entry in loaded}
    for group in compare(loaded)["groups"]:
        for row in group["rows"]:
            compared = [cell for cell in row["cells"] if cell and cell["verdict"] != "none"]
            bases = {by_name[cell["run"]].values[row["metric"]].basis for cell in compared}
            assert len(bases) <= 1 and {by_name[cell["run"]].how for cell in compared} <= {group["how"]}
            assert all(by_name[cell["run"]].valid for cell in compared)
    for metric in ("latency", "energy"):
        valid = [entry for entry in loaded if entry.valid]
        kinds = {entry.values[metric].basis for entry in valid if metric in entry.values}
        fair = all(metric in entry.values for entry in valid) and len(kinds) < 2
        try:
            best = ranked(loaded, metric)[: len(valid)]
            values = [entry.values[metric].value for entry in best]
            assert fair and values == sorted(values)
        except ConfigError:
            assert not fair


VALUES = st.tuples(st.floats(0, 100), st.floats(0, 10), st.floats(0, 10)).map(
    lambda parts: Value(parts[0], "us", "measured", (parts[0] - parts[1], parts[0] + parts[2]), "x")
)


@given(VALUES, VALUES)
def test_swapping_the_runs_swaps_the_verdict(one, two):
    turned = {"better": "worse", "worse": "better", "same": "same", "unclear": "unclear"}
    for metric in (METRICS["latency"], METRICS["accuracy"]):
        assert judged(metric, one, two) == turned[judged(metric, two, one)]


def test_files_and_folders_of_both_versions_are_read(tmp_path):
    report = build_report("New", GRAPH, bench()).to_json()
    old = {key: value for key, value in bench().items() if key not in ("incomplete", "modes", "energy", "transfers")}
    for name, value in (("new/report.json", report), ("bench.json", bench()), ("old.json", {**old, "version": 1})):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(value))
    loaded = load([tmp_path / "new", tmp_path, tmp_path / "old.json"])
    assert [entry.name for entry in loaded] == ["A", "B", "C"] and loaded[0].title == "New"
    counted = cells(compare(loaded), "instructions")
    assert [counted[name]["verdict"] for name in "ABC"] == ["base", "same", "none"]
    assert "other source: unknown against live" in counted["C"]["why"]
    assert cells(compare(loaded), "parameters").keys() == {"A"}


def test_a_folder_without_a_report_names_those_below_it(tmp_path):
    (tmp_path / "bench" / "b1").mkdir(parents=True)
    (tmp_path / "bench" / "b1" / "report.json").write_text("{}")
    with pytest.raises(ArtifactError, match=re.escape(str(tmp_path / "bench" / "b1"))):
        load([tmp_path])


def test_a_report_without_a_board_has_its_sizes(tmp_path):
    loaded = runs(build_report("Export", GRAPH).to_json(), build_report("Other", OTHER).to_json())
    compared = compare(loaded)
    assert compared["groups"][0]["how"] == "computed" and cells(compared, "parameters")["B"]["verdict"] == "same"
    assert [entry["valid"] for entry in compared["runs"]] == [None, None]


def test_more_correct_answers_than_clips_are_refused():
    with pytest.raises(ArtifactError, match="correct answers"):
        runs(document.checked(bench(right=111), "it"))


@pytest.fixture
def several():
    bad = bench(us=(1.0, 1.0, 1.0), valid=False, reasons=["<short> | window"])
    energies = [bench("measured", energy=energy_section(how), right=90) for how in ("measured", "estimated")]
    return runs(bench(), bad, *energies, bench(right=80, graph=OTHER))


def test_the_three_files_say_the_same(several, tmp_path):
    paths = write_comparison(several, tmp_path)
    assert [path.name for path in paths] == ["compare.json", "compare.md", "compare.html"]
    compared, markdown, page = (path.read_text() for path in paths)
    assert json.loads(compared) == json.loads(json.dumps(compare(several)))
    shown = Page(page)
    assert "NOT VALID" in shown.text and "NOT VALID" in markdown and "<short> | window" in shown.text
    assert "≈ 2,000 uJ [1,000 to 4,000]" in shown.text and ("class", "void") in shown.attributes
    assert len(shown.ids) == len(set(shown.ids)) and not re.search(r"<script|<link|<img|\bsrc=", page)
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]\b", page)
    blocks = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)]
    assert all(len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1 for block in blocks)


def test_plots_never_share_axes_between_kinds_or_data_sets(several):
    titles = [title for title, _ in plots(several)]
    assert titles == [
        "Accuracy against flash, emulated: dev split",
        "Accuracy against instructions per inference, emulated: dev split",
        "Accuracy against flash, measured: dev split",
        "Accuracy against latency, measured: dev split",
    ]
    flash = dict(plots(several))["Accuracy against flash, emulated: dev split"]
    names = re.findall(r">\s*([A-E])\s*<", flash)
    assert names == ["A", "B", "E"]


def invoke(tmp_path, *arguments, documents):
    paths = []
    for number, value in enumerate(documents):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(value))
    return CliRunner().invoke(app, ["compare", *map(str, paths), *arguments])


def test_the_command_shows_sorts_and_writes(tmp_path):
    two = (bench("measured"), bench("measured", us=(49.0, 50.5, 51.0)))
    done = invoke(tmp_path, "--sort", "latency", "--out", str(tmp_path / "out"), documents=two)
    assert done.exit_code == 0, done.output
    assert done.output.index("1.json") < done.output.index("0.json") and "× 2.000, worse" in done.output
    assert (tmp_path / "out" / "compare.html").exists()


def test_titles_are_text_and_no_markup(tmp_path):
    titled = bench()
    titled["board"] = {**titled["board"], "title": "a board [/red] [dim]"}
    done = invoke(tmp_path, documents=(titled, bench()))
    assert done.exit_code == 0 and "a board [/red] [dim]" in done.output


@pytest.mark.parametrize(("how", "sort"), list(product(["measured", "computed"], ["latency", "accuracy"])))
def test_the_command_refuses_to_rank_kinds(tmp_path, how, sort):
    done = invoke(tmp_path, "--sort", sort, documents=(bench(), bench(how)))
    message = "emulated boards have instructions and no time" if sort == "latency" else "needs figures of one kind"
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)
