"""Released models are found by name, in a checkout and in the wheel, and stay as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgekws import models, recipe
from edgekws.cli._model import model_folder, vectors_for
from edgekws.cli.line.check import read_model
from edgekws.errors import ConfigError
from edgekws.graph import io

MOST_BYTES = 5_000_000


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in every}


def test_the_models_in_the_wheel_are_small() -> None:
    assert 0 < sum(path.stat().st_size for path in models.home().rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize("name", models.names())
def test_a_name_stands_for_the_folder_and_the_recipe(name: str, empty_folder: Path) -> None:
    chosen = recipe.load(Path(name))
    assert chosen.name == name
    assert recipe.load(Path(f"models/{name}/recipe.toml")) == chosen
    assert read_model(Path(name)).name == io.load(models.folder(name) / models.GRAPH).name
    assert models.find(Path(name), models.GOLDEN).is_file()


@pytest.mark.parametrize("name", models.names())
def test_the_teachers_of_a_recipe_are_found_anywhere(name: str, empty_folder: Path) -> None:
    assert all(models.find(Path(path)).is_file() for path in recipe.load(Path(name)).train.teachers)


def test_the_working_folder_takes_precedence(empty_folder: Path) -> None:
    (empty_folder / "dscnn").mkdir()
    assert models.find(Path("dscnn")) == Path("dscnn")
    assert model_folder(Path("dscnn")) == Path("dscnn")


def test_results_go_to_a_copy(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(models.home())
    copy = model_folder(Path("dscnn"))
    (copy / "firmware").mkdir()
    assert copy == Path("work/released/dscnn") and "work/released/dscnn" in capsys.readouterr().err
    assert io.load(copy / models.GRAPH).name == "dscnn"
    assert model_folder(Path("models/dscnn")) == copy and (copy / "firmware").is_dir()
    assert files(models.home()) == before


def test_an_unknown_name_stays_a_path(empty_folder: Path) -> None:
    for path in (Path("dscn"), Path("models/dscn"), Path("work/dscnn"), Path("models/dscnn/none.npz")):
        assert models.find(path) == path
    with pytest.raises(ConfigError, match="did you mean dscnn"):
        models.folder("dscn")


def test_without_a_prepared_data_set_the_clips_are_its_golden_vectors(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model = Path("work/data"), model_folder(Path("dscnn"))
    assert vectors_for(None, data, model) == model / models.GOLDEN
    assert "no prepared data set in work/data" in capsys.readouterr().err
    assert vectors_for(Path("tcresnet"), data, model) == models.folder("tcresnet") / models.GOLDEN
    data.mkdir(parents=True)
    (data / "index.json").write_text("{}")
    assert vectors_for(None, data, model) is None


def test_a_folder_without_golden_vectors_needs_a_data_set(empty_folder: Path) -> None:
    assert vectors_for(None, Path("work/data"), Path("work/mine")) is None
