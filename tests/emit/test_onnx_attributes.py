"""What imported graphs have and plain networks have not, in both ONNX formats of fixed patterns."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest

from edgekws import plugins
from edgekws.errors import TargetError
from edgekws.features.spec import UnknownFeatures
from edgekws.graph import interp
from edgekws.graph.attributes import Operand
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.ops import OPS
from tests.general_graphs import random_general
from tests.graphs import random_dag
from tests.recurrent import gru_graph

FILES = {"onnx_tinpu": "model.tinpu.onnx", "onnx_qdq": "model.qdq.onnx"}


@pytest.fixture(params=FILES)
def emitter(request):
    return plugins.load("emitters", request.param)


def assert_equal(emitter, graph, features):
    expected = interp.run(graph, features)
    assert len(np.unique(expected)) > 20
    runs = emitter.executors(emitter.emit(graph))
    assert set(runs) == {"onnxruntime", "onnxruntime-unoptimized"}  # shown to be exact
    for name, run in runs.items():
        assert np.array_equal(run(features), expected), name


class Chain:
    """A graph of one node after the other, from int8 [12, 9, 1]."""

    def __init__(self):
        self.rng, self.nodes = np.random.default_rng(1), []

    def add(self, op, *, lo=-128, hi=127, filters=0, kernel=(), shift=4, **attributes):
        before = self.nodes[-1] if self.nodes else None
        shape = before.out_shape if before else (12, 9, 1)
        row, window = OPS[op], attributes.get("window", (0, 0))
        weight_shape = row.weight_shape(shape, filters, kernel)
        weight = None if weight_shape is None else self.rng.integers(-5, 6, weight_shape).astype(np.int8)
        inputs = (before.name if before else INPUT,) * max(row.input_count, 1)
        if op == "concat":
            inputs *= 2
        name = f"{op}{len(self.nodes)}"
        shape_given = attributes.pop("out_shape", (1, 1, 1))
        node = Node(name, op, inputs, Requant.identity(1, lo, hi), shape, shape_given, weight, **attributes)
        if row.shape_of:
            out = row.shape_of(node)
        else:
            steps = (attributes.get("stride", (1, 1)), attributes.get("pad", (0, 0, 0, 0)), node.dilation)
            out = row.out_shape(shape, filters, kernel or window, *steps)
        ones = np.ones(out[2], np.uint8)
        requant = Requant.identity(out[2], lo, hi)
        if row.is_scaled:
            requant = Requant(self.rng.integers(-50, 50, out[2]).astype(np.int32), ones, shift * ones, lo, hi)
        self.nodes.append(replace(node, out_shape=out, requant=requant))
        return self

    def graph(self, shift=6, **more):
        self.add("linear", filters=6, shift=shift)
        return Graph(tuple(self.nodes), tuple("abcdef"), UnknownFeatures((12, 9)), "tinpu", **more)


FEATURES = np.random.default_rng(2).integers(-128, 128, (60, 12, 9)).astype(np.int8)


def test_dilation_and_padding_with_values(emitter):
    pads = {"pad": (2, 1, 0, 2), "pad_value": 83}
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2), dilation=(2, 3), lo=0, hi=255, **pads)
    chain.add("depthwise_conv2d", kernel=(2, 2), dilation=(1, 2), shift=3, pad=(1, 0, 0, 1), pad_value=7)
    assert_equal(emitter, chain.graph(), FEATURES)


def test_padded_maxima(emitter):
    """Padding below every input is ignored; other padding counts."""
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2), lo=0, hi=255)
    chain.add("max_pool", window=(3, 2), stride=(2, 1), pad=(1, 2, 1, 0), pad_value=0, lo=0, hi=255)
    chain.add("max_pool", window=(2, 2), pad=(1, 0, 1, 1), pad_value=60, lo=0, hi=255)
    assert_equal(emitter, chain.graph(), FEATURES)


def test_moved_values_and_parts_of_ranges(emitter):
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2), lo=0, hi=255)
    chain.add("concat", axes=(2,), lo=10, hi=200).add("slice", begin=(1, 0, 3), out_shape=(6, 7, 4), lo=0, hi=255)
    chain.add("transpose", axes=(2, 0, 1), lo=0, hi=255).add("reshape", out_shape=(7, 3, 8), lo=0, hi=120)
    assert_equal(emitter, chain.graph(), FEATURES)


def test_a_maximum_may_be_the_first_node(emitter):
    chain = Chain().add("max_pool", window=(2, 2), pad=(1, 0, 0, 1), pad_value=-20, lo=-100, hi=90)
    assert_equal(emitter, chain.graph(), FEATURES)


def test_padded_averages_in_qdq():
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2), lo=0, hi=255)
    chain.add("average_pool", window=(3, 2), stride=(2, 1), pad=(1, 2, 1, 0), lo=0, hi=255)
    assert_equal(plugins.load("emitters", "onnx_qdq"), chain.graph(), FEATURES)


def test_the_zero_point_of_the_input_is_in_the_file():
    """Padding with the zero point is that of Conv; the offset is that of the differences."""
    from onnx import load_from_string, numpy_helper

    emitter = plugins.load("emitters", "onnx_qdq")
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2), lo=0, hi=255, pad=(1, 1, 0, 0), pad_value=83)
    graph = chain.graph(input_zero=83)
    model = load_from_string(emitter.emit(graph)[emitter.FILE])
    zero = next(each for each in model.graph.initializer if each.name == "features_zero_point")
    assert numpy_helper.to_array(zero) == 83
    assert "Pad" not in {node.op_type for node in model.graph.node}
    assert_equal(emitter, graph, FEATURES)


def test_graphs_of_imported_models_in_qdq():
    """The fixed-point rules with zero points: near, and far from chance; layers of their own are refused by name."""
    emitter = plugins.load("emitters", "onnx_qdq")
    values = differing = 0
    for seed in range(6):
        graph = random_general(seed, without=("add", "rescaled_add", "mul", "table", "softmax"))
        height, width, channels = graph.in_shape
        features = np.random.default_rng(seed).integers(-128, 128, (20, height, width * channels)).astype(np.int8)
        (run, _) = emitter.executors(emitter.emit(graph)).values()
        gaps = np.abs(run(features).astype(int) - interp.run(graph, features))
        values, differing = values + gaps.size, differing + int((gaps > 3).sum())
    assert differing < 0.05 * values


def of_two(chain, op, first, second):
    """A layer of two operands after the chain."""
    shape, other = (next(n.out_shape for n in chain.nodes if n.name == name) for name in (first, second))
    fixed = np.full(shape[2], 1 << 30, np.int32)
    shift = np.full(shape[2], {"mul": 5, "rescaled_add": 18}[op], np.int8)
    operands = (Operand(0, 1 << 30, 0), Operand(3, 1 << 30, 1))
    more = {"operands": operands, "other_shapes": (other,)}
    requant = Requant(0 * fixed, fixed, shift, -128, 127, "fixed-point")
    chain.nodes.append(Node(op, op, (first, second), requant, shape, shape, **more))


@pytest.mark.parametrize("op", ["rescaled_add", "mul"])
def test_layers_without_a_form_are_refused_and_the_way_out_named(op):
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2))
    of_two(chain, op, "conv2d0", "conv2d0")
    with pytest.raises(TargetError, match=rf"{op}: .*onnx-integer"):
        plugins.load("emitters", "onnx_qdq").emit(chain.graph())
    with pytest.raises(TargetError, match=r"gru: .*onnx-integer"):
        plugins.load("emitters", "onnx_qdq").emit(gru_graph())


def test_layers_that_the_npu_has_not_are_int64_in_its_file():
    """A gate of one value for each channel, made by linear layers; averages; a sum of two scales; a table."""
    emitter = plugins.load("emitters", "onnx_tinpu")
    chain = Chain().add("conv2d", filters=4, kernel=(3, 2), lo=0, hi=255)
    chain.add("average_pool", window=(3, 2), stride=(2, 1), pad=(1, 2, 1, 0), lo=0, hi=255)
    chain.add("global_sum_pool", lo=0, hi=255, shift=6).add("linear", filters=4, shift=3)
    curve = np.roll(np.arange(-128, 128), 128).astype(np.int8)[None]
    row, whole = (1, 1, 4), Requant.identity(4, -128, 127)
    chain.nodes.append(Node("curve", "table", ("linear3",), whole, row, row, curve))
    of_two(chain, "mul", "average_pool1", "curve")
    of_two(chain, "rescaled_add", "mul", "curve")
    graph = chain.graph(shift=1)
    assert_equal(emitter, graph, FEATURES)
    about = emitter.about(emitter.emit(graph))
    assert json.loads(about["int64_layers"]) == ["average_pool1", "curve", "mul", "rescaled_add"]


@pytest.mark.parametrize("name", FILES)
def test_files_load_with_default_options(name):
    """A scale, a zero point and the end of a range are scalars: onnxruntime's fusions refuse vectors of one."""
    emitter = plugins.load("emitters", name)
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 4
    for seed in range(8):
        content = emitter.emit(random_dag(seed))[FILES[name]]
        ort.InferenceSession(content, quiet)
    from onnx import load_from_string

    for each in load_from_string(content).graph.initializer:
        if each.name.endswith(("_lo", "_hi")) or (
            each.name.endswith(("_scale", "_zero_point")) and "weight" not in each.name
        ):
            assert list(each.dims) == [] or "bias" in each.name, each.name
