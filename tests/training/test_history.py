"""A training goes on to more epochs, ends early, and refuses what is another run; its trackers get each epoch once."""

import csv
import shutil

import pytest
import torch

from edgekws import pipeline, recipe
from edgekws.errors import ArtifactError, ConfigError
from edgekws.training import checkpoint, history, tracking
from edgekws.training.options import TrainOptions

NET = {"name": "dscnn", "options": {"channels": 8, "blocks": 1, "dropout": 0.0}}
TINY = recipe.Recipe(name="tiny", net=NET, train={"epochs": 2, "batch": 128})


def quiet(*_):
    pass


def planned(**train):
    return recipe.changed(TINY, train={**TINY.train.model_dump(), **train})


@pytest.fixture(scope="module")
def two_epochs(prepared, tmp_path_factory):
    """A training of two epochs, which the CSV tracker followed."""
    folder = tmp_path_factory.mktemp("model")
    pipeline.train(TINY, prepared, folder, quiet, TrainOptions(trackers=("csv",)))
    return folder


@pytest.fixture
def model(two_epochs, tmp_path):
    return shutil.copytree(two_epochs, tmp_path / "model")


def last(model):
    return checkpoint.header_of(model / "float" / checkpoint.LAST)


def test_more_epochs_go_on_with_the_schedule_of_all_of_them(model, prepared, tmp_path):
    again = shutil.copytree(model, tmp_path / "again")
    for folder in (model, again):
        pipeline.train(planned(epochs=3), prepared, folder, quiet)
    header = last(model)
    assert header["plans"] == [[0, 2], [2, 3]] and header["epoch"] == 2 and len(header["rows"]) == 3
    one, other = (checkpoint.load(folder / "float" / checkpoint.LAST) for folder in (model, again))
    for name, value in one.groups["model"].items():
        assert torch.equal(value, other.groups["model"][name]), name
    assert pipeline.load_trained(model / "float" / checkpoint.BEST)
    with pytest.raises(ArtifactError, match=r"has 3 epochs behind it, it cannot end after 2.*--epochs 3 or more"):
        pipeline.train(TINY, prepared, model, quiet)


def test_another_recipe_is_told_by_its_key_and_values(model, prepared):
    with pytest.raises(ArtifactError, match=r"another recipe: train.learning_rate was 0.003, is 0.01"):
        pipeline.train(planned(learning_rate=0.01), prepared, model, quiet)


def test_a_training_that_does_not_improve_ends_early_and_is_finished(model, prepared):
    """A learning rate of almost 0 leaves the average where it is; a worse loss comes from lowering the best one."""
    path = model / "float" / checkpoint.LAST
    saved = checkpoint.load(path)
    header = {key: value for key, value in saved.header.items() if key not in ("kind", "version")}
    header["rows"][0]["validation_loss"] = header["best_loss"] = 0.0  # nothing is better
    checkpoint.save(path, header, saved.groups)
    patient = planned(epochs=9, patience=2)
    pipeline.train(patient, prepared, model, quiet)
    assert last(model)["stopped"] and last(model)["epoch"] == 3  # two epochs of the new plan
    written = path.stat().st_mtime_ns
    pipeline.train(patient, prepared, model, quiet)
    assert path.stat().st_mtime_ns == written
    assert pipeline.load_trained(model / "float" / checkpoint.BEST)


def test_a_patience_that_is_used_up_finishes_a_run_that_was_interrupted(model, prepared):
    path = model / "float" / checkpoint.LAST
    saved = checkpoint.load(path)
    header = {key: value for key, value in saved.header.items() if key not in ("kind", "version")}
    header["run"]["recipe"]["train"]["epochs"] = 5
    header["rows"][0]["validation_loss"] = 0.0
    checkpoint.save(path, header, saved.groups)
    pipeline.train(planned(epochs=5, patience=1), prepared, model, quiet)
    assert last(model)["epoch"] == 1 and history.is_finished(last(model))


def test_a_new_key_leaves_older_headers_as_they_are(two_epochs):
    assert "patience" not in last(two_epochs)["run"]["recipe"]["train"] and "plans" not in last(two_epochs)
    assert "tune" not in TINY.to_json() and planned(patience=3).to_json()["train"]["patience"] == 3


def steps(path):
    with path.open(newline="") as file:
        return [row["step"] for row in csv.DictReader(file) if row["name"] == "loss"]


def test_a_tracker_gets_each_epoch_once_over_an_interruption(model, prepared):
    path = model / "float" / "metrics.csv"
    assert steps(path) == ["1", "2"] and "learning_rate" in path.read_text()
    begun = tracking.read_json(model / "float" / tracking.FILE, tracking.KIND, tracking.VERSION)["id"]

    def stop(what, done, total):
        if what.startswith("train") and done == total:
            raise KeyboardInterrupt

    options = TrainOptions(trackers=("csv",))
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(planned(epochs=4), prepared, model, stop, options)
    assert steps(path) == ["1", "2", "3"]
    pipeline.train(planned(epochs=4), prepared, model, quiet, options)
    assert steps(path) == ["1", "2", "3", "4"]
    assert tracking.read_json(model / "float" / tracking.FILE, tracking.KIND, tracking.VERSION)["id"] == begun


class Broken:
    def __init__(self):
        self.calls = 0

    def log(self, step, values):
        self.calls += 1
        raise OSError("no space left")

    def finish(self, values, pictures):
        raise AssertionError("it is off")


def test_a_tracker_that_raises_is_off_and_the_others_go_on(tmp_path):
    broken, rows = Broken(), [{"epoch": 1, "loss": 0.5}]
    with tracking.started(("csv",), "run", tmp_path, {}, done=0) as trackers:
        trackers.add("broken", broken)
        with pytest.warns(UserWarning, match="tracker broken is off from now on.*OSError: no space left"):
            trackers.log(rows)
        trackers.log([*rows, {"epoch": 2, "loss": 0.4}])
        trackers.finish({"best_epoch": 2.0}, {})
    assert broken.calls == 1 and steps(tmp_path / "metrics.csv") == ["1", "2"]


def test_trackers_are_chosen_by_name():
    assert tracking.chosen(["csv", "csv"]) == ("csv",) and tracking.chosen(["none"]) == ()
    with pytest.raises(ConfigError, match="tensorbord is not known; did you mean tensorboard"):
        tracking.chosen(["tensorbord"])
    with pytest.raises(ConfigError, match="none should stand alone"):
        tracking.chosen(["none", "csv"])
