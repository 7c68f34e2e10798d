import json
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekws.emit import tflite
from edgekws.emit.tflite import flatbuffer, steps
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp, io
from edgekws.graph.ir import Node, Requant
from tests.graphs import random_dag

FILE = "model.tflite"
EXACT = ("litert-reference", "litert-builtin")


def load(graph):
    return schema.ModelT.InitFromPackedBuf(tflite.emit(graph)[FILE], 0)


def with_requant(graph, index, **changes):
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], requant=replace(nodes[index].requant, **changes))
    return replace(graph, nodes=tuple(nodes))


def assert_equal(graph, features, names=EXACT):
    expected = interp.run(graph, features)
    runs = tflite.executors(tflite.emit(graph))
    for name in names:
        assert np.array_equal(runs[name](features), expected), name


def test_operators_and_their_versions(graph):
    model = load(graph)
    ops = schema.BuiltinOperator
    codes = [(code.builtinCode, code.version) for code in model.operatorCodes]
    assert codes == [(ops.CONV_2D, 3), (ops.DEPTHWISE_CONV_2D, 3), (ops.RESHAPE, 1)]
    order = [codes[op.opcodeIndex][0] for op in model.subgraphs[0].operators]
    conv, depthwise, reshape = (code for code, _ in codes)
    assert order == [conv, depthwise, conv, depthwise, conv, reshape]
    same = [op.builtinOptions.padding == schema.Padding.SAME for op in model.subgraphs[0].operators[:5]]
    assert same == [True, True, False, False, False]


def test_scales_are_those_of_the_graph(graph):
    scales = (0.0235, 0.0611, 0.0472, 0.0483, 0.207)
    nodes = tuple(replace(node, out_scale=s) for node, s in zip(graph.nodes, scales, strict=True))
    graph = replace(graph, nodes=nodes, input_scale=0.0371)
    tensors = {tensor.name.decode(): tensor for tensor in load(graph).subgraphs[0].tensors}
    for name, scale in zip(("features", "conv1", "dw1", "pw1", "pool", "fc"), (0.0371, *scales), strict=True):
        assert tensors[name].quantization.scale[0] == pytest.approx(scale, rel=1e-3)
        assert tensors[name].type == schema.TensorType.INT8
    # a filter's scale gives its integers their real meaning: s_in * s_w / s_out = 2^-shift
    weight = tensors["pw1_weight"].quantization
    ratio = 0.0611 * weight.scale / 0.0472
    assert ratio == pytest.approx(np.exp2(-graph.nodes[2].requant.shift.astype(float)), rel=5e-3)
    assert weight.quantizedDimension == 0
    assert tensors["dw1_weight"].quantization.quantizedDimension == 3


def test_metadata_names_the_graph(graph):
    model = load(graph)
    (entry,) = model.metadata
    about = json.loads(bytes(model.buffers[entry.buffer].data))
    assert entry.name == b"edgekws"
    assert about["graph_sha256"] == io.digest(graph)
    assert json.loads(about["labels"]) == list(graph.labels)
    assert about["tie_free_channels"].endswith(" of 44")
    assert io.digest(graph)[:16].encode() in model.description


@pytest.mark.parametrize("weight_limit", [63, 127])
@pytest.mark.parametrize("pad", [(5, 4, 1, 1), (4, 5, 2, 0)])
def test_padding_that_is_not_same(graph_factory, random_features, pad, weight_limit):
    graph = graph_factory(5, weight_limit)
    graph = replace(graph, nodes=(replace(graph.nodes[0], pad=pad), *graph.nodes[1:]))
    assert schema.BuiltinOperator.PAD in [code.builtinCode for code in load(graph).operatorCodes]
    assert_equal(graph, random_features(100))


def test_padding_of_stored_activations(graph_factory, random_features):
    """Activations are stored with zero point -128, and PAD must fill with that."""
    graph = graph_factory(6, 63)
    shape = (26, 5, 8)
    nodes = list(graph.nodes)
    nodes[1] = replace(nodes[1], pad=(2, 1, 1, 1), out_shape=shape)
    nodes[2] = replace(nodes[2], in_shape=shape, out_shape=shape)
    nodes[3] = replace(nodes[3], in_shape=shape)
    assert_equal(replace(graph, nodes=tuple(nodes)), random_features(100), (*EXACT, "litert-xnnpack"))


