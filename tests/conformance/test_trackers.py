"""Every tracker takes the values of a run, step by step, goes on after an interruption, and closes."""

import pytest

from edgekws import plugins
from edgekws.training.trackers import Run

SLOW = ("mlflow", "wandb")
"""One creates a database of many tables, the other starts a service."""
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in plugins.names("trackers")]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200"
    "0148afa4710000000049454e44ae426082"
)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_tracked(name, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    start = plugins.load("trackers", name).start
    with start(Run("run", "0123456789abcdef", tmp_path, {"train.epochs": 3, "init": None})) as tracker:
        for step in (1, 2):
            assert tracker.log(step, {"loss": 1.0 / step}) is None
    with start(Run("run", "0123456789abcdef", tmp_path, {"train.epochs": 3}, logged=2)) as tracker:
        assert tracker.log(3, {"loss": 0.3}) is None
        assert tracker.finish({"validation_accuracy": 0.5}, {"curves": PNG}) is None
    assert any(tmp_path.iterdir()), "it wrote nothing"
