"""A search writes the best recipe, goes on after a kill without losing a trial, and refuses ranges with a reason."""

import json

import pytest

from edgekws import recipe
from edgekws.errors import ArtifactError, ConfigError
from edgekws.training import checkpoint
from edgekws.tuning import results, trial, workers
from edgekws.tuning.ranges import checked, of_recipe, parse
from edgekws.tuning.search import Limits, Search, claimed, counted, distributions, study_of

BASE = recipe.Recipe(
    name="tiny", net={"name": "dscnn", "options": {"channels": 16, "blocks": 1}}, train={"epochs": 1, "batch": 256}
)
RANGES = ("train.learning_rate=1e-3..1e-2:log", "net.options.channels=16|20")


def quiet(*_):
    pass


def search_in(folder, prepared, **more):
    ranges = checked(BASE, [parse(text) for text in RANGES])
    options = {"trials": 3, "seed": 1, **more}
    return Search(BASE, ranges, prepared.folder, prepared.sha256, folder, **options)


@pytest.fixture(scope="module")
def searched(prepared, tmp_path_factory):
    """A search of three trials; the first of them was killed before it was trained."""
    search = search_in(tmp_path_factory.mktemp("search"), prepared)
    study = study_of(search)
    killed = study.ask(distributions(search.ranges))
    workers.run(search, 1, "process", quiet)
    return search, study, killed


def test_the_best_recipe_is_written_and_can_be_trained(searched, prepared):
    search, study, _ = searched
    rows = results.rows_of(study)
    assert [row.state for row in rows] == ["complete"] * 3 and rows[0].value == max(row.value for row in rows)
    results.write(search, rows, len(prepared.splits["validation"]))
    best = recipe.load(search.out / results.RECIPE)
    assert best.train.learning_rate == rows[0].values["train.learning_rate"]
    assert best.net.options["channels"] == rows[0].values["net.options.channels"] and not best.tune
    folder = trial.folder_of(search, best) / "float"
    last = checkpoint.header_of(folder / checkpoint.LAST)["rows"][-1]
    assert last[trial.GOAL] == rows[0].value
    table = json.loads((search.out / results.TABLE).read_text())
    assert len(table["trials"]) == 3 and table["trials"][0]["macs"] > 10_000
    assert "<svg" in (search.out / results.PICTURE).read_text()


def test_a_killed_trial_is_given_out_again(searched):
    _, study, killed = searched
    again = study.trials[1]
    assert again.user_attrs == {**again.user_attrs, "continues": killed.number} and again.params == killed.params
    assert study.trials[killed.number].state.name == "FAIL" and counted(study) == 3


def test_a_finished_search_begins_no_trial_and_another_is_refused(searched, prepared):
    search, study, _ = searched
    workers.run(search, 1, "process", quiet)
    assert counted(study) == 3
    with claimed(search, study) as one:
        assert one is None
    other = Search(BASE, search.ranges[:1], prepared.folder, prepared.sha256, search.out, 3)
    with pytest.raises(ArtifactError, match=r"should hold this search. Got: one with another ranges"):
        study_of(other)


def test_what_is_too_large_is_not_trained_and_a_late_search_puts_its_trial_aside(prepared, tmp_path):
    search = search_in(tmp_path / "a", prepared, trials=1, limits=Limits(macs=1000))
    workers.run(search, 1, "process", quiet)
    row = results.rows_of(study_of(search))[0]
    assert row.state == "pruned" and "above 1,000" in row.reason and row.epochs == 0
    assert results.best_recipe(search, [row]) is None
    late = search_in(tmp_path / "b", prepared, trials=1, deadline=0.0)
    workers.run(late, 1, "process", quiet)
    assert counted(study_of(late)) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.learning_rat=1e-3..1e-2", "train.learning_rat is not known; did you mean train.learning_rate"),
        ("train.learning_rate", "should be a key of the recipe, = and its values"),
        ("train.learning_rate=1e-2..1e-3", "should rise"),
        ("train.learning_rate=0..1:log", "rise from a number above 0"),
        ("train.learning_rate=a..b", "two numbers"),
        ("train.label_smoothing=0..2", "less than 1"),
        ("net.options.chanels=16|20", "did you mean channels"),
        ("quant.weight_bits=8|4", "what a training reads"),
    ],
)
def test_a_wrong_range_is_told_as_it_was_typed(text, message):
    with pytest.raises(ConfigError, match=message):
        checked(BASE, [parse(text)])


def test_ranges_stand_in_a_recipe_too(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('[tune]\n"train.label_smoothing" = "0..1e-1"\n"net.options.channels" = [16, 20]\n')
    loaded = recipe.load(path)
    smoothing, channels = checked(loaded, of_recipe(loaded))
    assert (smoothing.low, smoothing.high, channels.choices) == (0.0, 0.1, (16, 20))
    path.write_text(recipe.to_toml(loaded))
    assert recipe.load(path) == loaded
    with pytest.raises(ConfigError, match="a search needs ranges"):
        checked(BASE, [])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["process", "ray"])
def test_several_processes_share_a_search(prepared, tmp_path, engine):
    search = search_in(tmp_path, prepared, trials=4)
    workers.run(search, 2, engine, quiet)
    rows = results.rows_of(study_of(search))
    assert [row.state for row in rows] == ["complete"] * 4
