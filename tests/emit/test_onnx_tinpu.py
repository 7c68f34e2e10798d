import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from edgekws.emit import _onnx, onnx_tinpu
from edgekws.errors import ArtifactError, TargetError
from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph, Node, Requant
from tests.graphs import random_dag

CONV = ["Conv", "Add", "Mul", "Mul", "Floor", "Clip", "Relu", "Clip"]


def with_requant(node, **changes):
    return replace(node, requant=replace(node.requant, **changes))


def with_node(graph, index, **changes):
    nodes = list(graph.nodes)
    nodes[index] = with_requant(nodes[index], **changes)
    return replace(graph, nodes=tuple(nodes))


def wide_linear(graph, weight_limit):
    """conv1, then a linear layer of 25 * 5 * 8 inputs."""
    weight = np.full((12, 1000), weight_limit, np.int8)
    weight[:, ::3] = np.arange(334) % (weight_limit + 1)
    offset, ones = np.full(12, -2_000_000, np.int32), np.ones(12, np.uint8)
    requant = Requant(offset, ones, 14 * ones, -128, 127)
    return replace(
        graph, nodes=(graph.nodes[0], Node("fc", "linear", ("conv1",), requant, (25, 5, 8), (1, 1, 12), weight=weight))
    )


def load(graph):
    model = onnx.load_from_string(onnx_tinpu.emit(graph)["model.tinpu.onnx"])
    return model, {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}


def assert_equal(graph, features):
    expected = interp.run(graph, features)
    for name, run in onnx_tinpu.executors(onnx_tinpu.emit(graph)).items():
        assert np.array_equal(run(features), expected), name


def test_the_sequence_of_nodes_is_that_of_the_compiler(graph):
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


def test_refuses_two_tensors_of_one_name(graph):
    pool, renamed = replace(graph.nodes[3], inputs=("conv1_relu",)), replace(graph.nodes[2], name="conv1_relu")
    clash = replace(graph, nodes=(*graph.nodes[:2], renamed, pool, graph.nodes[4]))
    clash.check()
    with pytest.raises(ArtifactError, match=r"conv1_relu_clip\w* twice"):
        onnx_tinpu.emit(clash)


def test_refuses_the_other_rule():
    with pytest.raises(TargetError, match=r"conv2d0: .*offset-scale-shift.*Got: fixed-point"):
        onnx_tinpu.emit(random_dag(0, "int8"))


def every_tensor(graph, features, optimized):
    """What onnxruntime computes for each node, as int32 [n, h, w, c]."""
    content = onnx_tinpu.emit(graph)["model.tinpu.onnx"]
    model = onnx.load_from_string(_onnx.with_any_batch(content))
    ends = {node.name: last_tensor(model, node.name) for node in graph.nodes}
    known = {value.name for value in model.graph.output}
    more = [onnx.helper.make_tensor_value_info(end, 1, None) for end in ends.values() if end not in known]
    model.graph.output.extend(more)
    options = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = session.run([ends[node.name] for node in graph.nodes], {"features": features[:, None].astype(np.float32)})
    shapes = [(len(features), node.out_shape[2], *node.out_shape[:2]) for node in graph.nodes]
    return [value.reshape(shape).transpose(0, 2, 3, 1) for value, shape in zip(values, shapes, strict=True)]


def last_tensor(model, name):
    """The output of a node, before it is flattened for a reader."""
    made = [node.output[0] for node in model.graph.node]
    ends = [f"{name}_{end}" for end in ("relu_clip", "clip", "max")]
    return next(end for end in ends if end in made)


@pytest.mark.parametrize("optimized", [True, False])
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_every_integer_of_every_layer_equals_the_interpreter(first, optimized):
    for seed in range(first, first + 20):
        graph = random_dag(seed)
        features = np.random.default_rng(seed).integers(-128, 128, (2, 49, 10)).astype(np.int8)
        expected = [value for _, value in interp.trace(graph, features[..., None].astype(np.int32))]
        for node, got, integers in zip(graph.nodes, every_tensor(graph, features, optimized), expected, strict=True):
            assert np.array_equal(got, integers), (seed, node.name)


@pytest.mark.parametrize("first", range(0, 240, 40))
def test_random_graphs_of_all_ops_and_widths(first):
    seen = set()
    for seed in range(first, first + 40):
        graph = random_dag(seed)
        features = np.random.default_rng(seed).integers(-128, 128, (4, 49, 10)).astype(np.int8)
        assert_equal(graph, features)
        seen |= {(node.op, node.weight_bits) for node in graph.nodes}
    assert {op for op, _ in seen} >= {"add", "max_pool", "scale", "linear", "conv2d", "depthwise_conv2d"}
    assert {bits for _, bits in seen} == {8, 4, 2}