@pytest.mark.parametrize("weight_limit", [63, 127])
@pytest.mark.parametrize("index", [1, 2, 3])
def test_signed_hidden_layers(graph_factory, random_features, index, weight_limit):
    graph = graph_factory(7, weight_limit)
    offset = (-3 * graph.nodes[index].requant.offset).astype(np.int32)
    graph = with_requant(graph, index, lo=-128, hi=127, offset=offset)
    assert_equal(graph, random_features(100))


def test_padding_after_raised_outputs_subtracts_the_raise(graph, random_features):
    """Weights beyond 63 and signed outputs: stored as y + 128, which padding would misread."""
    graph = with_requant(graph, 0, lo=-128, hi=127)
    names = [tensor.name.decode() for tensor in load(graph).subgraphs[0].tensors]
    assert "conv1_lowered" in names
    assert_equal(graph, random_features(100))


def on_features(graph, weight_limit, shift, signed, rng):
    """One linear layer on the features; unsigned values are moved into int8 by a second one that adds -128.

    The offsets put each channel at another place of the range.
    """
    weight = rng.integers(-weight_limit, weight_limit + 1, (12, 490)).astype(np.int8)
    weight[:, 0] = weight_limit
    if shift < 5:
        weight[:, 2:] = 0  # or every score would clip
    lo, hi = (-128, 127) if signed else (0, 255)
    offset, ones = (np.linspace(lo, hi, 12) * 2**shift).astype(np.int32), np.ones(12, np.uint8)
    shape = (1, 1, 12)
    first = Node(
        "fc", "linear", ("input",), Requant(offset, ones, shift * ones, lo, hi), (49, 10, 1), shape, weight=weight
    )
    moved = Requant(np.full(12, -128, np.int32), ones, 0 * ones, -128, 127)
    second = Node("moved", "linear", ("fc",), moved, shape, shape, weight=np.eye(12, dtype=np.int8))
    return replace(graph, nodes=(first,) if signed else (first, second))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("weight_limit", [1, 63, 127])
@pytest.mark.parametrize("shift", [0, 1, 2, 7, 13])
def test_every_shift(graph, random_features, shift, weight_limit, signed):
    graph = on_features(graph, weight_limit, shift, signed, np.random.default_rng(shift))
    features = random_features(150, seed=shift)
    if weight_limit > 1 and shift < 3:
        features[:, 0, :2] //= 32
    assert len(np.unique(interp.run(graph, features))) > 10
    names = EXACT if weight_limit == 127 else (*EXACT, "litert-xnnpack")
    assert_equal(graph, features, names)


def test_xnnpack_is_counted_where_halves_occur(graph_factory, random_features):
    graph = graph_factory(0, 127)
    runs = tflite.executors(tflite.emit(graph))
    assert set(runs) == {*EXACT, "litert-xnnpack-near"}
    features = random_features(300)
    differing = runs["litert-xnnpack-near"](features) != interp.run(graph, features)
    assert 0 < differing.mean() < 0.05
    assert set(tflite.executors(tflite.emit(graph_factory(0, 63)))) == {*EXACT, "litert-xnnpack"}


def runs_and_differences(graph, features):
    """The metadata, and runtime -> how many scores differ from the interpreter's."""
    files = tflite.emit(graph)
    expected = interp.run(graph, features)
    runs = tflite.executors(files)
    return flatbuffer.metadata(files[FILE]), {
        name: int((run(features) != expected).sum()) for name, run in runs.items()
    }


