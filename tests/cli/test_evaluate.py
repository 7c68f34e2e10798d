"""`edgekws evaluate`: the figures that it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekws import models
from edgekws.cli.line.evaluate import evaluate
from edgekws.data.dataset import Dataset
from edgekws.errors import ConfigError
from edgekws.features import cache
from edgekws.graph import io
from edgekws.models import memory
from tests.conftest import random_graph
from tests.inference.sounds import write

DSCNN = Path("dscnn")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("yes/a.wav", "yes/b.wav", "no/[c].wav", "bed/d.wav")):
        write(tmp_path / "set" / name, 1.0, seed=number)
    (tmp_path / "set" / "yes" / "notes.txt").write_text("no sound")
    return tmp_path / "set"


def test_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, picture = tmp_path / "figures.json", tmp_path / "confusion.svg"
    evaluate(DSCNN, folder, on="interp", json_file=document, confusion=picture)
    captured = capsys.readouterr()
    shown, warned = captured.out, " ".join(captured.err.split())
    assert "4 clips of set" in shown and "with its 95 % interval" in shown
    assert "note: counted as _unknown_: bed (1)" in shown
    assert "4 clips are few" in warned and "1 of 5 files were left out" in warned
    assert f"next: edgekws predict dscnn {folder}" in shown
    written = json.loads(document.read_text())
    assert written["kind"] == "edgekws-evaluation" and written["on"] == "interp" and written["n"] == 4
    assert np.sum(written["confusion"]) == 4
    assert len(written["mistakes"]) == 4 - written["accuracy"]["hits"]
    assert [each["file"] for each in written["left_out"]] == ["yes/notes.txt"]
    assert picture.read_text().lstrip().startswith("<?xml")


def test_the_data_set_of_the_training_is_found(
    prepared: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = io.load(models.folder("dscnn") / models.GRAPH)
    io.save(graph, tmp_path / "m" / models.GRAPH)
    with pytest.raises(ConfigError, match="remembers no data set"):
        evaluate(tmp_path / "m")
    memory.remember(tmp_path / "m", prepared.folder, prepared.name, prepared.sha256, prepared.labels, {})
    evaluate(tmp_path / "m", on="c", json_file=Path("-"))
    document = json.loads(capsys.readouterr().out)
    part = prepared.splits["test"]
    scores = graph.compile()(cache.int8_features(prepared, "test", graph.features))
    assert document["data"] == {"name": f"{prepared.name} test", "sha256": prepared.sha256, "clips": len(part)}
    assert document["accuracy"]["hits"] == int((scores.argmax(axis=1) == part.labels).sum())


def test_a_model_at_chance_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    io.save(replace(random_graph(classes=2), labels=("yes", "no")), tmp_path / "m" / models.GRAPH)
    evaluate(tmp_path / "m", folder, on="interp")
    captured = capsys.readouterr()
    warned = " ".join(captured.err.split())
    assert "the accuracy is not above chance" in warned and "no _silence_ and no _unknown_" in warned
    assert "these clips count at the thresholds only" in captured.out


def test_pictures_of_other_kinds(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"a .svg or .png file"):
        evaluate(DSCNN, folder, confusion=Path("c.gif"))
