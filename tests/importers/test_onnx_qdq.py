"""QDQ and QOperator ONNX: the integers of onnxruntime, counted where they may differ; those of our own files, all."""

from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantFormat, QuantType

from edgekws import plugins
from edgekws.emit import onnx_qdq as emitter
from edgekws.errors import TargetError
from edgekws.features.spec import UnknownFeatures
from edgekws.importers import onnx_qdq
from tests.graphs import random_dag, random_general
from tests.importers import float_onnx, qdq_onnx
from tests.importers.qdq_onnx import QdqNet


def inputs(shape, count=60, seed=3):
    """Noise around patterns of their own: means over white noise alone would all be alike."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(-90, 91, (count, *shape))
    return np.clip(noise + rng.integers(-90, 91, (count, 1, shape[1])), -128, 127).astype(np.int8)


def compared(content, count=60):
    """(graph, how many scores differ and by how much at most, in each of the runtimes)"""
    files = {"net.onnx": content}
    graph = onnx_qdq.read(files)
    height, width, channels = graph.in_shape
    features = inputs((height, width * channels), count)
    scores = graph.run(features).astype(int)
    assert len(np.unique(scores, axis=0)) > count / 3
    distances = [np.abs(run(features) - scores) for run in onnx_qdq.executors(files).values()]
    return graph, [(int((each > 0).sum()), int(each.max())) for each in distances]


@pytest.fixture(autouse=True)
def quiet():
    """onnxruntime's quantizer warns that networks should be preprocessed."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


STYLES = [
    (format_, per_channel, kind, symmetric)
    for format_ in ("QDQ", "QOperator")
    for per_channel in (True, False)
    for kind in ("QInt8", "QUInt8")
    for symmetric in (False, True)
    if not (kind == "QInt8" and format_ == "QOperator")  # onnxruntime has no QGemm of these types
]
FAST = [("QDQ", True, "QInt8", False), ("QOperator", False, "QUInt8", False)]


@pytest.mark.parametrize(
    "style",
    [
        pytest.param(each, marks=() if each in FAST else pytest.mark.slow, id="-".join(map(str, each)))
        for each in STYLES
    ],
)
def test_files_of_onnxruntimes_quantizer(style, tmp_path):
    """0 differed when this was written; a value next to a half may: at most one in a hundred scores, by one step."""
    format_, per_channel, kind, symmetric = style
    content = float_onnx.quantized(
        float_onnx.ds_cnn(),
        tmp_path,
        quant_format=getattr(QuantFormat, format_),
        per_channel=per_channel,
        activation_type=getattr(QuantType, kind),
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )
    graph, differences = compared(content)
    assert all(count <= 3 and most <= 1 for count, most in differences)
    assert graph.target == "int8" and graph.features == UnknownFeatures((49, 10))
    assert graph.input_zero == (0 if symmetric else -17)


def test_gates_tables_and_softmax(tmp_path):
    content = float_onnx.quantized(
        float_onnx.gates(), tmp_path, quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8
    )
    graph, differences = compared(content)
    assert {"table", "mul", "concat", "softmax"} <= {node.op for node in graph.nodes} and graph.gives_probabilities
    assert all(count <= 3 and most <= 1 for count, most in differences)


def test_probabilities_in_other_steps_are_noted(tmp_path):
    content = float_onnx.quantized(float_onnx.gates(), tmp_path, quant_format=QuantFormat.QDQ)
    graph, differences = compared(content)
    assert "steps of 1/256" in graph.provenance["import_notes"] and graph.score_scale == 1 / 256
    assert all(most <= 1 for _, most in differences)


@pytest.mark.parametrize("network", ["fake_quantized", "channels_last", "moved"])
def test_files_of_other_tools(network):
    """Optimized, onnxruntime replaces some functions by its own approximations."""
    _, (optimized, plain) = compared(getattr(qdq_onnx, network)(1))
    assert plain[0] <= 8 and plain[1] <= 1 and optimized[0] <= 30 and optimized[1] <= 2


POOLS = [
    ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1}),
    ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0], "count_include_pad": 1}),
    ("AveragePool", {"kernel_shape": [3, 3], "strides": [3, 3]}),
    ("ReduceMean", {"axes": [2], "keepdims": 0}),
    ("ReduceMean", {"axes": [-2], "keepdims": 1}),
]


@pytest.mark.parametrize(("op", "attributes"), POOLS, ids=[f"{op}{number}" for number, (op, _) in enumerate(POOLS)])
def test_pools(op, attributes):
    """A mean of few values is often a half, which onnxruntime rounds to even and the graph away from zero."""
    _, differences = compared(qdq_onnx.one_layer(2, op, **attributes))
    limit = 40 if any(attributes.get("pads", ())) and op == "AveragePool" else 3
    assert all(count <= limit and most <= 1 for count, most in differences)


