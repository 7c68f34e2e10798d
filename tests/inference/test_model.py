"""Every file that holds a model is read for what it is; others are refused in one paragraph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgekws
from edgekws import models
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.graph import io
from edgekws.graph.softmax import normalized
from edgekws.inference import classifier, model
from tests.conftest import random_graph
from tests.graphs import random_general

RELEASED = models.folder("dscnn")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (Path("dscnn"), "graph"),
        (RELEASED / "graph-w4-qat.npz", "graph"),
        (RELEASED / "model.qdq.onnx", "onnx_qdq"),
        (RELEASED / "model.tinpu.onnx", "onnx_tinpu"),
        (RELEASED / "model.tflite", "tflite"),
        (RELEASED / "float.safetensors", "float"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_all_forms_of_a_released_model(path: Path, kind: str) -> None:
    graph, read = io.load(RELEASED / models.GRAPH), model.read(path)
    assert (read.kind, read.labels) == (kind, graph.labels)
    assert read.features.shape == graph.features.shape
    assert read.name == "dscnn" if kind != "graph" else read.graph is not None
    if kind not in ("graph", "float"):
        assert (read.sha256, read.score_scale, read.features) == (io.digest(graph), graph.score_scale, graph.features)


def test_a_file_under_another_name_and_a_folder(tmp_path: Path) -> None:
    graph = random_graph()
    (tmp_path / "my words.onnx").write_bytes(edgekws.export(graph, "onnx-qdq")["model.qdq.onnx"])
    io.save(graph, tmp_path / "model" / models.GRAPH)
    assert model.read(tmp_path / "my words.onnx").kind == "onnx_qdq"
    assert model.read(tmp_path / "model").path == tmp_path / "model" / models.GRAPH


def test_probabilities_of_a_softmax_are_not_taken_for_logits(tmp_path: Path) -> None:
    graphs = (random_general(seed, channels=(1,)) for seed in range(300))
    graph = next(g for g in graphs if g.gives_probabilities and isinstance(g.features, FeatureSpec))
    io.save(graph, tmp_path / models.GRAPH)
    (tmp_path / "model.onnx").write_bytes(next(iter(edgekws.export(graph, "onnx-integer").values())))
    mfcc = np.random.default_rng(0).normal(0, 20, (5, *graph.features.shape))
    for path in (tmp_path, tmp_path / "model.onnx"):
        read = model.read(path)
        on = "interp" if path == tmp_path else ""
        probabilities, scores = classifier.classifier(read, on).answer(mfcc)
        np.testing.assert_array_equal(probabilities, normalized(scores))
        assert read.gives_probabilities


def test_the_folder_of_results(tmp_path: Path) -> None:
    io.save(random_graph(), tmp_path / "m" / models.GRAPH)
    (tmp_path / "m" / "export").mkdir()
    exported = tmp_path / "m" / "export" / "model.tflite"
    exported.write_bytes((RELEASED / "model.tflite").read_bytes())
    assert model.read(exported).folder == model.read(tmp_path / "m").folder == tmp_path / "m"


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(b"\x08\x08 an ONNX file of others")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"foreign.onnx should be a file that edgekws export wrote.*not known"):
        model.read(tmp_path / "foreign.onnx")
    with pytest.raises(ConfigError, match=r"Got: .*notes.txt"):
        model.read(tmp_path / "notes.txt")
    with pytest.raises(ConfigError, match=r"missing.npz, which does not exist"):
        model.read(tmp_path / "missing.npz")
    with pytest.raises(ConfigError, match=r"no graph.npz and no float/best.safetensors.*edgekws train"):
        model.read(tmp_path / "empty")
    with pytest.raises(ConfigError, match=r"did you mean dscnn"):
        model.read(Path("dscn"))
    damaged = bytearray((RELEASED / "model.tflite").read_bytes())
    damaged[-200] ^= 1
    (tmp_path / "damaged.tflite").write_bytes(bytes(damaged))
    with pytest.raises(ArtifactError, match="should match the hash inside it"):
        model.read(tmp_path / "damaged.tflite")
