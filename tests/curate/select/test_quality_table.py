"""benchmarks/select_quality.py: the tasks are what they say, and the interval is a paired one."""

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


def test_a_case_is_the_same_each_time_and_another_with_another_seed(script):
    first, again, other = script.case("plain", 1), script.case("plain", 1), script.case("plain", 2)
    assert np.array_equal(first.pool.vectors, again.pool.vectors) and np.array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.pool.vectors, other.pool.vectors)


@pytest.mark.parametrize("name", ["plain", "wrong", "noise", "near", "modes", "tails", "uneven", "wide"])
def test_a_task_plants_its_wrong_clips_and_is_made_as_the_challenge_makes_its_sets(name, script):
    task, found = script.TASKS[name], script.case(name, 0)
    assert found.wrong.mean() == pytest.approx(task.wrong, abs=0.03)
    targets, others = (found.pool.classes >= 0).sum(), (found.pool.classes < 0).sum()
    assert (found.truth < 5).sum() == sum(each // 4 for each in task.pool_each) <= targets / 4
    assert (found.truth == 5).sum() == 3 * others
    assert found.pool.vectors.shape[1] == task.dimensions and np.isfinite(found.vectors).all()


def test_the_interval_is_of_the_paired_differences(script):
    found = script.difference([0.5, 0.7, 0.6], [0.4, 0.5, 0.45])
    assert found["mean"] == pytest.approx(0.15)
    assert found["half"] == pytest.approx(4.303 * 0.05 / math.sqrt(3))


def test_the_table_has_a_row_a_task_and_size(script):
    scores = {"honed": [0.5, 0.6], "random": [0.4, 0.3]}
    row = {"task": "plain", "size": 25, "macro_f1": scores, "ours_minus": {"random": {"mean": 0.2, "half": 0.1}}}
    lines = script.table([row])
    assert "| plain | 25 | 0.550 | 0.350 |" in lines and "- plain 25: random +0.200 +- 0.100" in lines
