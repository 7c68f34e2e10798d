import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekws.emit import onnx_tinpu
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp, io
from edgekws.graph.ir import Node, Requant

CONV = ["Conv", "Add", "Mul", "Mul", "Floor", "Clip", "Relu", "Clip"]


def stage_of(node, **changes):
    return replace(node, requant=replace(node.requant, **changes))


def with_node(graph, index, **changes):
    nodes = list(graph.nodes)
    nodes[index] = stage_of(nodes[index], **changes)
    return replace(graph, nodes=tuple(nodes))


def wide_linear(graph, weight_limit):
    """conv1, then a linear layer of 25 * 5 * 8 inputs."""
    weight = np.full((12, 1000), weight_limit, np.int8)
    weight[:, ::3] = np.arange(334) % (weight_limit + 1)
    offset, ones = np.full(12, -2_000_000, np.int32), np.ones(12, np.uint8)
    stage = Requant(offset, ones, 14 * ones, -128, 127)
    return replace(
        graph, nodes=(graph.nodes[0], Node("fc", "linear", ("conv1",), stage, (25, 5, 8), (1, 1, 12), weight=weight))
    )


def load(graph):
    model = onnx.load_from_string(onnx_tinpu.emit(graph)["model.tinpu.onnx"])
    return model, {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}


def assert_equal(graph, features):
    expected = interp.run(graph, features)
    for name, run in onnx_tinpu.executors(onnx_tinpu.emit(graph)).items():
        assert np.array_equal(run(features), expected), name


def test_the_sequence_of_nodes_is_the_compilers(graph):
    model, constants = load(graph)
    pool = ["ReduceSum", "Round", "Add", "Mul", "Mul", "Floor", "Clip"]
    linear = ["MatMul", "Add", "Mul", "Mul", "Floor", "Clip"]
    assert [node.op_type for node in model.graph.node] == [*CONV * 3, *pool, *linear]
    assert model.opset_import[0].version == 17
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 1, 49, 10]
    conv = model.graph.node[0]
    attributes = {a.name: list(a.ints) or a.i for a in conv.attribute}
    assert len(conv.input) == 2  # no bias inside
    assert attributes == {"kernel_shape": [10, 4], "strides": [2, 2], "pads": [4, 1, 5, 1], "group": 1}
    assert constants["conv1_weight"].shape == (8, 1, 10, 4)
    assert constants["dw1_weight"].shape == (8, 1, 3, 3)
    assert constants["fc_weight"].shape == (8, 12)
    assert constants["conv1_offset_value"].shape == (1, 8, 1, 1)
    assert constants["pool_offset_value"].shape == (1, 1)


def test_constants_are_integers_and_powers_of_two(graph):
    _, constants = load(graph)
    for name, value in constants.items():
        if name.endswith("_shift_value"):
            assert np.all(np.log2(value) == np.round(np.log2(value))), name
        else:
            assert np.all(value == np.round(value)), name
    assert np.array_equal(constants["fc_weight"].T, graph.nodes[-1].weight)


def test_metadata_names_the_graph(graph):
    model, _ = load(graph)
    about = {prop.key: prop.value for prop in model.metadata_props}
    assert about["graph_sha256"] == io.digest(graph)
    assert json.loads(about["labels"]) == list(graph.labels)
    assert json.loads(about["features"])["window_samples"] == graph.features.window_samples
    assert about["exact_sums"] == "in any order"


@pytest.mark.parametrize("index", [0, 1, 2, 4])
def test_multipliers_of_8_bits(graph, random_features, index):
    channels = graph.nodes[index].out_shape[2]
    mult = np.random.default_rng(index).integers(1, 256, channels).astype(np.uint8)
    shift = graph.nodes[index].requant.shift + 7
    assert_equal(with_node(graph, index, mult=mult, shift=shift.astype(np.uint8)), random_features(100))


def test_signed_hidden_layers_and_negative_offsets(graph, random_features):
    for index in (0, 2):
        offset = -graph.nodes[index].requant.offset * 20
        assert_equal(with_node(graph, index, lo=-128, hi=127, offset=offset.astype(np.int32)), random_features(100))


def test_products_beyond_2_24_that_clip(graph, random_features):
    offset = graph.nodes[0].requant.offset.copy()
    offset[:3] = (1 << 25), -(1 << 26), (1 << 24) + 2
    huge = with_node(graph, 0, offset=offset)
    model, _ = load(huge)
    assert {p.key: p.value for p in model.metadata_props}["exact_sums"] == "in the order of the file"
    assert_equal(huge, random_features(100))


def test_linear_layer_on_an_image(graph, random_features):
    assert_equal(wide_linear(graph, 40), random_features(100))


def test_refuses_sums_beyond_2_24(graph):
    with pytest.raises(TargetError, match=r"fc: sums of products must stay within 2\^24.*channel 0"):
        onnx_tinpu.emit(wide_linear(graph, 127))


def test_refuses_an_offset_that_float32_cannot_hold(graph):
    offset = graph.nodes[0].requant.offset.copy()
    offset[5] = (1 << 24) + 1
    with pytest.raises(TargetError, match=r"conv1: offsets .*16777217 in channel 5"):
        onnx_tinpu.emit(with_node(graph, 0, offset=offset))


def test_refuses_products_beyond_2_24_that_may_not_clip(graph):
    shift, offset = graph.nodes[0].requant.shift.copy(), graph.nodes[0].requant.offset.copy()
    shift[2], offset[2] = 17, 1 << 24
    with pytest.raises(TargetError, match=r"conv1: products beyond 2\^24 .*channel 2 \(shift 17\)"):
        onnx_tinpu.emit(with_node(graph, 0, shift=shift, offset=offset))


def test_refuses_two_nodes_of_one_name(graph):
    twice = replace(graph, nodes=(graph.nodes[0], replace(graph.nodes[1], name="conv1"), *graph.nodes[2:]))
    with pytest.raises(ArtifactError, match="conv1_conv twice"):
        onnx_tinpu.emit(twice)


def test_refuses_files_that_are_not_its_own(graph):
    files = onnx_tinpu.emit(graph)
    (name, content), *_ = files.items()
    at = content.index(b"conv1_weight") + 40
    bad = {
        "among the files": {},
        "without a seal": {name: b"not a model"},
        "onnx_tinpu version 2": {name: content.replace(b"onnx_tinpu 1 ", b"onnx_tinpu 2 ")},
        "changed content": {name: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]},
    }
    for said, damaged in bad.items():
        with pytest.raises(ArtifactError, match=said):
            onnx_tinpu.executors(damaged)
    with pytest.raises(ArtifactError, match=r"changed content|without a seal"):
        onnx_tinpu.executors({name: content[:-1]})
