"""`edgekws select run` on a pool that replaces the challenge's files."""

import json
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.cli.select import run as select_run
from edgekws.curate.select import files
from edgekws.curate.select.run import run
from edgekws.errors import ArtifactError, ConfigError, DataError
from tests.curate.select.pools import pool

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "dataperf"


@pytest.fixture(scope="module")
def clips():
    return pool(each=12)


@pytest.fixture
def command(clips, monkeypatch, tmp_path):
    """Runs the command; returns (its output, the selection it wrote or None)."""
    read = []

    def read_pool(allowed, embeddings, warn):
        read.append((str(allowed), str(embeddings)))
        return clips

    def write_selection(selection, path):
        path.write_text(json.dumps(files.selection_to(selection)))

    monkeypatch.setattr(files, "read_pool", read_pool)
    monkeypatch.setattr(files, "write_selection", write_selection)

    def start(line, written="en_12_train.json"):
        arguments = ["select", "run", *shlex.split(line), "--outdir", str(tmp_path)]
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        path = tmp_path / written
        return done.output, files.selection_from(json.loads(path.read_text())) if path.exists() else None

    start.read = read
    return start


def test_the_challenges_own_options(command, clips):
    printed, chosen = command(
        "--language=id --train_size 12 --allowed_training_set=a.yaml --train_embeddings_dir d --selector facility",
        "id_12_train.json",
    )
    assert chosen == run("facility", clips, 12, 0) and command.read == [("a.yaml", "d")]
    assert "12 of 60 clips" in printed and "id_12_train.json" in printed


def test_defaults_are_proxy_exchange_and_the_challenges_paths(command, clips):
    assert command("--train-size 12 --seed 4")[1] == run("proxy_exchange", clips, 12, 4)
    assert command.read[0][0].endswith("dataperf_en_data/allowed_training_set.yaml")


def test_a_sandboxed_run_prints_its_isolation_and_selects_the_same(command, clips):
    printed, chosen = command("--train-size 12 --selector facility --sandbox --isolation plain")
    assert chosen == run("facility", clips, 12, 0)
    assert "sandbox: plain (stops mistakes, not malice)" in printed


def test_the_old_names_of_options_and_selector_still_work_with_one_notice_each(command, clips):
    printed, chosen = command("--train-size 12 --selector honed --sealed --wall plain")
    assert chosen == run("proxy_exchange", clips, 12, 0) and "sandbox: plain" in printed
    printed = " ".join(printed.split())
    for old, new in (("--sealed", "--sandbox"), ("--wall", "--isolation"), ("selector honed", "proxy_exchange")):
        assert printed.count(f"{old} is now called {new}; the old name still works") == 1


def test_the_example_of_a_users_selector_runs(command, clips):
    _, chosen = command(f"--train-size 12 --sandbox --selector {EXAMPLES / 'mine.py'}")
    assert chosen == run(str(EXAMPLES / "mine.py"), clips, 12, 0) and chosen.size == 12


def test_options_take_precedence_over_the_configuration(command, clips, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("selection_random_seed: 5\n")
    assert command(f"--train-size 12 --selector random --config_file {config}")[1] == run("random", clips, 12, 5)
    assert command(f"--train-size 12 --selector random --config-file {config} --seed 6")[1] == run(
        "random", clips, 12, 6
    )


def test_a_bad_selection_leaves_no_file(command, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(
        "from edgekws.curate.select import Selection\nselect = lambda p, s, seed: Selection({}, p.ids[:1])\n"
    )
    for sandboxed in ("", "--sandbox --isolation plain"):
        with pytest.raises(DataError) as caught:
            command(f"--train-size 12 --selector {path} {sandboxed}")
        assert "bad selection" in str(caught.value) and caught.value.exit_code == DataError.exit_code
    assert not list(tmp_path.glob("*_train.json"))


@pytest.mark.parametrize(
    "limit", ["--isolation plain", "--wall plain", "--image us", "--time-limit 3", "--memory-limit 128"]
)
def test_limits_without_a_sandbox_are_refused(limit, command):
    with pytest.raises(ConfigError, match="add --sandbox"):
        command(limit)


def test_without_a_challenge_the_error_names_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"workspace/data/dataperf_en_data/.*select make-experiment.*--data"):
        CliRunner().invoke(app, ["select", "run"], catch_exceptions=False)


def test_the_selectors_are_listed_with_a_description(command):
    printed, chosen = command("--list")
    assert chosen is None and all(word in printed for word in ("proxy_exchange", "facility", "Confident learning"))


def options_of(function):
    """Option names in the challenge's spelling."""
    app = typer.Typer()
    app.command()(function)
    return {option.lstrip("-").replace("-", "_") for one in typer.main.get_command(app).params for option in one.opts}


def test_the_mlcube_tasks_use_existing_options():
    import yaml

    cube = yaml.safe_load((EXAMPLES / "mlcube.yaml").read_text())
    known = options_of(select_run.run)
    for name, task in cube["tasks"].items():
        words = shlex.split(task["entrypoint"])
        assert words[:2] == ["edgekws", "select"] and words[-1] in name
        if words[2] == "run":
            parameters = {**task["parameters"]["inputs"], **task["parameters"]["outputs"]}
            assert set(parameters) <= known and {"language", "train_size"} <= known


def test_the_image_runs_the_command_as_an_unprivileged_user():
    text = (EXAMPLES / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["edgekws", "select", "run"]' in text and "USER selector" in text
