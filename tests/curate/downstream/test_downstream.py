"""Downstream evaluation: selections become data sets, runs are made once and continue, the table gives verdicts."""

import json
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edgekws import recipe
from edgekws.cli.select import downstream as select_downstream
from edgekws.curate import select
from edgekws.curate.clean import embeddings
from edgekws.curate.downstream import pool as pools
from edgekws.curate.downstream import runs, summary, vectors
from edgekws.curate.downstream.runs import Plan
from edgekws.curate.select import Selection
from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.files import read_json
from edgekws.graph import io

TINY = recipe.Recipe(
    name="tiny",
    net={"name": "dscnn", "options": {"channels": 16, "blocks": 1, "dropout": 0.0}},
    train={"batch": 32},
    quant={"calibration_clips": 64},
)
PLAN = Plan(("spread",), (0.2,), (0,), steps=8, validation=60)

SPREAD = '''
"""Every k-th clip of each class; counts its calls."""
import numpy as np
from edgekws.curate.select import Selection

calls = []

def select(pool, size, seed):
    calls.append((size, seed))
    groups = [np.flatnonzero(pool.classes == label) for label in (*range(len(pool.targets)), -1)]
    groups = [rows[:: max(1, round(len(pool.ids) / size))] for rows in groups if len(rows)]
    while sum(map(len, groups)) > size:
        longest = max(range(len(groups)), key=lambda number: len(groups[number]))
        groups[longest] = groups[longest][:-1]
    ids = [[pool.ids[row] for row in rows] for rows in groups]
    targets = {word: tuple(ids[number]) for number, word in enumerate(pool.targets)}
    return Selection(targets, tuple(ids[-1]) if len(ids) > len(pool.targets) else ())
'''
SECOND = "from tests_of_downstream.selectors.spread import select\n"


def quiet(*_):
    pass


@pytest.fixture
def spread(tmp_path_factory, monkeypatch):
    """A package outside of the tree with the selectors `spread` and `second`."""
    import importlib

    folder = tmp_path_factory.mktemp("plugins")
    package = folder / "tests_of_downstream" / "selectors"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py"):
        path.write_text("")
    (package / "spread.py").write_text(SPREAD)
    (package / "second.py").write_text(SECOND)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("EDGEKWS_PLUGINS", "tests_of_downstream")
    for name in [name for name in __import__("sys").modules if name.startswith("tests_of_downstream")]:
        monkeypatch.delitem(__import__("sys").modules, name)
    importlib.invalidate_caches()
    return importlib.import_module("tests_of_downstream.selectors.spread")


@pytest.fixture(scope="module")
def pool(prepared):
    return pools.of(prepared, np.zeros((len(prepared.splits["train"]), 2), np.float32))


def test_the_pool_has_each_label_as_target_and_unknown_as_other_words(pool, prepared):
    split = prepared.splits["train"]
    assert pool.targets == tuple(label for label in prepared.labels if label != "_unknown_")
    for number in range(len(split)):
        label = prepared.labels[split.labels[number]]
        named = "_unknown_" if pool.classes[number] < 0 else pool.targets[pool.classes[number]]
        assert named == label and (pool.words[number] == label or label == "_unknown_")
    others = {word for word, number in zip(pool.words, pool.classes, strict=True) if number < 0}
    assert len(others) > 1 and "_unknown_" not in others


def all_of(pool, count):
    ids = {
        word: [clip for clip, c in zip(pool.ids, pool.classes, strict=True) if c == n]
        for n, word in enumerate(pool.targets)
    }
    others = [clip for clip, c in zip(pool.ids, pool.classes, strict=True) if c < 0]
    return Selection({word: tuple(clips[:count]) for word, clips in ids.items()}, tuple(others[:count]))


def test_an_invalid_selection_is_refused_with_the_selectors_name(pool):
    good = all_of(pool, 3)
    numbers = pools.numbers_of(good, pool, good.size, "mine")
    assert {pool.ids[n] for n in numbers} == {c for ids in good.targets.values() for c in ids} | set(good.nontargets)
    word, other = pool.targets[:2]
    wrong = {
        "allowed pool only.*no/such.wav": replace(good, nontargets=("no/such.wav",)),
        "in one class only": replace(good, targets={**good.targets, word: good.targets[other]}),
        f"{word} should have its own clips": replace(
            good, targets={**good.targets, word: good.targets[other], other: good.targets[word]}
        ),
        "every id once": replace(good, nontargets=good.nontargets * 2),
        f"{word} should have one clip or more": replace(good, targets={**good.targets, word: ()}),
        "nontargets should have one clip or more": replace(good, nontargets=()),
    }
    for reason, bad in wrong.items():
        with pytest.raises(DataError, match=f"mine.*{reason}"):
            pools.numbers_of(bad, pool, 1000, "mine")
    with pytest.raises(DataError, match=f"at most {good.size - 1} clips. Got: {good.size}"):
        pools.numbers_of(good, pool, good.size - 1, "mine")