def some_features(seed, count=4):
    return np.random.default_rng(seed).integers(-128, 128, (count, 49, 10)).astype(np.int8)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_graphs_of_all_ops_and_widths(first):
    """Runtimes that claim to be exact are; in the others only some channels miss some steps."""
    references = 0
    for seed in range(first, first + 20):
        about, differing = runs_and_differences(random_dag(seed), some_features(seed))
        assert not any(count for name, count in differing.items() if name not in tflite.MAY_DIFFER), seed
        references += "litert-reference" in differing
        searched = json.loads(about.get("searched_channels", "{}"))
        if searched and "litert-reference" not in differing:
            assert sum(searched["wrong_accumulators"].values()) < 20
    assert references >= 15


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_fixed_point_graphs_are_tflites_own(first):
    for seed in range(first, first + 20):
        _, differing = runs_and_differences(random_dag(seed, "int8", bits=(8, 4)), some_features(seed))
        assert differing["litert-reference"] == 0, seed
        assert not any(count for name, count in differing.items() if name not in tflite.MAY_DIFFER), seed


def of_float32_scales(graph):
    """The same graph with the multipliers that TFLite would make of float32 scales near its own."""
    tensor, nodes = np.float32(0.0473), []
    for node in graph.nodes:
        requant = node.requant
        if requant.rule == "fixed-point":
            s_in = np.float32(graph.input_scale) if node.inputs == ("input",) else tensor
            filters = (requant.factor * float(tensor) / float(s_in)).astype(np.float32)
            pairs = [steps.quantized(float(s_in) * float(scale) / float(tensor)) for scale in filters]
            mult, shift = (np.array(column) for column in zip(*pairs, strict=True))
            requant = replace(requant, mult=mult.astype(np.int32), shift=shift.astype(np.uint8))
        nodes.append(replace(node, requant=requant, out_scale=float(tensor)))
    return replace(graph, nodes=tuple(nodes), input_scale=float(np.float32(0.0331)))


@pytest.mark.parametrize("first", [0, 10])
def test_multipliers_of_float32_scales_are_kept(first):
    for seed in range(first, first + 10):
        graph = of_float32_scales(replace(random_dag(seed, "int8", bits=(8, 4)), input_scale=float(np.float32(0.0331))))
        tensors = {tensor.name.decode(): tensor for tensor in load(graph).subgraphs[0].tensors}
        assert tensors["features"].quantization.scale[0] == np.float32(graph.input_scale)
        assert all(tensors[node.name].quantization.scale[0] == np.float32(node.out_scale) for node in graph.nodes)
        about, differing = runs_and_differences(graph, some_features(seed))
        assert differing["litert-reference"] == 0
        counted = json.loads(about["searched_channels"])
        assert counted["exact_rounding_twice"] == counted["all"] > 0


def test_graphs_of_eight_bits_are_exact_everywhere():
    for seed in range(12):
        _, differing = runs_and_differences(random_dag(seed, bits=(8,), weight_limit=63), some_features(seed))
        assert {"litert-reference", "litert-builtin"} <= set(differing)
        assert not any(differing.values()), seed


