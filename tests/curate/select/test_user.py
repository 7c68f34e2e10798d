"""User-defined selectors: functions, strategy classes, plugins of other packages."""

import pytest

from edgekws import plugins
from edgekws.curate.select import config, files
from edgekws.curate.select.run import run, run_sandboxed
from edgekws.errors import ArtifactError, ConfigError
from tests.curate.select.pools import pool

STRATEGY = """
from selection.selection import TrainingSet, TrainingSetSelection

class FirstOnes(TrainingSetSelection):
    def __init__(self, **given):
        super().__init__(**given)

    def select(self):
        each = self.train_set_size // (len(self.embeddings["targets"]) + 1)
        take = lambda clips: [c["ID"] for c in clips if c["feature_vector"].ndim == 1][self.random_seed :][:each]
        share = self.config.get("nothing", each)
        return TrainingSet({word: take(clips) for word, clips in self.embeddings["targets"].items()},
                           take(self.embeddings["nontargets"])[:share])
"""


@pytest.fixture(scope="module")
def clips():
    return pool(each=8)


@pytest.fixture
def strategy(tmp_path):
    path = tmp_path / "first_ones.py"
    path.write_text(STRATEGY)
    return path


def test_a_function_in_a_file(tmp_path, clips):
    path = tmp_path / "own.py"
    path.write_text("from edgekws.curate.select import load\nselect = load('herding')\n")
    assert run(str(path), clips, 9, 0) == run("herding", clips, 9, 0)


def test_a_plugin_of_another_package(tmp_path, clips, monkeypatch):
    folder = tmp_path / "otherpack" / "selectors"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "mine.py").write_text("from edgekws.curate.select import load\nselect = load('herding')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EDGEKWS_PLUGINS", "otherpack")
    assert "mine" in plugins.names("selectors")
    assert run("mine", clips, 9, 0) == run("herding", clips, 9, 0)
    assert run_sandboxed("mine", clips, 9, 0)[0] == run("herding", clips, 9, 0)


def test_a_strategy_of_the_challenge_runs_unchanged(strategy, clips):
    loaded = run(str(strategy), clips, 9, 2)
    assert loaded.targets["stop"] == clips.ids[2:5]
    assert run(f"{strategy}:FirstOnes", clips, 9, 2, {"nothing": 1}).nontargets == loaded.nontargets[:1]
    assert run_sandboxed(f"{strategy}:FirstOnes", clips, 9, 2, {"nothing": 1})[0].size == 7


def test_a_strategy_gets_only_the_arguments_it_declares(tmp_path, clips):
    path = tmp_path / "bare.py"
    path.write_text(
        "class Bare:\n    def __init__(self, allowed_embeddings, train_size):\n        self.a = allowed_embeddings\n"
        "    def select(self):\n        class Found: pass\n        Found.targets = "
        "{w: [c[0]['ID']] for w, c in self.a['targets'].items()}\n"
        "        Found.nontargets = [self.a['nontargets'][0]['ID']]\n        return Found\n"
    )
    assert run(str(path), clips, 9, 0).size == 3


def test_a_missing_class_is_refused(strategy, clips):
    with pytest.raises(ConfigError, match="class Second"):
        run(f"{strategy}:Second", clips, 9, 0)
    with pytest.raises(ConfigError, match="should be importable"):
        run("no.such.module:Second", clips, 9, 0)


def test_the_configuration_names_strategy_and_seed(tmp_path, strategy, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text(
        "selection_random_seed: 3\nselection_algorithm_module: first_ones\n"
        "selection_algorithm_class: FirstOnes\nmine: 0.5\neval_random_seeds: [1, 2]\n"
    )
    monkeypatch.chdir(tmp_path)
    loaded = config.read(path)
    assert (loaded.selector, loaded.seed, loaded.values["mine"]) == ("first_ones.py:FirstOnes", 3, 0.5)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: &x [1]\nb: *x", ArtifactError),
        ("a: !!python/object/apply:os.getcwd []", ArtifactError),
        ("- 1", ArtifactError),
        ("a: [", ArtifactError),
        ("1: 2", ArtifactError),
        ("a: " + "x" * 70000, ArtifactError),
        ("selection_algorithm_module: x", ConfigError),
        ("selection_random_seed: -1", ConfigError),
        ("selection_random_seed: yes", ConfigError),
    ],
)
def test_a_malformed_configuration_is_refused(text, error, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(error, match=r"config\.yaml"):
        config.read(path)


def test_a_pool_is_read_back_from_its_file(tmp_path, clips):
    files.write_npz(clips, tmp_path / "pool.npz")
    loaded = files.read_npz(tmp_path / "pool.npz")
    assert (loaded.ids, loaded.words, loaded.targets) == (clips.ids, clips.words, clips.targets)
    assert (loaded.vectors == clips.vectors).all() and loaded.vectors.dtype == clips.vectors.dtype
    (tmp_path / "other.npz").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(ArtifactError, match=r"other\.npz"):
        files.read_npz(tmp_path / "other.npz")
