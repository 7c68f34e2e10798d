"""Every rule and op, in onnxruntime with its default options: the integers of the interpreter."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from edgekws.emit import onnx_integer
from edgekws.errors import TargetError
from edgekws.features.spec import UnknownFeatures
from edgekws.graph import interp
from edgekws.graph.attributes import Operand
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.ops import OPS
from tests.general_graphs import random_general
from tests.graphs import random_dag
from tests.recurrent import gru_graph


def features_of(graph, count=6, seed=0):
    height, width, channels = graph.in_shape
    x = np.random.default_rng(seed).integers(-128, 128, (count, height, width * channels)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def assert_equal(graph, features):
    expected = interp.run(graph, features)
    runs = onnx_integer.executors(onnx_integer.emit(graph))
    assert list(runs) == ["onnxruntime", "onnxruntime-unoptimized"]
    for name, run in runs.items():
        assert np.array_equal(run(features), expected), name


def assert_general_equal(seeds):
    seen = set()
    for seed in seeds:
        graph = random_general(seed)
        assert_equal(graph, features_of(graph, seed=seed))
        seen |= {node.op for node in graph.nodes}
    return seen


def test_general_graphs():
    assert_general_equal(range(5))


@pytest.mark.slow
def test_two_hundred_general_graphs_of_every_op():
    assert assert_general_equal(range(100, 300)) == {name for name, row in OPS.items() if not row.is_recurrent}


def test_another_runtime_computes_the_same():
    """ONNX's own reference in NumPy: integers do not depend on how a runtime rounds."""
    for seed in (0, 5):
        graph = random_general(seed)
        features = features_of(graph, 2)
        model = onnx.load_from_string(onnx_integer.emit(graph)[onnx_integer.FILE])
        height, width, channels = graph.in_shape
        x = features.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        (scores,) = ReferenceEvaluator(model).run(None, {"features": x})
        assert np.array_equal(scores, interp.run(graph, features)), seed


def one_layer(requant, weight, shape=(1, 6), op="linear", **attributes):
    """A graph of one layer, with one label for each filter."""
    labels = tuple(f"word{number}" for number in range(len(weight)))
    node = Node("only", op, (INPUT,), requant, (*shape, 1), (1, 1, len(weight)), weight, **attributes)
    return Graph((node,), labels, UnknownFeatures(shape), "int8")


