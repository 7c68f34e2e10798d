"""The checker of session folders: ours and the runner's pass, and every tampering is found."""

from __future__ import annotations

import json
import shutil
from datetime import datetime

import numpy as np
import pytest

from edgekws import stats
from edgekws.errors import ArtifactError
from edgekws.mlperf import kws01
from edgekws.report import mlperf
from edgekws.report.session_check import findings
from tests.conftest import random_graph
from tests.report.sessions import official_answers, proved, samples, session_document

AT = datetime(2026, 12, 1, 2, 3, 4)


def traffic(bench):
    """What the device printed, as the log of a session has it."""
    stamps = [stamp for pair in bench["performance"]["clock_us"] for stamp in pair]
    printed = [f"m-lap-us-{stamp}" for stamp in stamps]
    printed += [f"m-results-[{','.join(f'{v / 1000:.3f}' for v in answer['permille'])}]" for answer in bench["answers"]]
    return "".join(f"00001.000 < {line}\n" for line in printed)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    bench = session_document(random_graph())
    bench["board"]["how"] = "measured"
    bench["performance"]["clock_us"] = [[11_000_000 * n, 11_000_000 * n + 10_500_000] for n in range(1, 6)]
    return mlperf.write_session(bench, tmp_path_factory.mktemp("session"), traffic(bench), at=AT)


@pytest.fixture
def ours(written, tmp_path):
    """A copy of our session, to be tampered with."""
    return shutil.copytree(written, tmp_path / "session")


def errors(folder):
    return [f"{finding.what}: {finding.got}" for finding in findings(folder) if finding.level == "error"]


def test_our_session_passes(ours):
    assert errors(ours) == []
    warned = [finding.what for finding in findings(ours) if finding.level == "warning"]
    assert warned == []
    assert sum(finding.level == "ok" for finding in findings(ours)) > 20
    assert len(findings(ours / "energy")) < len(findings(ours))


@pytest.mark.parametrize("older", [False, True])
def test_official_names_with_contents_that_are_not_verified_do_not_pass(tmp_path, older):
    bench = session_document(random_graph(), files=proved(335, 665))
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    if older:  # sessions were once written without the caveat and with the figures as a checker reads them
        replaced(session, "accuracy", "NOT PROVED TO BE THE BENCHMARK'S 1000 FILES", "files")
        replaced(session, "accuracy", " (1000 files, contents of 335 verified) = ", " = ")
    found = [text for text in errors(session) if text.startswith("accuracy")]
    assert len(found) == 1 and "contents of the official files" in found[0] and "of 665 not listed here" in found[0]


def edit(folder, mode, change):
    """Tamper with results.json."""
    path = folder / mode / "results.json"
    entries = json.loads(path.read_text())
    change(entries)
    path.write_text(json.dumps(entries))


def replaced(folder, mode, old, new):
    """Tamper with results.txt."""
    path = folder / mode / "results.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def slower(entries):
    for entry in entries:
        entry["infer"] |= {"elapsed_time": 9_999_999, "throughput": 40 / 9.999999}