def test_a_share_becomes_a_number_of_clips():
    assert pools.size_of(0.1, 1000, 12) == 100 and pools.size_of(1.0, 1000, 12) == 1000
    for share in (0, -0.1, 1.01, float("nan")):
        with pytest.raises(ConfigError, match="above 0"):
            pools.size_of(share, 1000, 12)
    with pytest.raises(ConfigError, match="10 of 1000 clips"):
        pools.size_of(0.01, 1000, 12)


def test_invalid_plans_are_refused():
    for changes in ({"seeds": ()}, {"selectors": ("a", "a")}, {"steps": 0}, {"validation": -1}, {"seeds": (-1,)}):
        with pytest.raises(ConfigError):
            replace(PLAN, **changes)


def test_vectors_are_computed_once(prepared, tmp_path, monkeypatch):
    one = vectors.of(prepared, "statistics", tmp_path, quiet)
    assert one.shape == (len(prepared.splits["train"]), 360) and abs(float(one.mean())) < 1e-3
    monkeypatch.setattr(embeddings.probe, "spectra", None)  # a second computation would fail
    assert np.array_equal(vectors.of(prepared, "statistics", tmp_path, quiet), one)


HEAR = """
import torch

class Net(torch.nn.Module):
    sample_rate, scene_embedding_size = RATE, 2

def load_model(model_file_path=""):
    return Net()

def get_scene_embeddings(audio, model):
    assert audio.abs().max() <= 1
    return torch.stack([audio.amax(1), torch.full((len(audio),), float(audio.shape[1]))], 1) BROKEN
"""
"""A HEAR model: the highest sample and the length."""


@pytest.fixture
def hear(tmp_path, monkeypatch):
    """Models of a package that EDGEKWS_PLUGINS names: right, of another rate, and one that gives no numbers."""
    folder = tmp_path / "models" / "hearing" / "embeddings"
    folder.mkdir(parents=True)
    for name, rate, broken in (("hear", "16000", ""), ("wide", "48000", ""), ("broken", "16000", "* float('nan')")):
        (folder / f"{name}.py").write_text(HEAR.replace("RATE", rate).replace("BROKEN", broken))
    monkeypatch.syspath_prepend(folder.parents[1])
    monkeypatch.setenv("EDGEKWS_PLUGINS", "hearing")


def test_selectors_can_use_any_embedding_model(prepared, tmp_path, hear):
    results = vectors.of(prepared, "hear", tmp_path, quiet)
    highest = prepared.splits["train"].samples.max(axis=1) / 32_768
    assert np.allclose(results[:, 0], highest) and (results[:, 1] == 16_000).all()


def test_unusable_embedding_models_are_refused(prepared, tmp_path, hear):
    with pytest.raises(ConfigError, match=r"There are: .*logmel"):
        vectors.of(prepared, "none", tmp_path, quiet)
    with pytest.raises(ConfigError, match=r"wide should take 16000 Hz.*48000 Hz"):
        vectors.of(prepared, "wide", tmp_path, quiet)
    with pytest.raises(DataError, match="broken should give finite numbers"):
        vectors.of(prepared, "broken", tmp_path, quiet)
    assert not list(tmp_path.glob("vectors-*"))


def evaluate(prepared, folder, plan=PLAN, chosen=TINY, progress=quiet):
    return runs.run(plan, chosen, prepared, folder, progress, lambda _: None)


