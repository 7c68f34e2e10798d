"""`edgekws select shards`: a choice from shards, by the real command line."""

import json

import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.errors import ConfigError, DataError
from tests.curate.shards.clips import clips, shard


def invoke(*line):
    done = CliRunner().invoke(app, ["select", *map(str, line)])
    if isinstance(done.exception, Exception) and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids, vectors = clips(200)
    vectors[7] = 0
    shard(tmp_path / "shards", ids, vectors, shards=3)

    def start(*options):
        printed = invoke("shards", "shards", "--size", "12", *options).output
        return printed, json.loads((tmp_path / "12_train.json").read_text())

    return start


def test_a_selection_from_shards(run, tmp_path):
    printed, chosen = run("--memory", "1GB", "--method", "kcenter", "--target", "word1")
    assert "kcenter, seed 0: 12 of 199 clips, least cosine of a clip to its nearest selected clip 0." in printed
    assert "left out: 1 clips" in printed
    assert f"word1: {len(chosen['targets']['word1'])} of them" in printed
    ids = [*chosen["targets"]["word1"], *chosen["nontargets"]]
    assert len(ids) == len(set(ids)) == 12
    assert all(name.startswith("word1/") for name in chosen["targets"]["word1"])
    options = ("--workers", "1", "--work", "elsewhere", "--method", "kcenter", "--target", "word1")
    assert run(*options)[1] == chosen
    assert (tmp_path / "elsewhere" / "store.json").exists()


def test_the_report_has_order_and_weights(run, tmp_path):
    run("--report", "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["kind"], report["method"], sum(report["weights"])) == ("edgekws-scale-selection", "facility", 199)


def test_the_methods_are_listed_with_a_description():
    lines = invoke("shards", "--list").output.splitlines()
    assert [line.split()[0] for line in lines] == [
        "balanced", "confidence", "facility", "filtered", "kcenter", "random",
    ]  # fmt: skip
    assert all(len(line.split()) > 4 for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--memory", "much"], "amount of memory"),
        (["--memory", "0"], r"or more for 200 clips of 24 numbers.*Got: 0 bytes"),
        (["--memory", "60MB"], r"--memory should be \d+ MB or more for 200 clips of 24 numbers.*Got: 60 MB"),
        (["--method", "honed"], "facility.*kcenter"),
        (["--engine", "spark"], "--engine spark is not known. There are: process, ray"),
        (["--target", "word1", "--target", "wrod1"], "Got: wrod1.*give one of .*word1"),
        (["--out", "shards"], "--out should be a file.*give shards/12_train.json"),
    ],
)
def test_conflicting_options_are_refused(run, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        run(*options)
    assert not (tmp_path / "12_train.json").exists()


def test_a_target_without_a_selected_clip_is_refused(run, tmp_path):
    with pytest.raises(ConfigError, match=r"a clip of each --target should be selected. Got: none of word\d"):
        run("--size", "1", "--out", "12_train.json", "--target", "word0", "--target", "word1")
    assert not (tmp_path / "12_train.json").exists()


@pytest.mark.parametrize(("folder", "got"), [("absent", "no such folder"), (".", "no parquet file")])
def test_a_folder_without_shards_is_refused(folder, got, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"Got: {got}. What to do: give the folder that edgekws embed wrote"):
        invoke("shards", folder)


def test_a_folder_is_needed():
    with pytest.raises(ConfigError, match="needs a folder of shards"):
        invoke("shards")


def test_run_has_no_options_of_shards():
    assert invoke("run", "--memory", "1GB").exit_code == 2
