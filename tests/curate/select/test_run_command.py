"""`edgekws select run`, with files of the challenge in the place of which a pool is given."""

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
    """Runs the command; gives (its output, the selection it wrote or None)."""
    asked = []

    def read_pool(allowed, embeddings, warn):
        asked.append((str(allowed), str(embeddings)))
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

    start.asked = asked
    return start


def test_the_challenges_own_options(command, clips):
    said, found = command(
        "--language=id --train_size 12 --allowed_training_set=a.yaml --train_embeddings_dir d --selector facility",
        "id_12_train.json",
    )
    assert found == run("facility", clips, 12, 0) and command.asked == [("a.yaml", "d")]
    assert "12 of 60 clips" in said and "id_12_train.json" in said


def test_defaults_are_our_selector_and_the_challenges_places(command, clips):
    assert command("--train-size 12 --seed 4")[1] == run("honed", clips, 12, 4)
    assert command.asked[0][0].endswith("dataperf_en_data/allowed_training_set.yaml")


def test_sealed_says_which_wall_and_chooses_the_same(command, clips):
    said, found = command("--train-size 12 --selector facility --sealed --wall plain")
    assert found == run("facility", clips, 12, 0)
    assert "sealed by plain (stops mistakes, not malice)" in said


def test_the_example_of_a_users_selector_runs(command, clips):
    _, found = command(f"--train-size 12 --sealed --selector {EXAMPLES / 'mine.py'}")
    assert found == run(str(EXAMPLES / "mine.py"), clips, 12, 0) and found.size == 12


def test_the_configuration_chooses_unless_options_do(command, clips, tmp_path):
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
    for sealed in ("", "--sealed --wall plain"):
        with pytest.raises(DataError) as caught:
            command(f"--train-size 12 --selector {path} {sealed}")
        assert "bad selection" in str(caught.value) and caught.value.exit_code == DataError.exit_code
    assert not list(tmp_path.glob("*_train.json"))


@pytest.mark.parametrize("limit", ["--wall plain", "--image us", "--time-limit 3", "--memory-limit 128"])
def test_limits_without_a_wall_are_a_mistake(limit, command):
    with pytest.raises(ConfigError, match="add --sealed"):
        command(limit)


def test_without_a_challenge_it_says_what_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"workspace/data/dataperf_en_data/.*select make-experiment.*--data"):
        CliRunner().invoke(app, ["select", "run"], catch_exceptions=False)


def test_the_selectors_are_listed_with_what_they_do(command):
    said, found = command("--list")
    assert found is None and all(word in said for word in ("honed", "facility", "Confident learning"))


def options_of(function):
    app = typer.Typer()
    app.command()(function)
    """As the challenge spells them."""
    return {option.lstrip("-").replace("-", "_") for one in typer.main.get_command(app).params for option in one.opts}


def test_the_cubes_tasks_use_options_that_there_are():
    import yaml

    cube = yaml.safe_load((EXAMPLES / "mlcube.yaml").read_text())
    known = options_of(select_run.run)
    for name, task in cube["tasks"].items():
        words = shlex.split(task["entrypoint"])
        assert words[:2] == ["edgekws", "select"] and words[-1] in name
        if words[2] == "run":
            parameters = {**task["parameters"]["inputs"], **task["parameters"]["outputs"]}
            assert set(parameters) <= known and {"language", "train_size"} <= known


def test_the_image_runs_the_command_as_nobody_special():
    text = (EXAMPLES / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["edgekws", "select", "run"]' in text and "USER selector" in text