def test_a_run_is_made_once_and_its_accuracy_is_the_integer_graphs(prepared, tmp_path, spread):
    (result,) = evaluate(prepared, tmp_path)
    folder = tmp_path / "spread-0.2-seed0"
    size = round(0.2 * len(prepared.splits["train"]))
    chosen = (folder / "selection.txt").read_text().split()
    assert spread.calls == [(size, 0)] and result.clips == len(chosen) <= size
    graph = io.load(folder / "graph.npz")
    assert graph.provenance["method"] == "ptq" and not (folder / "quant").exists()
    from edgekws.features.cache import int8_features
    from edgekws.graph import interp

    predicted = interp.run(graph, int8_features(prepared, "test", graph.features)).argmax(axis=1)
    assert result.int8 == pytest.approx((predicted == prepared.splits["test"].labels).mean()) and result.n == len(
        predicted
    )
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert evaluate(prepared, tmp_path) == [result] and len(spread.calls) == 1
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    with pytest.raises(ArtifactError, match="another steps"):
        evaluate(prepared, tmp_path, replace(PLAN, steps=9))
    with pytest.raises(ArtifactError, match="another augment"):
        evaluate(prepared, tmp_path, chosen=recipe.changed(TINY, augment={"shift_ms": 1.0}))


def test_a_killed_run_continues_to_the_same_result(prepared, tmp_path, spread):
    (whole,) = evaluate(prepared, tmp_path / "whole", replace(PLAN, steps=12))

    def killed(what, done, total):
        if "train (" in what and done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(prepared, tmp_path / "killed", replace(PLAN, steps=12), progress=killed)
    calls = len(spread.calls)
    assert evaluate(prepared, tmp_path / "killed", replace(PLAN, steps=12)) == [whole] and len(spread.calls) == calls
    for name in ("graph.npz", "selection.txt"):
        one, two = ((tmp_path / run / "spread-0.2-seed0" / name).read_bytes() for run in ("whole", "killed"))
        assert one == two, name


def test_a_changed_selector_file_makes_a_new_run(prepared, tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text(SPREAD)
    (one,) = evaluate(prepared, tmp_path / "out", replace(PLAN, selectors=(str(path),)))
    assert one.selector == str(path)
    (folder,) = (tmp_path / "out").glob("mine-*-0.2-seed0")
    monkeypatch.chdir(tmp_path)
    before = (folder / "result.json").stat().st_mtime_ns
    (same,) = evaluate(prepared, tmp_path / "out", replace(PLAN, selectors=("mine.py",)))
    assert same.int8 == one.int8 and (folder / "result.json").stat().st_mtime_ns == before
    path.write_text(SPREAD.replace("Every k-th", "Each k-th"))
    evaluate(prepared, tmp_path / "out", replace(PLAN, selectors=("mine.py",)))
    assert len(list((tmp_path / "out").glob("mine-*-0.2-seed0"))) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return Selection({}, ())", "one clip or more"),
        ("return Selection({}, [{}])", "which are strings"),
        ("return Selection({'no such word': pool.ids[:1]}, ())", "words of the pool"),
        ("raise SystemExit(0)", "SystemExit"),
        ("return pool.ids", "tuple"),
    ],
)
def test_errors_of_a_users_selector_name_its_file(prepared, tmp_path, body, reason):
    path = tmp_path / "bad.py"
    path.write_text(f"from edgekws.curate.select import Selection\ndef select(pool, size, seed):\n    {body}\n")
    with pytest.raises(DataError, match=f"bad.py.*{reason}"):
        evaluate(prepared, tmp_path / "out", replace(PLAN, selectors=(str(path),)))
    assert not list((tmp_path / "out").rglob("selection.txt"))


def test_a_selection_of_another_plan_is_not_reused(prepared, tmp_path, spread):
    """Killed after its selection and started again with another plan: run.json has the first plan."""

    def killed(what, done, total):
        if "train (" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(prepared, tmp_path, progress=killed)
    assert (tmp_path / "spread-0.2-seed0" / "selection.txt").exists()
    with pytest.raises(ArtifactError, match="another validation"):
        evaluate(prepared, tmp_path, replace(PLAN, validation=50))
    about = tmp_path / "spread-0.2-seed0" / "run.json"
    about.write_text(json.dumps({key: value for key, value in read_json(about, runs.KIND, 1).items() if key != "run"}))
    with pytest.raises(ArtifactError, match=r"another .*dataset.*, validation"):
        evaluate(prepared, tmp_path)