@pytest.mark.parametrize("target", ["tinpu", "int8"])
def test_our_own_files_keep_their_integers(target):
    for seed in range(6):
        assert_same(seed, target)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["tinpu", "int8"])
def test_two_hundred_of_our_own_files_keep_their_integers(target):
    for seed in range(200):
        assert_same(seed, target)


NOT_IN_QDQ = ("rescaled_add", "mul", "table", "softmax")


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_general_graphs_that_we_export_keep_their_integers(count):
    """Zero points, parts of ranges, padding values, dilation, one rounding, values that are moved."""
    exported = 0
    for seed in range(count):
        graph = random_general(seed, without=NOT_IN_QDQ)
        try:
            files = emitter.emit(graph)
        except TargetError:
            continue
        height, width, channels = graph.in_shape
        features = inputs((height, width * channels), 5, seed)
        assert (onnx_qdq.read(files).run(features) == graph.run(features)).all(), seed
        exported += 1
    assert exported > count / 3


def assert_same(seed, target):
    graph = random_dag(seed, target, plugins.load("targets", target).WEIGHT_BITS)
    imported = onnx_qdq.read(emitter.emit(graph))
    features = inputs((49, 10), 5, seed)
    assert (imported.run(features) == graph.run(features)).all()
    assert (imported.labels, imported.features, imported.target) == (graph.labels, graph.features, graph.target)
    assert imported.input_scale == graph.input_scale and imported.score_scale == graph.score_scale


def test_the_integers_of_our_own_file_come_from_its_tensors():
    graph = random_dag(3)
    model = onnx.load_from_string(emitter.emit(graph)[emitter.FILE])
    del model.metadata_props[:]
    imported, features = onnx_qdq.read({"plain.onnx": model.SerializeToString()}), inputs((49, 10))
    assert (imported.run(features) == graph.run(features)).all() and imported.target == "tinpu"


def test_powers_of_two_without_halves_are_exact():
    """Odd biases over even factors: rounding never meets a half."""
    net = QdqNet(4)
    x = net.quantized("x", 2.0**-5, 0)
    weight = net.add(
        "DequantizeLinear",
        net.constant(2 * net.rng.integers(-60, 60, (4, 1, 49, 10)).astype(np.int8)),
        net.constant(np.float32(2.0**-6)),
    )
    bias = net.add(
        "DequantizeLinear",
        net.constant((2 * net.rng.integers(-300, 300, 4) + 1).astype(np.int32)),
        net.constant(np.float32(2.0**-11)),
    )
    x = net.quantized(net.add("Conv", x, weight, bias), 2.0**-1, 0)
    graph, differences = compared(net.model(net.add("Flatten", x), 4))
    assert graph.nodes[0].requant.rule == "offset-scale-shift" and differences == [(0, 0), (0, 0)]


def test_uint8_is_zero_to_255_only_with_a_zero_point_of_0():
    net = QdqNet(0, kind=np.uint8)
    x = net.quantized(net.add("Conv", net.quantized("x", 0.05, 128), net.weight(4, 1, 9, 9)), 0.1, 0)
    x = net.quantized(net.add("Conv", x, net.weight(4, 4, 9, 1)), 0.2, 100)
    x = net.add("Flatten", net.quantized(net.add("GlobalAveragePool", x), 0.1, 100))
    graph = onnx_qdq.read(
        {"net.onnx": net.model(net.quantized(net.add("MatMul", x, net.weight(4, 3, axis=1)), 0.1, 3), 3)}
    )
    assert [node.is_unsigned for node in graph.nodes] == [True, False, False, False]
    assert [node.out_zero for node in graph.nodes] == [0, -28, -28, -125] and graph.input_zero == 0


def test_integers_at_both_ends():
    net = QdqNet(5, kind=np.uint8)
    ends = net.constant(np.float32(0.05)), net.constant(np.array(131, np.uint8))
    x = net.add("Flatten", net.add("DequantizeLinear", "x", *ends))
    total = net.add("MatMul", x, net.weight(490, 4, axis=1, scale=0.002))
    content = net.integer_model(net.add("QuantizeLinear", total, *ends), 4)
    graph, differences = compared(content)
    assert (graph.input_zero, graph.nodes[-1].out_zero, graph.input_scale) == (3, 3, pytest.approx(0.05))
    assert all(count <= 2 and most <= 1 for count, most in differences)
