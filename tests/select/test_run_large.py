"""`edgekws select run --memory`: a choice from shards, by the real command line."""

import json

import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.errors import ConfigError
from tests.scale.clips import clips, shard


@pytest.fixture
def run(tmp_path):
    shard(tmp_path / "shards", *clips(200), shards=3)

    def start(*options):
        line = ["select", "run", "--train-size", "12", "--train-embeddings-dir", str(tmp_path / "shards")]
        done = CliRunner().invoke(app, [*line, "--outdir", str(tmp_path), *options])
        if isinstance(done.exception, Exception) and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output, json.loads((tmp_path / "12_train.json").read_text())

    return start


def test_a_choice_from_shards(run):
    said, chosen = run("--memory", "1GB", "--selector", "kcenter", "--target", "word1")
    assert "12 of 200 clips" in said
    ids = [*chosen["targets"]["word1"], *chosen["nontargets"]]
    assert len(ids) == len(set(ids)) == 12
    assert all(name.startswith("word1/") for name in chosen["targets"]["word1"])
    assert run("--memory", "2GB", "--selector", "kcenter", "--target", "word1")[1] == chosen


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--memory", "much"], "amount of memory"),
        (["--memory", "1GB", "--sealed"], "takes --train-embeddings-dir alone.*Got: --sealed"),
        (["--memory", "1GB", "--allowed-training-set", "a.yaml"], "Got: --allowed-training-set"),
        (["--engine", "ray"], "add --memory"),
        (["--memory", "1GB", "--selector", "honed"], "facility.*kcenter"),
    ],
)
def test_options_that_do_not_fit(run, options, message):
    with pytest.raises(ConfigError, match=message):
        run(*options)
