import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekws.emit import onnx_qdq
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp, io
from edgekws.graph.ir import Node, Requant
from tests.graphs import random_dag

FILE = "model.qdq.onnx"


def load(graph):
    model = onnx.load_from_string(onnx_qdq.emit(graph)[FILE])
    return model, {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}


def with_requant(graph, index, **changes):
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], requant=replace(nodes[index].requant, **changes))
    return replace(graph, nodes=tuple(nodes))


def test_the_standard_pattern_is_used_where_weights_allow(graph_factory):
    model, constants = load(graph_factory(0, 63))
    made_by = {name: node for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 5
    for conv in convolutions:
        assert [made_by[name].op_type for name in conv.input] == ["DequantizeLinear"] * 3
        stored = [constants[made_by[name].input[0]] for name in conv.input[1:]]
        assert [value.dtype for value in stored] == [np.int8, np.int32]
        (reader,) = [node for node in model.graph.node if conv.output[0] in node.input]
        assert reader.op_type == "QuantizeLinear"
        x, w, b = (constants[made_by[name].input[1]].astype(np.float64) for name in conv.input)
        assert np.array_equal(b, x * w)  # the bias has the scale that integer kernels assume
    assert model.opset_import[0].version == 21


def test_wide_weights_get_a_bias_in_half_steps(graph_factory):
    model, constants = load(graph_factory(0, 127))
    adds = [node for node in model.graph.node if node.op_type == "Add"]
    assert [node.output[0] for node in adds] == ["conv1_sum", "dw1_sum", "pw1_sum", "fc_sum"]
    x, w, b = (constants[name].astype(np.float64) for name in ("conv1_scale", "pw1_weight_scale", "pw1_bias_scale"))
    x = constants["dw1_scale"].astype(np.float64)
    assert np.array_equal(b, x * w / 2)


def test_scales_are_powers_of_two_near_the_real_ones(graph):
    graph = replace(graph, nodes=tuple(replace(node, out_scale=0.013) for node in graph.nodes))
    model, constants = load(graph)
    for name, value in constants.items():
        if name.endswith("_scale"):
            assert np.all(np.log2(value) == np.round(np.log2(value))), name
    assert constants["fc_scale"] == 2.0**-6
    assert '"fc": 0.013' in {p.key: p.value for p in model.metadata_props}["output_scales"]
    assert {p.key: p.value for p in model.metadata_props}["graph_sha256"] == io.digest(graph)


@pytest.mark.parametrize("changes", [{"lo": -128, "hi": 127}, {"shift": np.zeros(8, np.uint8)}])
@pytest.mark.parametrize("index", [0, 2, 3])
def test_signed_hidden_layers_and_no_shift(graph, random_features, index, changes):
    graph = with_requant(graph, index, **changes)
    expected = interp.run(graph, random_features(64))
    for name, run in onnx_qdq.executors(onnx_qdq.emit(graph)).items():
        assert np.array_equal(run(random_features(64)), expected), name


def about_of(model):
    return {prop.key: prop.value for prop in model.metadata_props}


def differences(graph, features):
    """Runtime -> how far each score is from the interpreter's."""
    expected = interp.run(graph, features).astype(int)
    return {name: np.abs(run(features) - expected) for name, run in onnx_qdq.executors(onnx_qdq.emit(graph)).items()}


EXACT = {"onnxruntime", "onnxruntime-unoptimized"}


@pytest.mark.parametrize("first", range(0, 120, 40))
def test_random_graphs_of_all_ops_and_widths(first):
    for seed in range(first, first + 40):
        features = np.random.default_rng(seed).integers(-128, 128, (4, 49, 10)).astype(np.int8)
        by_runtime = differences(random_dag(seed), features)
        assert set(by_runtime) == EXACT
        assert not any(gaps.any() for gaps in by_runtime.values()), seed


def test_narrow_weights_are_narrow_tensors():
    graph = next(g for g in map(random_dag, range(50)) if {n.weight_bits for n in g.nodes} == {8, 4, 2})
    model, _ = load(graph)
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    kinds = {8: onnx.TensorProto.INT8, 4: onnx.TensorProto.INT4, 2: onnx.TensorProto.INT2}
    rows = json.loads(about_of(model)["narrow_weights"])
    for node in graph.nodes:
        if node.weight is not None:
            assert types[f"{node.name}_weight"] == kinds[node.weight_bits]
            assert (node.name in rows) == (node.weight_bits < 8)
    assert {row["stored_as"] for row in rows.values()} == {"int4", "int2"}
    assert (model.opset_import[0].version, model.ir_version) == (25, 13)  # the first with INT2


def test_four_bits_need_opset_21_only():
    graph = random_dag(0, bits=(4,))
    model, _ = load(graph)
    assert (model.opset_import[0].version, model.ir_version) == (21, 10)
    stored = [c for c in model.graph.initializer if c.data_type == onnx.TensorProto.INT4 and c.name.endswith("_weight")]
    for constant in stored:
        assert len(constant.raw_data) == -(-numpy_helper.to_array(constant).size // 2)  # two in a byte


def test_the_scale_of_weights_carries_the_multiplier(graph):
    graph = with_requant(graph, 2, mult=np.arange(3, 11).astype(np.uint8), shift=np.full(8, 14, np.uint8))
    _, constants = load(graph)
    x, w, b, y = (constants[f"{name}_scale"].astype(np.float64) for name in ("dw1", "pw1_weight", "pw1_bias", "pw1"))
    assert np.array_equal(x * w / y, np.arange(3, 11) / 2.0**14)
    odd = np.array([3, 1, 5, 3, 7, 1, 9, 5])  # the multipliers without their factors of two
    assert np.array_equal(x * w / b, 2 * odd)
    bias = constants["pw1_bias"].ravel()
    assert np.all(bias % 2 == 1)  # an odd numerator is never a half


def wide(graph, mult, shift):
    """A linear layer of 1000 inputs: 2 * mult * acc passes 2^24, acc does not."""
    weight = np.random.default_rng(5).integers(-127, 128, (12, 1000)).astype(np.int8)
    ones = np.ones(12, np.uint8)
    requant = Requant(np.arange(-9000, 9000, 1500).astype(np.int32), mult * ones, shift * ones, -128, 127)
    fc = Node("fc", "linear", ("conv1",), requant, (25, 5, 8), (1, 1, 12), weight)
    return replace(graph, nodes=(graph.nodes[0], fc))


def test_products_beyond_float32_get_a_floor(graph, random_features):
    graph = wide(graph, 77, 16)
    model, _ = load(graph)
    assert json.loads(about_of(model)["forms"])["fc"] == "floor"
    assert "layers_without_proof" not in about_of(model)
    order = [node.op_type for node in model.graph.node if node.name.startswith("fc")]
    assert order == ["DequantizeLinear", "Conv", "Add", "Mul", "Mul", "Floor", "Mul", "QuantizeLinear"]
    by_runtime = differences(graph, random_features(100))
    assert set(by_runtime) == EXACT
    assert not any(gaps.any() for gaps in by_runtime.values())
    assert len(np.unique(graph.run(random_features(100)))) > 100


def test_a_layer_without_proof_is_in_the_metadata(graph, random_features):
    graph = wide(graph, 77, 17)
    requant = graph.nodes[1].requant
    graph = with_requant(
        graph, 1, offset=np.full_like(requant.offset, (1 << 23) + 1), shift=np.full_like(requant.shift, 20)
    )
    model, _ = load(graph)
    assert json.loads(about_of(model)["layers_without_proof"]) == ["fc"]
    assert about_of(model)["rounding"] == onnx_qdq.NEAR_NOTE
    by_runtime = differences(graph, random_features(50))
    assert set(by_runtime) == set(onnx_qdq.MAY_DIFFER)
    assert all(gaps.max() <= 1 for gaps in by_runtime.values())


@pytest.mark.parametrize("seed", [1, 4, 6, 9])
def test_fixed_point_graphs_are_near(seed):
    """One rounding instead of two: single layers are at most one step apart, and most values are equal."""
    graph = random_dag(seed, "int8", bits=(8, 4))
    content = onnx_qdq.emit(graph)
    names = set(onnx_qdq.executors(content))
    assert names == set(onnx_qdq.MAY_DIFFER)
    model = onnx.load_from_string(content[FILE])
    assert json.loads(about_of(model)["forms"])["conv2d0"] == "standard"
    first = first_layer_alone(graph)
    for gaps in differences(first, np.random.default_rng(0).integers(-128, 128, (50, 49, 10)).astype(np.int8)).values():
        assert gaps.max() <= 1
        assert gaps.mean() < 0.1


def first_layer_alone(graph):
    """A linear layer of the fixed-point rule on the features."""
    rng = np.random.default_rng(len(graph.nodes))
    weight = rng.integers(-127, 128, (12, 490)).astype(np.int8)
    requant = Requant(
        rng.integers(-9000, 9000, 12).astype(np.int32), rng.integers(1 << 30, 1 << 31, 12).astype(np.int32),
        np.full(12, 11, np.uint8), -128, 127, "fixed-point",
    )  # fmt: skip
    return replace(graph, nodes=(Node("fc", "linear", ("input",), requant, (49, 10, 1), (1, 1, 12), weight),))


def test_refuses_a_bias_that_int32_cannot_hold(graph):
    requant = graph.nodes[0].requant
    huge = np.full_like(requant.offset, (1 << 23) + 1)
    with pytest.raises(TargetError, match=r"conv1: the bias in half steps must fit 32 bits"):
        onnx_qdq.emit(
            with_requant(graph, 0, offset=huge, mult=np.full_like(requant.mult, 201), shift=0 * requant.shift + 20)
        )


def test_refuses_an_addition_of_two_scales():
    graph = next(g for g in map(random_dag, range(50)) if any(n.op == "add" for n in g.nodes))
    add = next(node for node in graph.nodes if node.op == "add")
    nodes = [replace(node, out_scale=0.25) if node.name in add.inputs else node for node in graph.nodes]
    assert set(differences(replace(graph, nodes=tuple(nodes)), np.zeros((1, 49, 10), np.int8))) == EXACT
    nodes = [replace(node, out_scale=0.25) if node.name == add.inputs[1] else node for node in graph.nodes]
    with pytest.raises(ArtifactError, match="one scale"):
        onnx_qdq.emit(replace(graph, nodes=tuple(nodes)))


def test_refuses_another_version(graph):
    content = onnx_qdq.emit(graph)[FILE]
    with pytest.raises(ArtifactError, match="onnx_qdq version 7"):
        onnx_qdq.executors({FILE: content.replace(b"onnx_qdq 1 ", b"onnx_qdq 7 ")})
    with pytest.raises(ArtifactError, match="without a seal"):
        onnx_qdq.executors({FILE: content[:40]})
