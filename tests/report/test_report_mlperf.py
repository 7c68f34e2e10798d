"""The session folder of MLPerf Tiny, read as the submission checker and the runner read theirs.

The patterns are those of tools/submission/submission_checker.py (mlcommons/tiny), in a simpler form: any text, a blank,
then the figure. It matches at the start of a line, except for the energy, which may stand anywhere.
"""

import json
import re
from datetime import datetime
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from edgekws import stats
from edgekws.errors import ArtifactError
from edgekws.mlperf import kws01
from edgekws.report import mlperf
from tests.report.documents import energy_section
from tests.report.sessions import answers, proved, samples, session_document

PATTERNS = {
    "top-1": re.compile(r".* Top[- ]1%?\s?[:=] ([\d.]+)"),
    "auc": re.compile(r".* AUC\s?[:=] ([\d.]+)"),
    "throughput": re.compile(r".* Median throughput is\s+([\d.]+) inf\./sec\."),
    "energy": re.compile(r".*Median energy cost is ([\d.]+) uJ/inf"),
}
AT = datetime(2026, 11, 25, 20, 1, 2)


@pytest.fixture
def make(graph):
    return partial(session_document, graph)


def runner_energy(entry):
    """(uJ per inference, seconds, mW) of a trial, as the runner of mlcommons/tiny computes them: the samples are joules
    per millisecond, and those between the last two events count."""
    events = [int(number) for number, _ in entry["power"]["timestamps"]]
    assert all(later - earlier == 1 for earlier, later in pairwise(events)), "none was lost"
    first, last = (int(at) for _, at in entry["power"]["timestamps"][-2:])
    joules, seconds = sum(entry["power"]["samples"][first:last]), (last - first) / 1000
    return 1e6 * joules / entry["infer"]["iterations"], seconds, 1e3 * joules / seconds


def grepped(folder):
    """Figures in a mode's results.txt as the checker reads them: the last match of each pattern."""
    figures = {}
    for line in (folder / "results.txt").read_text().splitlines():
        for name, pattern in PATTERNS.items():
            match = pattern.match(line)
            if match:
                figures[name] = float(match[1])
    return figures


def test_each_mode_has_its_folder_of_exactly_three_files(make, tmp_path):
    session = mlperf.write_session(make(), tmp_path, "m-ready\n", at=AT)
    assert session == tmp_path / "sessions" / "20261125_200102"
    assert sorted(path.name for path in session.iterdir()) == ["accuracy", "energy", "performance"]
    for folder in session.iterdir():
        assert sorted(path.name for path in folder.iterdir()) == ["log.txt", "results.json", "results.txt"]
        assert (folder / "log.txt").read_text().endswith("m-ready\n")
    assert [path.name for path in (tmp_path / "sessions").iterdir()] == ["20261125_200102"]


def test_the_checker_finds_its_figures(make, tmp_path):
    session = mlperf.write_session(make(), tmp_path, "", at=AT)
    rate = round(40 / 10.5, 3)
    assert grepped(session / "performance") == {"throughput": rate}
    assert grepped(session / "energy") == {"energy": 10500.0}
    results = (session / "energy" / "results.txt").read_text()
    for line in ("Power         : 40.0000 mW.", "Total Energy  : 420000.000 uJ", "Energy/Inf    : 10500.000 uJ/inf"):
        assert results.count(line) == 5  # 0.42 J of 40 inferences in 10.5 s
    figures = grepped(session / "accuracy")
    assert figures["top-1"] == 91.0 and 0.9 < figures["auc"] < 1.0


def test_an_accuracy_is_never_rounded_up_to_the_bar(make, tmp_path):
    bench = make(answers=answers(3000, wrong=301))  # 89.97 %
    bench["accuracy"] |= {"n": 3000, "files": proved(1000, 0)}
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    assert grepped(session / "accuracy")["top-1"] == 89.9


def test_the_area_is_that_of_probabilities_that_add_up_to_one(make, tmp_path):
    rng = np.random.default_rng(5)
    values = rng.integers(0, 80, (240, 12)) * rng.integers(1, 13, (240, 1))  # the sums differ from clip to clip
    kept = [{"file": f"{i}", "class": i % 12, "permille": row} for i, row in enumerate(values.tolist())]
    bench = make(answers=kept)
    bench["accuracy"] |= {"n": 240, "files": proved(1000, 0)}
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    truth, area = np.arange(240) % 12, grepped(session / "accuracy")["auc"]
    assert area == round(stats.macro_auc(truth, values / values.sum(axis=1, keepdims=True)), 3)
    assert area != round(stats.macro_auc(truth, values), 3)