def test_the_patterns_of_the_other_ops():
    """An input normalization, a residual addition after a ReLU, and a maximum."""
    graph = residual_graph()
    model, constants = load(graph)
    ops = [node.op_type for node in model.graph.node]
    branch = ["Conv", "Add", "Mul", "Mul", "Floor", "Clip"]
    stem = ["Add", "Mul", "Mul", "Floor", "Clip", *CONV]
    assert ops == [*stem, *branch, "Add", "Relu", "Clip", "MaxPool", "Flatten", "MatMul", *branch[1:]]
    (add,) = [node for node in model.graph.node if node.name == "sum_sum"]
    assert list(add.input) == ["conv_relu_clip", "branch_clip"]
    (conv,) = [node for node in model.graph.node if node.name == "branch_conv"]
    assert len(conv.input) == 2  # the offset stays outside, also of 4 bits
    first, second = (node for node in model.graph.node if node.name in ("branch_mult", "branch_shift"))
    assert constants[first.input[1]].ravel().tolist() == [77.0, 201.0, 64.0, 255.0]
    assert constants[second.input[1]].ravel().tolist() == [2.0**-12] * 4
    about = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(about["narrow_weights"]) == {"branch": {"bits": 4, "stored_as": "float32"}}


def residual_graph():
    rng, spec = np.random.default_rng(3), FeatureSpec()

    def scaled(channels, offset, mult, shift, lo, hi):
        full = np.ones(channels, np.uint8)
        return Requant(np.full(channels, offset, np.int32), (mult * full).astype(np.uint8), shift * full, lo, hi)

    weights = [rng.integers(-7, 8, shape).astype(np.int8) for shape in ((4, 3, 3, 1), (4, 1, 1, 4), (12, 480))]
    mid, pooled = (49, 10, 4), (24, 5, 4)
    nodes = (
        Node("norm", "scale", ("input",), scaled(1, 3, 100, 7, -128, 127), (49, 10, 1), (49, 10, 1)),
        Node("conv", "conv2d", ("norm",), scaled(4, 900, 1, 5, 0, 255), (49, 10, 1), mid, weights[0], pad=(1, 1, 1, 1)),
        Node(
            "branch", "conv2d", ("conv",), scaled(4, 0, np.array([77, 201, 64, 255]), 12, -128, 127), mid, mid,
            weights[1], weight_bits=4,
        ),
        Node("sum", "add", ("conv", "branch"), Requant.identity(4, 0, 255), mid, mid),
        Node("max", "max_pool", ("sum",), Requant.identity(4, 0, 255), mid, pooled, window=(2, 2), stride=(2, 2)),
        Node("fc", "linear", ("max",), scaled(12, 0, 1, 8, -128, 127), pooled, (1, 1, 12), weights[2]),
    )  # fmt: skip
    return Graph(nodes, tuple(f"word{i}" for i in range(12)), spec, "tinpu")


def test_a_tensor_that_is_read_as_image_and_as_row(random_features):
    """The pool feeds an addition with a row, and a linear layer: it is flattened once."""
    graph = residual_graph()
    *nodes, fc = graph.nodes
    ones = np.ones(4, np.uint8)
    scaled = Requant(np.zeros(4, np.int32), ones, 7 * ones, 0, 255)
    small = Requant(np.zeros(4, np.int32), ones, 4 * ones, 0, 255)
    weight = np.random.default_rng(1).integers(-7, 8, (4, 4)).astype(np.int8)
    row = (1, 1, 4)
    tail = (
        Node("pool", "global_sum_pool", ("max",), scaled, (24, 5, 4), row),
        Node("side", "linear", ("pool",), small, row, row, weight),
        Node("both", "add", ("pool", "side"), Requant.identity(4, 0, 255), row, row),
        Node("again", "scale", ("both",), small, row, row),
        replace(fc, inputs=("again",), in_shape=row, weight=fc.weight[:, :4].copy()),
    )
    graph = replace(graph, nodes=(*nodes, *tail))
    model, _ = load(graph)
    assert [node.name for node in model.graph.node if node.op_type == "Flatten"] == ["pool_flat"]
    assert_equal(graph, random_features(50))


def test_refuses_an_image_op_after_a_linear_layer(graph):
    row, ones = (1, 1, 12), np.ones(12, np.uint8)
    requant = Requant(np.zeros(12, np.int32), ones, 4 * ones, -128, 127)
    conv = Node("late", "conv2d", ("fc",), requant, row, row, np.ones((12, 1, 1, 12), np.int8))
    with pytest.raises(TargetError, match=r"late: only linear layers.*conv2d"):
        onnx_tinpu.emit(replace(graph, nodes=(*graph.nodes, conv)))


@pytest.mark.parametrize("products_within", [True, False])
def test_fusions_with_multipliers(products_within, random_features):
    """Offset and multiplier inside Conv and Gemm: exact in any order, or only in that of the file."""
    graph = residual_graph()
    offset = 60_000 if products_within else 300_000
    nodes = list(graph.nodes)
    for index in (1, 2, 5):
        requant = nodes[index].requant
        alternating = np.where(np.arange(len(requant.offset)) % 2, offset, -offset)
        full = np.full_like(requant.mult, 30 if products_within else 255)
        nodes[index] = with_requant(nodes[index], offset=alternating.astype(np.int32), mult=full, shift=0 * full + 16)
    graph = replace(graph, nodes=tuple(nodes))
    model, _ = load(graph)
    order = {p.key: p.value for p in model.metadata_props}["exact_sums"]
    assert order == ("in any order" if products_within else "in the order of the file")
    assert_equal(graph, random_features(50))


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
    for message, damaged in bad.items():
        with pytest.raises(ArtifactError, match=message):
            onnx_tinpu.executors(damaged)
    with pytest.raises(ArtifactError, match=r"changed content|without a seal"):
        onnx_tinpu.executors({name: content[:-1]})