def requants(rule, lo, hi, zero, rng):
    """400 channels of every size of sum and shift that the graph takes: halves, large offsets, left shifts."""
    left, channels = (31 if rule != "offset-scale-shift" else 0), 400
    offset = (rng.integers(-(2**31), 2**31, channels) * 0.99).astype(np.int64) >> rng.integers(0, 31, channels)
    room = 30 - np.ceil(np.log2(np.abs(offset) + 2**17)).astype(int)
    shift = np.maximum(rng.integers(-left, 32, channels), -np.maximum(room, 0))
    mult = rng.choice([1 << 30, 3 << 29, (1 << 31) - 1, 0], channels)
    mult = np.where(mult == 0, rng.integers(1 << 30, 1 << 31, channels), mult)
    if rule == "offset-scale-shift":
        mult = np.minimum(rng.integers(1, 256, channels), (2**31 - 2**27) // (np.abs(offset) + 2**17))
        mult, offset = np.maximum(mult, 1), np.where(mult < 1, 0, offset)
    return Requant(offset.astype(np.int32), mult, shift.astype(np.int8), lo, hi, rule, zero)


@pytest.mark.parametrize(
    ("rule", "lo", "hi", "zero"),
    [
        ("offset-scale-shift", -128, 127, 0),
        ("fixed-point", -128, 127, 0),
        ("fixed-point", -100, 90, -17),
        ("fixed-point", 3, 127, 3),
        ("fixed-point-once", -128, 127, 0),
        ("fixed-point-once", -128, 127, 101),
        ("fixed-point-once", 0, 127, 0),
    ],
)
def test_requantization_of_every_size(rule, lo, hi, zero):
    rng = np.random.default_rng(8)
    weight = rng.integers(-20, 21, (400, 6)).astype(np.int8)
    graph = one_layer(requants(rule, lo, hi, zero, rng), weight)
    features = features_of(graph, 300)
    scores = interp.run(graph, features)
    assert len(np.unique(scores)) > 100  # not all of it clips
    assert_equal(graph, features)


@pytest.mark.parametrize("shift", [21, 24, 29, 30, 31])
def test_sums_of_operands_of_the_whole_range(shift):
    """Nearly 32 bits, of both signs, and the largest multipliers and shifts: no dividend leaves 64 bits."""
    shape, ones = (1, 1, 9), np.ones(9, np.int32)
    mult = np.linspace(1 << 30, (1 << 31) - 1, 9).astype(np.int32)
    offset = ones << 30 if shift % 2 else -(ones << 30)
    requant = Requant(offset, mult, shift * ones.astype(np.int8), -128, 127, "fixed-point")
    operands = (Operand(0, (1 << 31) - 1, -2),) * 2
    node = Node("sum", "rescaled_add", (INPUT, INPUT), requant, shape, shape, operands=operands)
    graph = Graph((node,), tuple("abcdefghi"), UnknownFeatures((1, 1), 9), "int8")
    values = np.arange(-128, 128, dtype=np.int8)[:, None, None]
    features = np.concatenate([np.broadcast_to(values, (256, 1, 9)), features_of(graph, 50)])
    assert len(np.unique(interp.run(graph, features))) > 1
    assert_equal(graph, features)


def test_sums_beyond_float32_are_split_into_digits():
    """4,000 products at full range pass 2^24; with 2 to 8 digits of the weights none does."""
    rng = np.random.default_rng(2)
    for count, digits in ((60, 1), (1500, 2), (20_000, 4)):
        weight = np.where(rng.random((12, count)) < 0.9, 127, rng.integers(-128, 128, (12, count))).astype(np.int8)
        ones = np.ones(12, np.int32)
        requant = Requant(-ones, ones << 30, (np.log2(count) + 9).astype(int) * ones, -128, 127, "fixed-point")
        graph = one_layer(requant, weight, (count // 10, 10))
        model = onnx.load_from_string(onnx_integer.emit(graph)[onnx_integer.FILE])
        assert [node.op_type for node in model.graph.node].count("Conv") == digits
        assert len([each for each in model.graph.initializer if each.name.endswith("weight")]) == 1  # stored once
        assert_equal(graph, features_of(graph, 4))


def test_sums_that_no_digits_hold_are_refused():
    ones = np.ones(1, np.int32)
    requant = Requant(-ones, ones << 30, 24 * ones, -128, 127, "fixed-point")
    graph = one_layer(requant, np.ones((1, 200_000), np.int8), (20_000, 10))
    with pytest.raises(TargetError, match=r"only: sums should stay within 2\^24"):
        onnx_integer.emit(graph)


def every_tensor(graph, features):
    """What onnxruntime computes for each node, by its name, as int32 [n, h, w, c]."""
    model = onnx.load_from_string(onnx_integer.emit(graph)[onnx_integer.FILE])
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(node.name) for node in graph.nodes)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    height, width, channels = graph.in_shape
    x = features.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    return session.run([node.name for node in graph.nodes], {"features": x})


def test_every_tensor_has_the_name_and_the_bytes_of_its_node():
    graph = random_general(21)
    features = features_of(graph)
    trace = interp.trace(graph, interp.as_input(graph, features))
    for (node, expected), tensor in zip(trace, every_tensor(graph, features), strict=True):
        assert tensor.dtype == (np.uint8 if node.is_unsigned else np.int8), node.name
        assert np.array_equal(tensor.transpose(0, 2, 3, 1), expected), node.name


def test_weights_are_stored_in_their_width():
    graph = next(each for each in map(random_dag, range(50)) if {n.weight_bits for n in each.nodes} == {8, 4, 2})
    model = onnx.load_from_string(onnx_integer.emit(graph)[onnx_integer.FILE])
    stored = {each.name: each for each in model.graph.initializer}
    about = onnx_integer.about(onnx_integer.emit(graph))
    for node in graph.nodes:
        if node.weight is not None:
            tensor = stored[f"{node.name}/weight"]
            kind = onnx.TensorProto.INT8 if node.weight_bits == 8 else onnx.TensorProto.INT4
            assert tensor.data_type == kind
            assert np.array_equal(
                np.sort(numpy_helper.to_array(tensor).astype(int).ravel()), np.sort(node.weight.ravel())
            )
            assert (node.name in json.loads(about["narrow_weights"])) == (node.weight_bits < 8)
    assert model.opset_import[0].version == 21


def test_tables_of_one_row_for_each_channel():
    """With signed and with unsigned inputs."""
    rng = np.random.default_rng(4)
    signed, unsigned = Requant.identity(5, -128, 127), Requant.identity(5, 0, 255)
    shape = (1, 2, 5)
    tables = rng.integers(-128, 128, (2, 5, 256)).astype(np.int8)
    first = Node("first", "table", (INPUT,), unsigned, shape, shape, tables[0])
    second = Node("second", "table", ("first",), signed, shape, shape, tables[1])
    weight = rng.integers(-9, 10, (3, 10)).astype(np.int8)
    ones = np.ones(3, np.uint8)
    last = Node(
        "fc",
        "linear",
        ("second",),
        Requant(0 * ones.astype(np.int32), ones, 5 * ones, -128, 127),
        shape,
        (1, 1, 3),
        weight,
    )
    graph = Graph((first, second, last), ("a", "b", "c"), UnknownFeatures((1, 2), 5), "int8")
    assert_equal(graph, features_of(graph, 300))


@pytest.mark.parametrize("rows", [1, 3])
def test_scans_are_unrolled_and_their_weights_stored_once(rows):
    graph = gru_graph(rows=rows)
    assert_equal(graph, features_of(graph, 20))
    model = onnx.load_from_string(onnx_integer.emit(graph)[onnx_integer.FILE])
    names = [each.name for each in model.graph.initializer if each.name.endswith(".hr/weight")]
    assert names == ["gru.0.hr/weight"]


def test_padding_of_pools():
    """Averages divide by the positions inside; a maximum counts its padding where that is more than the input."""
    rng = np.random.default_rng(6)
    relu, shape = Requant.identity(1, -128, 127), (7, 6, 1)
    for op, pad_value in (("average_pool", 0), ("max_pool", -128), ("max_pool", 40)):
        window = {"window": (3, 2), "stride": (2, 1), "pad": (1, 2, 1, 0), "pad_value": pad_value}
        out = OPS[op].out_shape(shape, 0, (3, 2), (2, 1), (1, 2, 1, 0))
        pool = Node("pool", op, (INPUT,), relu, shape, out, **window)
        count = int(np.prod(out))
        weight, ones = rng.integers(-30, 31, (4, count)).astype(np.int8), np.ones(4, np.uint8)
        requant = Requant(0 * ones.astype(np.int32), ones, 6 * ones, -128, 127)
        fc = Node("fc", "linear", ("pool",), requant, out, (1, 1, 4), weight)
        graph = Graph((pool, fc), tuple("abcd"), UnknownFeatures((7, 6)), "int8")
        assert_equal(graph, features_of(graph, 100))


def test_it_is_written_unasked_where_the_pattern_of_ti_cannot_say_the_graph():
    assert not onnx_integer.by_default(random_dag(3))
    assert onnx_integer.by_default(random_dag(3, "int8", (8, 4)))
    ones = np.ones(12, np.uint8)
    requant = Requant(-ones.astype(np.int32), ones, 18 * ones, -128, 127)
    wide = one_layer(requant, np.full((12, 2000), 127, np.int8), (200, 10))
    assert onnx_integer.by_default(wide)  # its sums pass 2^24


def test_zero_points_are_in_the_metadata():
    graph = one_layer(Requant.identity(3, -128, 127), np.ones((3, 6), np.int8))
    assert "zero_points" not in onnx_integer.about(onnx_integer.emit(graph))
    graph = replace(graph, input_zero=83)
    assert json.loads(onnx_integer.about(onnx_integer.emit(graph))["zero_points"]) == {"input": 83, "only": 0}
