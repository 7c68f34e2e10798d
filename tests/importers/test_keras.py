"""Keras models: what is refused without TensorFlow, and with it the integers of LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest

import edgekws
from edgekws import importers
from edgekws.cli.line import import_ as command
from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.graph import io
from tests.importers import keras_models, tflite_models

pytestmark = pytest.mark.filterwarnings("ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning")
ENDINGS = ["model.keras", "model.h5"]


def test_a_float_model_needs_calibration(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigError, match="calibration"):
        edgekws.load(tmp_path / "model.keras")


def test_an_int8_model_takes_no_calibration(tmp_path):
    (tmp_path / "model.tflite").write_bytes(tflite_models.random_model(3))
    options = importers.Options(calibration=keras_models.clips(2))
    with pytest.raises(ConfigError, match="int8"):
        importers.load(tmp_path / "model.tflite", options=options)


def test_clips_are_a_file_of_numbers(tmp_path):
    (tmp_path / "clips.npy").write_bytes(b"no")
    with pytest.raises(DataError, match="npy"):
        command.import_(tmp_path / "model.keras", tmp_path / "out", calibration=tmp_path / "clips.npy")


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_the_scores_are_those_of_the_reference_kernels_on_the_converted_file(name, tmp_path):
    pytest.importorskip("tensorflow")
    scores = keras_models.save(tmp_path / name)
    np.save(tmp_path / "clips.npy", keras_models.clips(64)[..., 0])
    out = tmp_path / "out"
    command.import_(tmp_path / name, out, calibration=tmp_path / "clips.npy", inputs=20, seed=0)
    graph, content = io.load(out / "graph.npz"), (out / "model.tflite").read_bytes()
    assert graph.provenance["imported_from"] == "model.tflite"
    inputs = np.random.default_rng(1).integers(-128, 128, (2000, *keras_models.SHAPE[:2])).astype(np.int8)
    assert (graph.run(inputs) == tflite_models.reference(content, inputs)).all()
    steps = np.round(keras_models.clips(64)[..., 0] / graph.input_scale) + graph.input_zero
    ours = (graph.run(steps.clip(-128, 127).astype(np.int8)).astype(int) + 128) / 256
    assert abs(ours - scores).max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_prepare_reads_the_float_network(name, tmp_path):
    pytest.importorskip("tf2onnx")
    scores = keras_models.save(tmp_path / name)
    clips = keras_models.clips(64).transpose(0, 3, 1, 2)
    with pytest.warns(UserWarning, match="softmax"):
        net = edgekws.prepare(tmp_path / name, "int8", calibration=clips, method="ptq")
    graph = edgekws.lower(net)
    logits = graph.run((clips[:, 0] * 32).round().astype(np.int8)) * graph.score_scale
    ours = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert abs(ours - scores).max() < 0.05


@pytest.mark.slow
def test_clips_of_another_shape_and_damaged_files_are_refused(tmp_path):
    pytest.importorskip("tensorflow")
    keras_models.save(tmp_path / "model.keras")
    content = (tmp_path / "model.keras").read_bytes()
    for clips in (np.zeros((2, 10, 13, 1), np.float32), np.zeros((2, *keras_models.SHAPE), np.int8)):
        with pytest.raises(DataError, match="calibration"):
            importers.load(tmp_path / "model.keras", options=importers.Options(calibration=clips))
    (tmp_path / "model.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="Keras"):
        importers.load(tmp_path / "model.keras", options=importers.Options(calibration=keras_models.clips(2)))
