"""Every tracker takes the values of a run, step by step, and closes."""

import pytest

from edgekws import plugins


@pytest.mark.parametrize("name", plugins.names("trackers"))
def test_a_run_is_tracked(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with plugins.load("trackers", name).start("run", {"epochs": 3}) as tracker:
        for step in range(3):
            assert tracker.log(step, {"loss": 1.0 / (step + 1)}) is None