def test_a_folder_is_locked_during_an_evaluation(prepared, tmp_path, spread):
    code = (
        "import fcntl, sys\nlock = open(sys.argv[1], 'a')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="another run is working"):
            evaluate(prepared, tmp_path)
        other.kill()
        other.wait()
    assert evaluate(prepared, tmp_path)[0].selector == "spread", "the lock ends with its process"


def test_a_data_set_without_other_words_can_be_evaluated(prepared, tmp_path):
    from edgekws import pipeline

    split, words = prepared.splits["train"], ("left", "right")
    for word in words:
        (tmp_path / "words" / word).mkdir(parents=True)
        for number, row in enumerate(np.flatnonzero(split.labels == prepared.labels.index(word))[:60]):
            with wave.open(str(tmp_path / "words" / word / f"{number:03d}_nohash_0.wav"), "wb") as file:
                file.setparams((1, 2, prepared.rate_hz, 0, "NONE", ""))
                file.writeframes(np.asarray(split.samples[row], np.int16).tobytes())
    data = pipeline.prepare("folder", tmp_path / "words", tmp_path / "data", quiet, options={"no_unknown": True})
    assert tuple(data.labels) == words
    (result,) = evaluate(data, tmp_path / "out", replace(PLAN, selectors=("balanced",), shares=(0.5,)))
    chosen = (tmp_path / "out" / "balanced-0.5-seed0" / "selection.txt").read_text().split()
    assert result.clips == len(chosen) == round(0.5 * len(data.splits["train"]))
    assert sum(name.startswith("left/") for name in chosen) in (len(chosen) // 2, (len(chosen) + 1) // 2)


def test_a_run_under_a_selectors_former_name_is_reused(prepared, tmp_path, monkeypatch, spread):
    plan = replace(PLAN, selectors=("second",))
    (result,) = evaluate(prepared, tmp_path, plan)
    monkeypatch.setattr(select, "_RENAMED", {"second": "spread"})
    monkeypatch.setattr(select, "names", lambda: ["spread"])
    assert evaluate(prepared, tmp_path) == [replace(result, selector="spread")] and spread.calls == [(result.clips, 0)]
    with pytest.warns(FutureWarning, match="second is now called spread"):
        assert evaluate(prepared, tmp_path, plan) == [replace(result, selector="spread")]


def test_the_former_name_of_the_command_still_works_with_one_notice(monkeypatch):
    called = {}
    monkeypatch.setattr(select_downstream, "downstream", called.update)
    app = typer.Typer()
    app.command()(select_downstream.loop)
    done = CliRunner().invoke(app, ["--for", "dscnn", "--steps", "7"])
    assert done.exit_code == 0 and called["net"] == "dscnn" and called["steps"] == 7, (done.output, done.exception)
    assert " ".join(done.output.split()).count("select loop is now called select downstream") == 1
    assert called["out"] == Path("work/loop"), "a stopped evaluation continues in the former default folder"


def test_unknown_selectors_are_refused_before_any_training(prepared, tmp_path):
    with pytest.raises(ConfigError, match="best_of_all"):
        evaluate(prepared, tmp_path, replace(PLAN, selectors=("best_of_all",)))
    assert not list(tmp_path.iterdir())


def test_the_command_evaluates_selectors(prepared, tmp_path, spread):
    app = typer.Typer()
    app.command()(select_downstream.downstream)
    toml = tmp_path / "tiny.toml"
    toml.write_text(
        'name = "tiny"\n[net]\nname = "dscnn"\noptions = {channels = 16, blocks = 1}\n[train]\nbatch = 32\n'
    )
    arguments = ["--for", "dscnn", "--recipe", toml, "--data", prepared.folder, "--out", tmp_path / "out", "--share"]
    more = [0.2, "--steps", 4, "--validation", 60, "--seed", 3, "--selector", "spread", "--selector", "second"]
    done = CliRunner().invoke(app, list(map(str, [*arguments, *more])))
    assert done.exit_code == 0, (done.output, done.exception)
    assert "spread" in done.output and "second" in done.output and "downstream.svg" in done.output
    document = read_json(tmp_path / "out" / "downstream.json", summary.KIND, summary.VERSION)
    assert [(r["selector"], r["seed"]) for r in document["results"]] == [("spread", 3), ("second", 3)]
    one, two = document["results"]
    assert one["int8"] == two["int8"], "the same choice and seed are the same network"
    wrong = CliRunner().invoke(app, ["--for", "no-such-net", "--data", str(prepared.folder), "--selector", "spread"])
    assert isinstance(wrong.exception, ConfigError) and "dscnn" in str(wrong.exception)


def test_plugins_of_other_packages_are_available(spread):
    assert {"spread", "second"} <= set(select.names())
