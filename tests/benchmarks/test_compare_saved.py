"""benchmarks/compare_saved.py: the last saved run beside the one before it."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from edgekws.errors import ArtifactError

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "compare_saved.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("compare_saved", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def save(tmp_path):
    """Writes a run as pytest-benchmark does: name -> (median, half of the middle half, extra_info)."""

    def write(number, rows, cpu="One", folder="Linux-CPython-3.11-64bit"):
        benchmarks = [
            {
                "fullname": f"benchmarks/{name}",
                "stats": {"median": median, "q1": median - half, "q3": median + half},
                "extra_info": extra,
            }
            for name, (median, half, extra) in rows.items()
        ]
        content = {
            "datetime": f"2026-11-25T20:00:{number:02d}.1", "commit_info": {"id": "a" * 40, "dirty": True},
            "machine_info": {"cpu": {"brand_raw": cpu}, "python_version": "3.11.7"}, "benchmarks": benchmarks,
        }  # fmt: skip
        path = tmp_path / folder / f"{number:04d}_{'a' * 40}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write


def line(text, name):
    return [cell.strip() for cell in re.search(rf"^\| {re.escape(name)} \|(.*)\|$", text, re.MULTILINE)[1].split("|")]


def test_nothing_saved_and_a_first_run_say_so(script, save, tmp_path):
    assert "No run is saved yet" in script.comparison(script.saved(tmp_path))
    save(1, {"a": (1e-3, 1e-5, {"instructions": 1234567})})
    text = script.comparison(script.saved(tmp_path))
    assert "nothing to compare it with" in text and line(text, "a") == ["", "1 ms", "", "new", "instructions 1,234,567"]


def test_the_last_two_runs_are_compared(script, save, tmp_path):
    save(1, {"a": (9.0, 0.1, {}), "b": (9.0, 0.1, {})})
    before = {"a": (2.0, 0.1, {}), "b": (2.0, 0.3, {}), "c": (2e-5, 1e-9, {}), "old": (1.0, 0.1, {}), "d": (1, 0, {})}
    save(9, before)
    save(
        10, {"a": (3.0, 0.1, {}), "b": (2.2, 0.3, {}), "c": (1e-5, 1e-9, {}), "new": (1.0, 0.1, {}), "d": (1.01, 0, {})}
    )
    text = script.comparison(script.saved(tmp_path))
    assert line(text, "a")[:4] == ["2 s", "3 s", "1.500", "slower"]
    assert line(text, "b")[:4] == ["2 s", "2.2 s", "1.100", "noise"]
    assert line(text, "c")[:4] == ["20 us", "10 us", "0.500", "faster"]
    assert (
        line(text, "d")[3] == "noise" and line(text, "new")[3] == "new" and "Not run this time: benchmarks/old." in text
    )
    assert "commit aaaaaaaaaaaa with changes" in text and "Other machine" not in text


def test_instructions_are_compared_to_a_ten_thousandth(script, save, tmp_path):
    one, two = {"instructions": 2_445_827, "how": "emulated"}, {"instructions": 2_445_826, "how": "emulated"}
    save(1, {"a": (1.0, 0.1, one), "b": (1.0, 0.1, one), "c": (1.0, 0.1, {})})
    save(2, {"a": (1.0, 0.1, two), "b": (1.0, 0.1, {**two, "instructions": 2_500_000}), "c": (1.0, 0.1, one)})
    text = script.comparison(script.saved(tmp_path))
    assert line(text, "a")[4] == "" and line(text, "b")[4] == "instructions 2,445,827 -> 2,500,000"
    assert "instructions unknown -> 2,445,827" in line(text, "c")[4]


def test_another_machine_is_said(script, save, tmp_path):
    save(1, {"a": (1.0, 0.1, {})})
    save(2, {"a": (1.0, 0.1, {})}, cpu="Two")
    assert "**Other machine: One, Python 3.11.7, then Two" in script.comparison(script.saved(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"benchmarks": [{}]}', '{"benchmarks": 3}'])
def test_a_damaged_file_is_named(script, save, tmp_path, content):
    save(1, {"a": (1.0, 0.1, {})}).write_text(content)
    with pytest.raises(ArtifactError, match=r"0001_a+\.json should be a saved run"):
        script.comparison(script.saved(tmp_path))


@pytest.mark.slow
def test_what_pytest_benchmark_saves_is_read(script, tmp_path):
    """The real plug-in, on a benchmark of nothing, twice."""
    import os
    import subprocess
    import sys

    suite = tmp_path / "test_nothing.py"
    suite.write_text(
        "def test_nothing(benchmark):\n    benchmark.extra_info['instructions'] = 7\n    benchmark(lambda: 1)\n"
    )
    options = [
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "--benchmark-only",
        "--benchmark-autosave",
        "--rootdir",
        tmp_path,
    ]
    apart = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}  # not one of xdist's own
    more = [f"--benchmark-storage={tmp_path / 'saved'}", "--benchmark-max-time=0.01", "-q"]
    for _ in range(2):
        command = [sys.executable, "-m", "pytest", suite, *options, *more]
        subprocess.run(list(map(str, command)), check=True, cwd=tmp_path, capture_output=True, env=apart)
    out = tmp_path / "compare.md"
    subprocess.run(
        [sys.executable, SCRIPT, "--storage", tmp_path / "saved", "--out", out], check=True, capture_output=True
    )
    assert re.search(r"^\| test_nothing\.py::test_nothing \| .* us \| .* us \|", out.read_text(), re.MULTILINE)