TAMPERED = {
    "a window less": ("performance", lambda e: e.pop(), "performance: 5 windows: 4"),
    "windows that are too short": (
        "performance",
        slower,
        "each window lasts 10 s at least, on the device's clock: window 1: 9.999999 s",
    ),
    "more inferences": (
        "performance",
        lambda e: [entry["infer"].update(iterations=41) for entry in e],
        "throughput of results.txt is that of results.json: 3.81, but computed 3.90",
    ),
    "a faster rate": ("performance", lambda e: e[0]["infer"].update(throughput=5.0), "5, not 3.80952"),
    "another elapsed time": (
        "performance",
        lambda e: e[1]["infer"].update(elapsed_time=10_400_000),
        "32500000 - 22000000 is not 10400000",
    ),
    "another clock": (
        "performance",
        lambda e: e[4]["infer"].update(start_time=55_000_001, end_time=65_500_001),
        "log.txt has the time stamps and answers of results.json: m-lap-us-55000001",
    ),
    "a clock that runs backwards": (
        "performance",
        lambda e: e[4]["infer"].update(start_time=1, end_time=10_500_001),
        "go forward: 1 after 54500000",
    ),
    "an error of the runner": ("performance", lambda e: e.append({"error": "error 2", "mode": "p"}), "error 2"),
    "a file less": ("accuracy", lambda e: e.pop(), "accuracy: 1000 files: 999"),
    "a file twice": ("accuracy", lambda e: e.append(e[0]), "1 file that is there twice: tst_000000_Stop_7.bin"),
    "a renamed file": ("accuracy", lambda e: e[7].update(file="mine.bin"), "1 file of another name: mine.bin"),
    "swapped classes": (
        "accuracy",
        lambda e: (e[0].update({"class": "2"}), e[1].update({"class": "7"})),
        "2 files with another class: tst_000000_Stop_7.bin as 2, not 7",
    ),
    "another order": ("accuracy", lambda e: e.reverse(), "another order, from tst_000998_Off_4.bin on"),
    "a better answer": (
        "accuracy",
        lambda e: [entry["infer"].update(results=[float(k == int(entry["class"])) for k in range(12)]) for entry in e],
        "top-1 of results.txt is that of results.json: 91, but computed 100",
    ),
    "an answer that the device did not give": (
        "accuracy",
        lambda e: e[500]["infer"]["results"].__setitem__(0, 0.028),
        "log.txt has the time stamps and answers of results.json: m-results-[0.028",
    ),
    "no scores": ("accuracy", lambda e: e[3]["infer"].update(results=[]), "results.json has the fields of the runner"),
    "samples of 17 ms": (
        "energy",
        lambda e: e[0]["power"].update(samples=[0.00068] * 618, timestamps=[["000", 0], ["001", 618]]),
        "on the meter's clock: window 1: 0.618000 s",
    ),
    "half of the joules": (
        "energy",
        lambda e: [entry["power"].update(samples=[v / 2 for v in entry["power"]["samples"]]) for entry in e],
        "energy of results.txt is that of results.json: 10500, but computed 5250",
    ),
    "one window of more": (
        "energy",
        lambda e: e[2]["power"].update(samples=[1.1 * v for v in e[2]["power"]["samples"]]),
        "the energy of each window is that of its samples: 10500 uJ, but computed 11550",
    ),
    "windows that differ": (
        "energy",
        lambda e: e[2]["power"].update(samples=[1.4 * v for v in e[2]["power"]["samples"]]),
        "agree within 5%",
    ),
    "a lost edge": ("energy", lambda e: e[0]["power"]["timestamps"].pop(), "events [0] of a window: two in a row"),
    "edges out of order": ("energy", lambda e: e[0]["power"]["timestamps"].reverse(), "events [1, 0]"),
    "an edge behind the samples": (
        "energy",
        lambda e: e[0]["power"].update(timestamps=[["0", 1], ["1", 10**6]]),
        "to 1000000 of 12500",
    ),
    "a sample that is no number": (
        "energy",
        lambda e: e[0]["power"]["samples"].__setitem__(1500, float("nan")),
        "no numbers",
    ),
    "no inferences": ("energy", lambda e: e[0]["infer"].update(iterations=0), "0 in place of a positive number"),
    "two modes": ("energy", lambda e: e[0].update(mode="p"), "entries of the modes e, p"),
    "another mode": ("energy", lambda e: [entry.update(mode="a") for entry in e], "entries of the modes a in energy"),
    "nothing": ("energy", lambda e: e.clear(), "should be a list of entries"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_results_json_is_found(ours, name):
    mode, change, expected = TAMPERED[name]
    edit(ours, mode, change)
    assert any(expected in error for error in errors(ours)), errors(ours)


@pytest.mark.parametrize(
    ("mode", "old", "new", "expected"),
    [
        (
            "performance",
            "Median throughput is      3.810",
            "Median throughput is      4.810",
            "4.81, but computed 3.8095",
        ),
        ("performance", "Median throughput", "Mean throughput", "no such line; it should be 3.80952"),
        ("accuracy", "Top 1% = 91.0", "Top 1% = 91.2", "91.2, but computed 91"),
        ("accuracy", "Top 1% = 91.0", "Top 1% = 90.8", "90.8, but computed 91"),
        ("accuracy", "AUC = 0.9", "AUC = 0.8", "AUC of results.txt is that of results.json: 0.8"),
        ("energy", "cost is 10500.0000", "cost is 10480.0000", "10480, but computed 10500"),
        ("energy", "Energy/Inf    : 10500.000", "Energy/Inf    : 9000.000", "9000 uJ, but computed 10500"),
        ("energy", "Energy data for trial 4", "ERROR: not valid: lost samples", "ERROR: not valid: lost samples"),
        ("energy", "Energy data for trial 4", "NOT LIVE: recorded traffic was played back", "NOT LIVE"),
    ],
)
def test_a_tampered_results_txt_is_found(ours, mode, old, new, expected):
    replaced(ours, mode, old, new)
    assert any(expected in error for error in errors(ours)), errors(ours)


def test_a_replay_is_an_error_and_an_emulator_a_warning(graph, tmp_path):
    bench = session_document(graph)
    bench["performance"]["clock_us"] = [[11_000_000 * n, 11_000_000 * n + 10_500_000] for n in range(1, 6)]
    bench["provenance"] |= {"source": "replay", "recorded": "2026-11-30T10:00:00+00:00"}
    found = findings(mlperf.write_session(bench, tmp_path, "", at=AT))
    assert {finding.level for finding in found if "REPLAY of traffic recorded 2026-11-30" in finding.got} == {"error"}
    assert {finding.level for finding in found if "NOT OF A BOARD" in finding.got} == {"warning"}


def test_an_accuracy_of_other_clips_is_an_error(graph, tmp_path):
    bench = session_document(graph, answers=official_answers()[:40])
    bench["accuracy"] |= {"n": 40, "files": None, "dataset": "dev split"}
    session = mlperf.write_session(bench, tmp_path, "", at=AT)
    assert errors(session / "accuracy") == [
        "accuracy: 1000 files: 40",
        "accuracy: contents of the official files, as the session states: 40 clips of dev split",
    ]


@pytest.mark.parametrize("name", ["log.txt", "results.txt", "results.json"])
def test_a_missing_file_is_an_error(ours, name):
    (ours / "accuracy" / name).unlink()
    assert any(error.endswith(f"no {name}") for error in errors(ours))


def test_other_folders_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ArtifactError, match="should be a session of MLPerf Tiny"):
            findings(folder)


# What the runner of mlcommons/tiny writes: one folder for a mode, no word on where the figures come from


def runner_session(folder, mode, entries, text):
    folder.mkdir()
    (folder / "log.txt").write_text("Logging initialized.\n")
    (folder / "results.txt").write_text(text)
    (folder / "results.json").write_text(json.dumps([{**entry, "mode": mode} for entry in entries]))
    return folder


def clip(place):
    file = list(kws01.files().values())[place]
    more = {"bytes_to_send": None, "stride": None, "total_length": None}
    return {"file": file.name, "classes": "12", "class": str(file.label), **more}


def test_the_runners_performance_session_passes(tmp_path):
    rng = np.random.default_rng(1)
    entries, start = [], 114_879_046
    for place in range(5):
        took = int(rng.integers(10_800_000, 10_900_000))
        infer = {"start_time": start, "end_time": start + took, "results": [0.0] * 11 + [0.996], "elapsed_time": took}
        infer |= {"total_inferences": 1, "iterations": 250, "warmups": 1, "throughput": 250 / (took / 1e6)}
        entries.append({**clip(place), "infer": infer})
        start += took + 100_000
    middle = np.median([entry["infer"]["throughput"] for entry in entries])
    text = f"0726.010245 ulp-mlperf: Median throughput is {middle:>10.3f} inf./sec.\n"
    session = runner_session(tmp_path / "20260726_010245", "p", entries, text)
    assert errors(session) == []
    assert [finding.got for finding in findings(session) if finding.level == "warning"] == [
        "nothing, as the runner of mlcommons/tiny"
    ]


def test_the_runner_accepts_windows_of_two_seconds_and_we_do_not(tmp_path):
    """It tests only that its whole loop took 10 s on the host's clock."""
    infer = {"start_time": 1, "end_time": 2_500_001, "results": [1.0] + [0.0] * 11, "elapsed_time": 2_500_000}
    infer |= {"total_inferences": 1, "iterations": 50, "warmups": 1, "throughput": 20.0}
    text = "0726.010245 ulp-mlperf: Median throughput is     20.000 inf./sec.\n"
    session = runner_session(tmp_path / "short", "p", [{**clip(place), "infer": infer} for place in range(5)], text)
    assert any("lasts 10 s at least" in error and "window 1: 2.500000 s" in error for error in errors(session))


def test_the_runners_accuracy_session_passes(tmp_path):
    rows = official_answers(wrong=98)
    entries = [
        {**clip(place), "infer": {"results": [value / 1000 for value in row["permille"]], "elapsed_time": 5000}}
        for place, row in enumerate(rows)
    ]
    scores = np.array([row["permille"] for row in rows], float)
    area = stats.macro_auc(np.array([row["class"] for row in rows]), scores / scores.sum(axis=1, keepdims=True))
    text = f"0726.010109 ulp-mlperf: Top 1% = 90.2\n0726.010109 ulp-mlperf: AUC = {area:.3f}\n"
    assert errors(runner_session(tmp_path / "accuracy", "a", entries, text)) == []


def test_the_runners_energy_session_passes(tmp_path):
    """Its first window also has the edges from before: the last two count. The lines have no prefix."""
    entries, lines = [], ["Power Edition Output"]
    for place, kept in enumerate(samples()):
        early = [["000", 10], ["001", 500]] if place == 0 else []
        stamps = [*early, *([f"{len(early) + event:03d}", at] for event, at in enumerate(kept["edges"]))]
        power = {"samples": kept["joules"], "timestamps": stamps, "extracted_power": None, "voltage": 1.8}
        infer = {"results": [1.0] + [0.0] * 11, "total_inferences": 1, "iterations": 250, "warmups": 1}
        entries.append({**clip(place), "infer": infer, "power": power})
        lines.append(f"  Energy/Inf    : {0.42e6 / 250:.3f} uJ/inf")
    text = "\n".join([*lines, f"Median energy cost is {0.42e6 / 250:5.4f} uJ/inf.", ""])
    assert errors(runner_session(tmp_path / "20260726_0", "e", entries, text)) == []
