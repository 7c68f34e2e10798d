"""Graphs with TFLite's own numbers: imported models are written so that LiteRT's reference kernels agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekws.emit import tflite
from edgekws.errors import TargetError
from edgekws.graph.ir import Graph
from edgekws.importers import tflite as importer
from tests.importers import tflite_models
from tests.importers.test_tflite import REAL


def differing(graph: Graph, count: int) -> tuple[int, int]:
    """Scores of the written file in LiteRT's reference kernels, and of its import, that are not the graph's."""
    files = tflite.emit(graph)
    inputs = np.random.default_rng(0).integers(-128, 128, (count, *graph.clip_shape)).astype(np.int8)
    expected = graph.run(inputs)
    scores = tflite_models.reference(files["model.tflite"], inputs)
    return int((scores != expected).sum()), int((importer.read(files).run(inputs) != expected).sum())


def imported(seed: int) -> Graph:
    return importer.read({"model.tflite": tflite_models.random_model(seed)})


def outcomes(seeds: range, count: int) -> dict[int, tuple[int, int] | str]:
    """What differs of each model, or why it was refused."""
    results: dict[int, tuple[int, int] | str] = {}
    for seed in seeds:
        try:
            results[seed] = differing(imported(seed), count)
        except TargetError as error:
            results[seed] = str(error)
    return results


def check(results: dict[int, tuple[int, int] | str], least: float) -> None:
    wrong = {seed: each for seed, each in results.items() if not isinstance(each, str) and each != (0, 0)}
    refused = [each for each in results.values() if isinstance(each, str)]
    assert not wrong
    assert all("TFLite's form of" in each and "onnx-integer" in each for each in refused), refused
    assert len(results) - len(refused) >= least * len(results), refused


def test_random_imported_models_are_exact_or_refused_by_name():
    check(outcomes(range(12), 10), 0.5)


@pytest.mark.slow
def test_many_imported_models_are_exact_or_refused_by_name():
    check(outcomes(range(400, 600), 40), 0.6)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_published_model_goes_round(path):
    assert differing(importer.read({path.name: path.read_bytes()}), 20) == (0, 0)


def test_only_the_reference_kernels_are_promised():
    (path, *_) = REAL or pytest.skip("no published models here")
    files = tflite.emit(importer.read({path.name: path.read_bytes()}))
    assert list(tflite.executors(files)) == ["litert-reference", "litert-builtin-near", "litert-xnnpack-near"]


def test_a_multiplier_that_no_scale_gives_is_refused_with_its_channel():
    graph = imported(3)
    number = next(n for n, node in enumerate(graph.nodes) if node.operation.is_weighted)
    node = graph.nodes[number]
    mult = node.requant.mult.copy()
    mult[-1] = (mult[-1] ^ 0x55) | 1  # the low bits are beyond float32
    changed = replace(node, requant=replace(node.requant, mult=mult))
    nodes = (*graph.nodes[:number], changed, *graph.nodes[number + 1 :])
    with pytest.raises(TargetError, match=rf"{node.name}: .*float32 scale.* in channel {len(mult) - 1}"):
        tflite.emit(replace(graph, nodes=nodes))


def test_recurrent_layers_are_unrolled_with_their_weights_once():
    import torch

    from tests.quant.networks.gated import crnn
    from tests.quant.test_quant import as_int8, inputs, lowered, quantized

    torch.manual_seed(0)
    graph = lowered(quantized(crnn(12, 2, 4, 1).eval(), 16, target="int8"))
    files, x = tflite.emit(graph), as_int8(inputs(4, 1))
    assert np.array_equal(tflite.executors(files)["litert-reference"](x), graph.run(x))
    weight = next(node.weight for node in graph.node("gru1").body if node.operation.is_dense)
    assert files["model.tflite"].count(weight.tobytes()) == 1


@pytest.mark.parametrize("bits", [4, 2])
def test_narrow_weights_of_a_linear_layer_are_tensors_of_their_type(bits):
    graph = imported(9)
    limit = 1 << (bits - 1)
    nodes = tuple(
        replace(node, weight=np.clip(node.weight, -limit, limit - 1), weight_bits=bits) if node.op == "linear" else node
        for node in graph.nodes
    )
    narrow = replace(graph, nodes=nodes)
    assert differing(narrow, 10) == (0, 0)
    back = importer.read(tflite.emit(narrow))
    assert [node.weight_bits for node in back.nodes if node.op == "linear"] == [bits]
