"""A model folder knows its data set and its recipe, wherever the two are moved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgekws.cli._model import (
    data_for,
    model_folder,
    recipe_for,
    require_graph,
    require_same_data,
    require_trained,
    vectors_for,
)
from edgekws.data.dataset import Dataset
from edgekws.errors import ArtifactError, DataError
from edgekws.graph import io
from edgekws.models import memory
from edgekws.recipe import Recipe
from edgekws.training.checkpoint import BEST
from tests.conftest import random_graph

QAT4 = {"name": "mine", "quant": {"weight_bits": 4}}


@pytest.fixture
def home(tmp_path: Path, prepared: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with work/words/data, and work/words/model that was trained on it; the working folder."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "work" / "words" / "data"
    shutil.copytree(prepared.folder, data)
    recipe = Recipe.model_validate(QAT4).to_json()
    memory.remember(tmp_path / "work/words/model", data, prepared.name, prepared.sha256, prepared.labels, recipe)
    return tmp_path


def test_the_network_lies_where_the_training_puts_it() -> None:
    assert f"float/{BEST}" == memory.NETWORK


def test_the_data_set_is_found_without_being_named(home: Path) -> None:
    model = Path("work/words/model")
    assert data_for(None, model) == Path("work/words/data")
    assert data_for(Path("elsewhere"), model) == Path("elsewhere")
    assert data_for(None, Path("work/other")) == Path("work/data")
    assert recipe_for(None, model).quant.weight_bits == 4
    assert recipe_for(Path("tcresnet"), model).name == "tcresnet"


def test_model_and_data_may_be_moved_together_or_the_model_alone(home: Path) -> None:
    shutil.move("work/words", "moved")
    assert data_for(None, Path("moved/model")) == Path("moved/data")
    (home / "deep/er").mkdir(parents=True)
    shutil.move("moved/data", "work/words/data")
    shutil.move("moved/model", "deep/er/model")
    assert data_for(None, Path("deep/er/model")) == home / "work/words/data"


def test_of_two_places_the_one_with_the_same_content_is_taken(home: Path) -> None:
    (home / "copy/data").mkdir(parents=True)
    (home / "copy/data/index.json").write_text("{}")
    shutil.copytree("work/words/model", "copy/model")
    assert data_for(None, Path("copy/model")) == home / "work/words/data"


def test_a_data_set_that_is_gone_is_asked_for(home: Path) -> None:
    shutil.rmtree("work/words/data")
    with pytest.raises(DataError, match=r"should be in .*work/words/data.*--data where it is now"):
        data_for(None, Path("work/words/model"))


def test_a_data_set_that_was_prepared_again_is_refused_unless_it_is_named(
    home: Path, prepared: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = Path("work/words/model"), Path("work/words/data")
    require_same_data(None, data, model)
    memory.remember(model, data, prepared.name, "0" * 64, prepared.labels, {})
    with pytest.raises(DataError, match=r"prepared again.*train --data work/words/data --out work/words/model-2"):
        require_same_data(None, data, model)
    require_same_data(data, data, model)
    assert "is not the data set of the training" in capsys.readouterr().err.replace("\n", "")


def test_a_damaged_memory_is_refused(home: Path) -> None:
    file = home / "work/words/model" / memory.FILE
    for text in ("{", "[]", '{"kind": "edgekws-model", "version": 1}', '{"kind": "edgekws-model", "version": 9}'):
        file.write_text(text)
        with pytest.raises(ArtifactError, match=r"model\.json"):
            data_for(None, file.parent)


def test_a_graph_file_gets_a_folder_with_the_memory_of_its_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Path("work/words/model")
    for name in ("graph.npz", "graph-w4.npz"):
        io.save(random_graph(), model / name)
    assert model_folder(model / "graph.npz") == model
    folder = model_folder(model / "graph-w4.npz")
    assert folder == model / "graph-w4" and (folder / "graph.npz").is_file()
    assert data_for(None, folder).resolve() == home / "work/words/data"
    assert "results of graph-w4.npz go to work/words/model/graph-w4" in capsys.readouterr().err.replace("\n", " ")


def test_a_released_graph_of_other_widths_comes_with_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firmware_io.bench import vectors

    monkeypatch.chdir(tmp_path)
    folder = model_folder(Path("models/dscnn/graph-w4-qat.npz"))
    assert folder == Path("work/released/dscnn-graph-w4-qat")
    clips = vectors_for(None, None, folder)
    assert clips is not None and len(vectors.read(clips, io.load(folder / "graph.npz")).ids) > 0


def test_what_is_missing_is_said_with_the_command_that_makes_it(home: Path) -> None:
    model, other = Path("work/words/model"), Path("work/other")
    with pytest.raises(ArtifactError, match=r"trained network.*no such folder.*edgekws train --out work/other"):
        require_trained(other)
    (model / "float").mkdir()
    (model / memory.NETWORK).touch()
    with pytest.raises(ArtifactError, match=r"What to do: give --out work/words/model"):
        require_trained(other)
    with pytest.raises(ArtifactError, match=r"not quantized.*edgekws quantize --out work/words/model"):
        require_graph(model)
    io.save(replace(random_graph(), name="mine"), model / "graph.npz")
    require_graph(model)
    with pytest.raises(ArtifactError, match=r"no such folder.*give --out work/words/model"):
        require_graph(other)
