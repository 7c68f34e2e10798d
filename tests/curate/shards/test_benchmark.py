"""benchmarks/select_scale.py on small data: kills, resumes, compares, and writes no result."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "select_scale.py"


@pytest.mark.slow
def test_the_benchmark_runs_on_small_data_and_leaves_the_results_alone(tmp_path):
    results = SCRIPT.parent / "results" / "select_scale.json"
    before = results.read_bytes()
    small = ["--clips", "40000", "--dimensions", "128", "--words", "30", "--shards", "3", "--size", "50"]
    options = ["--kill-after", "0.6", "--again", "--folder", str(tmp_path / "home")]
    done = subprocess.run([sys.executable, str(SCRIPT), *small, *options], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["same_when_undisturbed"] for row in rows] == [True, True]
    assert all(row["attempts"][0]["killed"] and 0 < row["peak_bytes"] < 2e9 for row in rows)
    assert "| kcenter |" in done.stdout
    assert "| 64 |" in done.stdout
    assert not (tmp_path / "home").exists()
    assert results.read_bytes() == before