def test_four_bits_of_a_fixed_point_graph_are_int4_tensors():
    graph = random_dag(3, "int8", bits=(4,))
    model = load(graph)
    tensors = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    weighted = [node for node in graph.nodes if node.weight is not None]
    for node in weighted:
        tensor = tensors[f"{node.name}_weight"]
        assert tensor.type == schema.TensorType.INT4
        assert len(model.buffers[tensor.buffer].data) == -(-node.weight.size // 2)
    rows = json.loads(flatbuffer.metadata(tflite.emit(graph)[FILE])["narrow_weights"])
    assert {row["stored_as"] for row in rows.values()} == {"int4"}
    assert set(rows) == {node.name for node in weighted}


def test_two_bits_are_carried_in_int8_and_say_so():
    graph = random_dag(2, bits=(2,))
    tensors = {tensor.name.decode(): tensor for tensor in load(graph).subgraphs[0].tensors}
    rows = json.loads(flatbuffer.metadata(tflite.emit(graph)[FILE])["narrow_weights"])
    assert rows
    for name, row in rows.items():
        assert row == {"bits": 2, "stored_as": "int8"}
        assert tensors[f"{name}_weight"].type == schema.TensorType.INT8


def test_the_scale_of_a_filter_has_the_multiple_taken_out():
    """Weights times k mean the same: s_in * s_w * k / s_out is the factor of the graph."""
    graph = random_dag(0, bits=(4,))
    model = load(graph)
    tensors = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    node = graph.nodes[0]
    weight, source, output = (tensors[name] for name in (f"{node.name}_weight", "features", node.name))
    stored = np.asarray(model.buffers[weight.buffer].data).view(np.int8).reshape(len(node.weight), -1)
    k = np.abs(stored.astype(int)).max(1) / np.abs(node.weight.reshape(len(node.weight), -1)).max(1)
    assert np.array_equal(stored, (k[:, None] * node.weight.reshape(len(k), -1)).astype(int))
    assert k.max() > 2
    ratio = source.quantization.scale[0] * weight.quantization.scale * k / output.quantization.scale[0]
    assert ratio == pytest.approx(node.requant.factor, rel=1e-3)


def test_a_residual_of_wide_weights(graph, random_features):
    """A signed, raised branch added to a ReLU; the maximum of a raised tensor; a signed sum."""
    mid, channels = (25, 5, 8), 8
    branch = replace(graph.nodes[2], name="branch", inputs=("conv1",))
    branch = replace(branch, requant=replace(branch.requant, lo=-128, hi=127))
    total = Node("total", "add", ("conv1", "branch"), Requant.identity(channels, -128, 127), mid, mid)
    window = {"window": (2, 1), "stride": (2, 1)}
    small = (12, 5, 8)
    of_total = Node("of_total", "max_pool", ("total",), Requant.identity(channels, -128, 127), mid, small, **window)
    of_branch = Node("of_branch", "max_pool", ("branch",), Requant.identity(channels, 0, 255), mid, small, **window)
    both = Node("both", "add", ("of_total", "of_branch"), Requant.identity(channels, 0, 255), small, small)
    pool = replace(graph.nodes[3], inputs=("both",), in_shape=small)
    graph = replace(graph, nodes=(graph.nodes[0], branch, total, of_total, of_branch, both, pool, graph.nodes[4]))
    names = [tensor.name.decode() for tensor in load(graph).subgraphs[0].tensors]
    assert names.count("branch_lowered") == 1
    assert len(np.unique(graph.run(random_features(100)))) > 20
    assert_equal(graph, random_features(100))


def test_odd_multipliers_and_wide_accumulators_are_searched_for(graph, random_features):
    odd = with_requant(graph, 0, mult=np.full(8, 3, np.uint8), shift=graph.nodes[0].requant.shift + np.uint8(1))
    wide = with_requant(graph, 1, shift=np.full(8, 16, np.uint8), offset=np.full(8, 1 << 23, np.int32))
    for changed, channels in ((odd, 8), (wide, 8)):
        about, differing = runs_and_differences(changed, random_features(50))
        assert json.loads(about["searched_channels"])["all"] == channels
        assert not any(count for name, count in differing.items() if name not in tflite.MAY_DIFFER)


def test_refuses_what_it_cannot_express(graph):
    with pytest.raises(TargetError, match=r"conv1: TFLite scales int8 sums only down.*channel 0"):
        tflite.emit(with_requant(graph, 0, mult=np.full(8, 251, np.uint8), shift=np.zeros(8, np.uint8)))
    requant = Requant.identity(8, -128, 127)
    signed = Node("max", "max_pool", ("pw1",), requant, (25, 5, 8), (25, 5, 8), window=(1, 1))
    nodes = (*graph.nodes[:3], signed, replace(graph.nodes[3], inputs=("max",)), graph.nodes[4])
    with pytest.raises(TargetError, match="max: TFLite's MAX_POOL_2D keeps the range"):
        tflite.emit(replace(graph, nodes=nodes))


def test_refuses_files_that_are_not_its_own(graph):
    content = tflite.emit(graph)[FILE]
    middle = len(content) // 2
    bad = {
        "among the files": {},
        "without a seal": {FILE: content[:100]},
        "tflite version 9": {FILE: content.replace(b"tflite 1 ", b"tflite 9 ")},
        "onnx_qdq version 1": {FILE: content.replace(b"edgekws-seal tflite", b"edgekws-seal onnx_qdq")},
        "changed content": {FILE: content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]},
    }
    for message, damaged in bad.items():
        with pytest.raises(ArtifactError, match=message):
            tflite.executors(damaged)
