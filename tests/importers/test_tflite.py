"""Imported TFLite models give the integers of LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest

import edgekws
from edgekws import importers
from edgekws.importers import tflite
from tests.importers import tflite_models
from tests.recordings import SHARED

REAL = sorted((SHARED / "mlperf_tiny").glob("*_ref_model.tflite")) + sorted(SHARED.glob("mlperf_tiny/*_quant.tflite"))


def differing(content: bytes, count: int, seed: int = 0) -> int:
    """Scores that differ, on random inputs and on constant ones."""
    graph = tflite.read({"model.tflite": content})
    height, width, channels = graph.in_shape
    inputs = np.random.default_rng(seed).integers(-128, 128, (count, height, width * channels)).astype(np.int8)
    inputs[:4] = np.array([-128, 127, 0, graph.input_zero]).reshape(4, 1, 1)
    return int((graph.run(inputs) != tflite_models.reference(content, inputs)).sum())


@pytest.mark.parametrize("seed", range(12))
def test_a_random_model_gives_the_integers_of_the_reference_kernels(seed):
    assert differing(tflite_models.random_model(seed), 20) == 0


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 400, 50))
def test_many_random_models_give_the_integers_of_the_reference_kernels(first):
    wrong = {seed: differing(tflite_models.random_model(seed), 60) for seed in range(first, first + 50)}
    assert not {seed: count for seed, count in wrong.items() if count}


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_published_model_gives_the_integers_of_the_reference_kernels(path):
    assert differing(path.read_bytes(), 8) == 0


@pytest.mark.slow
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_published_model_on_two_thousand_inputs(path):
    assert differing(path.read_bytes(), 2000) == 0


@pytest.mark.skipif(not REAL, reason="needs MLPerf Tiny's models")
def test_load_reads_a_foreign_model():
    path = next(path for path in REAL if path.stem == "kws_ref_model")
    graph = edgekws.load(path)
    assert (graph.name, graph.target, graph.input_zero) == ("kws_ref_model", "int8", 83)
    assert graph.provenance["imported_from"] == path.name
    assert graph.labels[:2] == ("class0", "class1")
    assert graph.gives_probabilities
    assert importers.find(path)[0] == "tflite"
