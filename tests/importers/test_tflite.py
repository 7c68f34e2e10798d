"""Imported TFLite models give the integers of LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import edgekws
from edgekws import importers
from edgekws.emit import tflite as edgekws_emitter
from edgekws.importers import tflite
from tests.graphs import random_dag
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


def test_an_exported_file_keeps_its_labels_and_front_end():
    graph = random_dag(3, "int8")
    again = tflite.read(edgekws_emitter.emit(graph))
    assert (again.labels, again.features) == (graph.labels, graph.features)


@pytest.mark.parametrize(("kind", "name"), [("FLOAT32", "DEQUANTIZE"), ("UINT8", "QUANTIZE")])
def test_ends_of_another_type_are_left_to_the_reader(kind, name):
    build = tflite_models.Random(np.random.default_rng(1))
    outer = (0.05, -3) if kind == "FLOAT32" else (0.05, 125)
    first = build.activation((1, 6, 5, 1), outer, kind)
    build.value = build.activation((1, 6, 5, 1), (0.05, -3))
    build.operator("QUANTIZE", [first], [build.value])
    build.finish()
    scale, zero = build.quant(build.value)
    last = build.activation(build.shape(build.value), (scale, zero + 128 * (kind == "UINT8")), kind)
    build.operator(name, [build.value], [last])
    content = build.pack([first], [last])
    graph = tflite.read({"m.tflite": content})
    assert (graph.input_zero, round(graph.input_scale, 6), len(graph.nodes) <= 2) == (-3, 0.05, True)
    assert differing(content, 20) == 0


def test_the_flattening_of_keras_is_folded():
    """SHAPE, STRIDED_SLICE and PACK compute a shape that is known."""
    build = tflite_models.Random(np.random.default_rng(2))
    build.start((1, 5, 4, 2))
    shape, batch, sizes = (build.tensor(size, "INT32") for size in ((4,), (), (2,)))
    build.operator("SHAPE", [0], [shape], schema.ShapeOptionsT(outType=schema.TensorType.INT32))
    bounds = [build.integers([value]) for value in (0, 1, 1)]
    build.operator("STRIDED_SLICE", [shape, *bounds], [batch], schema.StridedSliceOptionsT(shrinkAxisMask=1))
    build.operator("PACK", [batch, build.integers(-1)], [sizes], schema.PackOptionsT(valuesCount=2, axis=0))
    build.value = build.activation((1, 40), build.quant(0))
    build.operator("RESHAPE", [0, sizes], [build.value], schema.ReshapeOptionsT(newShape=[-1, 40]))
    build.finish()
    content = build.pack([0], [build.value])
    assert len(tflite.read({"m.tflite": content}).nodes) <= 2
    assert differing(content, 20) == 0
