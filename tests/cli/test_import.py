"""`edgekws import`: the folder that it makes, what it prints, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekws.cli.line import import_ as command
from edgekws.data.labels import reject_note, require_equal
from edgekws.emit import tflite as emitter
from edgekws.errors import ConfigError, DataError, TargetError
from edgekws.graph import io
from firmware_io.bench import vectors
from tests.graphs import random_dag
from tests.importers.tflite_models import random_model


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "their_model.tflite"
    path.write_bytes(random_model(3))
    return path


def imported(model, out, **options):
    defaults = {"labels": None, "features": None, "form": None, "inputs": 9, "seed": 0, "data": None}
    command.import_(model, out, **{**defaults, **options})


def test_the_folder_has_the_graph_and_inputs_for_it(model, tmp_path, capsys):
    out = tmp_path / "kws"
    imported(model, out)
    graph = io.load(out / "graph.npz")
    assert (graph.name, graph.provenance["imported_from"]) == ("their_model", "their_model.tflite")
    golden = vectors.read(out / "golden.npz", graph)
    assert (len(golden.ids), golden.labels) == (9, None)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"LiteRT reference 9 0 of {9 * len(graph.labels)} 0 of 9 0" in printed
    assert f"edgekws check {out}" in printed


def test_labels_are_names_or_a_file(model, tmp_path):
    count = len(io.load(_made(model, tmp_path / "plain")).labels)
    names = [f"word{number}" for number in range(count)]
    (tmp_path / "labels.txt").write_text("\n".join(names) + "\n")
    for number, text in enumerate((",".join(names), str(tmp_path / "labels.txt"))):
        graph = io.load(_made(model, tmp_path / str(number), labels=text))
        assert list(graph.labels) == names


def _made(model, out, **options):
    imported(model, out, **options)
    return out / "graph.npz"


def test_clips_of_a_data_set_become_the_golden_vectors(prepared, tmp_path):
    graph = replace(random_dag(3, "int8"), labels=prepared.labels)
    if len(prepared.labels) != graph.nodes[-1].out_shape[2]:
        pytest.skip("the data set has another number of labels")
    path = tmp_path / "model.tflite"
    path.write_bytes(emitter.emit(graph)["model.tflite"])
    imported(path, tmp_path / "out", data=prepared.folder)
    golden = vectors.read(tmp_path / "out" / "golden.npz", io.load(tmp_path / "out" / "graph.npz"))
    assert set(golden.ids) <= set(prepared.splits["test"].ids)
    assert golden.labels is not None


def test_clips_need_a_known_front_end(model, prepared, tmp_path):
    with pytest.raises(DataError, match="front end should be known"):
        imported(model, tmp_path / "out", data=prepared.folder)


@pytest.mark.parametrize("options", [{"labels": " , "}, {"labels": "a,b"}, {"form": "tflight"}])
def test_wrong_options_are_refused_before_anything_is_written(model, tmp_path, options):
    with pytest.raises(ConfigError):
        imported(model, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_model_of_our_own_is_not_replaced(model, tmp_path):
    graph = random_dag(1)
    io.save(graph, tmp_path / "graph.npz")
    with pytest.raises(ConfigError, match="new folder"):
        imported(model, tmp_path)
    assert io.digest(io.load(tmp_path / "graph.npz")) == io.digest(graph)


def test_the_inputs_are_those_of_the_seed(model, tmp_path):
    first, again, other = (_made(model, tmp_path / str(number), seed=seed) for number, seed in enumerate((1, 1, 2)))
    features = [np.load(path.with_name("golden.npz"))["features"] for path in (first, again, other)]
    assert (features[0] == features[1]).all()
    assert (features[0] != features[2]).any()


def test_scores_without_names_are_called_so(model, tmp_path):
    graph = io.load(_made(model, tmp_path / "plain"))
    assert reject_note(graph.labels) == "the scores of this model have no names: edgekws import --labels gives them"
    with pytest.raises(DataError, match="edgekws import MODEL --labels yes,no"):
        require_equal(graph.labels, ("yes", "no"), "a data set")


def test_silence_and_unknown_of_other_tools_are_the_reject_class():
    assert reject_note(("yes", "Silence", "Unknown")) == ""
    assert "no _unknown_" in reject_note(("yes", "Silence"))


def test_a_runtime_that_cannot_run_the_file_is_said_and_no_reason_to_stop(model, tmp_path, capsys, monkeypatch):
    def refuse(files):
        raise TargetError("onnxruntime should run it", got="no kernel")

    monkeypatch.setattr("edgekws.importers.tflite.executors", refuse)
    imported(model, tmp_path / "kws")
    printed = capsys.readouterr()
    assert "not compared: onnxruntime should run it" in " ".join(printed.err.split())
    assert f"edgekws check {tmp_path / 'kws'}" in " ".join(printed.out.split())


def test_a_missing_file_of_labels_is_named(model, tmp_path):
    with pytest.raises(ConfigError, match=r"no file gone\.txt"):
        imported(model, tmp_path / "kws", labels="gone.txt")
