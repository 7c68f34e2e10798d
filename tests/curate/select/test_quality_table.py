"""benchmarks/select_quality.py: tasks match their description, and the interval is of paired differences."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("select_quality", FOLDER / "select_quality.py")
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_a_case_depends_on_its_name_and_seed_only(script):
    first, again, other = script.case("plain", 1), script.case("plain", 1), script.case("plain", 2)
    assert np.array_equal(first.pool.vectors, again.pool.vectors) and np.array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.pool.vectors, other.pool.vectors)


@pytest.mark.parametrize("name", ["plain", "wrong", "noise", "near", "modes", "tails", "uneven", "wide"])
def test_a_task_plants_label_errors_and_has_the_challenges_class_ratios(name, script):
    task, result = script.TASKS[name], script.case(name, 0)
    assert result.wrong.mean() == pytest.approx(task.wrong, abs=0.03)
    targets, others = (result.pool.classes >= 0).sum(), (result.pool.classes < 0).sum()
    assert (result.truth < 5).sum() == sum(each // 4 for each in task.pool_each) <= targets / 4
    assert (result.truth == 5).sum() == 3 * others
    assert result.pool.vectors.shape[1] == task.dimensions and np.isfinite(result.vectors).all()


def test_the_interval_is_of_paired_differences(script):
    result = script.difference([0.5, 0.7, 0.6], [0.4, 0.5, 0.45])
    assert result["mean"] == pytest.approx(0.15)
    assert result["half"] == pytest.approx(4.303 * 0.05 / math.sqrt(3))


def test_the_table_has_one_row_per_task_and_size(script):
    scores = {"proxy_exchange": [0.5, 0.6], "random": [0.4, 0.3]}
    row = {"task": "plain", "size": 25, "macro_f1": scores, "ours_minus": {"random": {"mean": 0.2, "half": 0.1}}}
    lines = script.table([row])
    assert "| plain | 25 | 0.550 | 0.350 |" in lines and "- plain 25: random +0.200 +- 0.100" in lines