def test_results_json_gives_the_runners_own_figures_again(make, tmp_path):
    session = mlperf.write_session(make(), tmp_path, "", at=AT)
    entries = {mode: json.loads((session / mode / "results.json").read_text()) for mode in mlperf.MODES}
    assert {mode: {entry["mode"] for entry in rows} for mode, rows in entries.items()} == {
        "performance": {"p"}, "accuracy": {"a"}, "energy": {"e"},
    }  # fmt: skip
    right = [int(np.argmax(entry["infer"]["results"])) == int(entry["class"]) for entry in entries["accuracy"]]
    assert sum(right) == 910 and entries["accuracy"][0]["classes"] == "12"
    rates = [1e6 * e["infer"]["iterations"] / e["infer"]["elapsed_time"] for e in entries["performance"]]
    assert rates == pytest.approx([e["infer"]["throughput"] for e in entries["performance"]]) and len(rates) == 5
    for mode in ("performance", "energy"):  # windows take the clips in turn
        assert [entry["file"] for entry in entries[mode]] == list(kws01.files())[:5]
    for entry in entries["energy"]:
        assert runner_energy(entry) == pytest.approx((10500.0, 10.5, 40.0), rel=1e-6)
        assert entry["power"]["voltage"] == 1.8 and entry["infer"]["warmups"] == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"valid": False, "reasons": ["board and interpreter differ on 3 of 40 clips"]}, "differ on 3"),
        ({"valid": False, "reasons": []}, "not valid"),
        ({"incomplete": "The port is gone.", "valid": False}, "The port is gone"),
        ({"kept": 999}, "999 answers were recorded for 1000"),
        ({"samples": None}, "samples of 0 windows were kept, not of 5"),
        ({"samples": samples()[:4]}, "samples of 4 windows were kept, not of 5"),
        ({"answers": None}, "0 answers"),
        ({"performance": None, "accuracy": None, "energy": None}, "nothing was measured"),
        ({"energy": energy_section("estimated")}, "the energy is estimated"),
        ({"energy": energy_section("measured")}, "energy: windows of 2.000 s"),
    ],
)
def test_an_invalid_run_is_no_session_unless_asked_for(make, tmp_path, change, why):
    with pytest.raises(ArtifactError, match=why):
        mlperf.write_session(make(**change), tmp_path, "", at=AT)
    assert not (tmp_path / "sessions").exists()
    if change.get("performance", 1) is None:
        return
    session = mlperf.write_session(make(**change), tmp_path, "", invalid_too=True, at=AT)
    for folder in session.iterdir():
        assert grepped(folder) == {} and f"ERROR: not valid: {why}"[:18] in (folder / "results.txt").read_text()


@pytest.mark.parametrize("windows", [[10.5] * 4, [10.5] * 6, [10.5, 10.5, 9.999, 10.5, 10.5]])
def test_five_windows_of_ten_seconds_each_are_required(make, tmp_path, windows):
    bench = make()
    bench["performance"] |= {"windows_s": windows, "iterations": [40] * len(windows)}
    with pytest.raises(ArtifactError, match=r"performance: (\d windows, not 5|windows of 9\.999 s)"):
        mlperf.write_session(bench, tmp_path, "", at=AT)


def test_deviations_from_the_benchmark_are_noted(make, tmp_path):
    session = mlperf.write_session(make(), tmp_path, "", at=AT)
    text = {folder.name: (folder / "results.txt").read_text() for folder in session.iterdir()}
    noted = {name: "NOT OF A BOARD: the figures are emulated" in results for name, results in text.items()}
    assert noted == {"performance": True, "accuracy": True, "energy": False}
    whole = make()
    whole["board"]["how"] = "measured"
    session = mlperf.write_session(whole, tmp_path / "whole", "", at=AT)
    results = (session / "accuracy" / "results.txt").read_text()
    assert "NOT" not in results and grepped(session / "accuracy")["top-1"] == 91.0
    assert "files: MLPerf Tiny kws01: 1,000 of 1,000 files, hashes verified" in results


@pytest.mark.parametrize(
    ("files", "dataset", "why"),
    [
        (None, "dev split", "1000 clips of dev split"),
        (proved(335, 0), "kws01, 335", "MLPerf Tiny kws01: 335 of 335 files, hashes verified, a part of the 1,000"),
        (
            proved(334, 665, "1 file with another content: a.bin"),
            "x",
            "NOT the official files of MLPerf Tiny kws01: 1 f",
        ),
    ],
)
def test_an_accuracy_of_other_clips_is_not_read_as_the_benchmarks(make, tmp_path, files, dataset, why):
    """Any 1,000 clips were taken for the benchmark's, for only their number was compared."""
    bench = make()
    bench["accuracy"] |= {"files": files, "dataset": dataset}
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    results = (session / "accuracy" / "results.txt").read_text()
    assert f"NOT THE BENCHMARK'S 1000 FILES: {why}" in results
    assert (
        "Top 1% (1000 clips, not the benchmark's 1000 files) = 91.0" in results and grepped(session / "accuracy") == {}
    )


def test_official_names_alone_give_no_accuracy_that_a_checker_reads(make, tmp_path):
    """Copies of one listed file per class under all official names gave `Top 1% =`: 665 contents are not listed."""
    bench = make()
    bench["accuracy"] |= {"files": proved(335, 665)}
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    results = (session / "accuracy" / "results.txt").read_text()
    assert "NOT PROVED TO BE THE BENCHMARK'S 1000 FILES: MLPerf Tiny kws01: names, classes and order of 1000" in results
    assert "Top 1% (1000 files, contents of 335 verified) = 91.0" in results and grepped(session / "accuracy") == {}


def test_the_clock_of_the_board_is_kept(make, tmp_path):
    bench = make()
    bench["performance"]["clock_us"] = [[11_000_000 * n, 11_000_000 * n + 10_500_000] for n in range(1, 6)]
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    for entry in json.loads((session / "performance" / "results.json").read_text()):
        infer = entry["infer"]
        assert infer["end_time"] - infer["start_time"] == infer["elapsed_time"] == 10_500_000


def test_a_session_is_never_overwritten(make, tmp_path):
    session = mlperf.write_session(make(), tmp_path, "one", at=AT)
    with pytest.raises(ArtifactError, match="should be a new folder"):
        mlperf.write_session(make(), tmp_path, "two", at=AT)
    assert (session / "energy" / "log.txt").read_text().endswith("one\n")


def test_a_performance_run_alone_has_one_folder(make, tmp_path):
    session = mlperf.write_session(make(accuracy=None, energy=None, answers=None), tmp_path, "", at=AT)
    assert [path.name for path in session.iterdir()] == ["performance"]
    assert grepped(session / "performance")["throughput"] > 0
