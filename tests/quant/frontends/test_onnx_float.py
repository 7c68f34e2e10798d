"""A float ONNX file gives the layers of the module it was exported from; onnxruntime is the reference."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import edgekws
from edgekws.errors import ArtifactError, DataError, EdgeKwsError, TargetError
from edgekws.graph import io
from edgekws.quant import float_layers
from edgekws.quant.frontends import onnx as onnx_float
from edgekws.quant.frontends import torch_fx
from tests.quant.networks import all_networks, built_small

EXPORTS = {
    "folded": {},
    "unfolded": {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE},
    "any batch": {"dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}},
    "opset 9": {"opset_version": 9},
    "opset 18": {"opset_version": 18},
}


def clips(count, seed=0):
    ints = torch.randint(-128, 128, (count, 1, 49, 10), generator=torch.Generator().manual_seed(seed))
    return ints.float() / 32


def trained_like(net, seed=0):
    torch.manual_seed(seed)
    network = built_small(net)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 2.0)
            nn.init.normal_(module.bias, 0, 0.5)
    with torch.no_grad():
        for number in range(10):
            network(clips(32, number))
    return network.eval()


def export(network, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = {"dynamo": False, "opset_version": 17, "input_names": ["x"], "output_names": ["y"], **options}
        torch.onnx.export(network, (clips(1),), str(path), **given)
    return path


def by_runtime(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: one[None].numpy()})[0] for one in x])


def by_layers(path, x):
    layers = onnx_float.read(path).layers
    with torch.no_grad():
        return float_layers.run_layers(layers, x)[layers[-1].name].flatten(1).numpy()


def described(layer):
    arrays = [values.numpy().tobytes() for values in (layer.weight, layer.bias)]
    return layer.name, layer.kind, layer.inputs, layer.stride, layer.pad, layer.window, layer.relu, arrays


@pytest.mark.parametrize("options", EXPORTS.values(), ids=EXPORTS)
@all_networks
def test_the_layers_are_those_of_the_module(net, options, tmp_path):
    network, path, x = trained_like(net), tmp_path / "model.onnx", clips(8, 5)
    export(network, path, **options)
    result, expected = onnx_float.read(path), torch_fx.trace(network)
    assert [described(layer) for layer in result.layers] == [described(layer) for layer in expected]
    assert (result.frames, result.coefficients) == (49, 10)
    with torch.no_grad():
        real = network(x).numpy()
    for scores in (by_layers(path, x), by_runtime(path, x)):
        assert np.abs(scores - real).max() < 1e-4


@all_networks
@pytest.mark.parametrize(("target", "bits"), [("tinpu", 8), ("tinpu", 2), ("int8", 4)])
def test_quantizing_the_file_is_quantizing_the_module(net, target, bits, tmp_path):
    network, x = trained_like(net), clips(64, 3)
    path = export(network, tmp_path / "model.onnx")
    graphs = [edgekws.lower(edgekws.prepare(each, target, bits, x, method="ptq")) for each in (network, path)]
    assert io.to_bytes(graphs[0]) == io.to_bytes(graphs[1])


def model(*nodes, constants=None, dtype=TensorProto.FLOAT, shape=("n", 1, 49, 10), opset=17, outputs=("y",), extra=()):
    """A file of hand-made nodes from x to y."""
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    inputs = [helper.make_tensor_value_info(name, dtype, shape) for name in ("x", *extra)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", "k")) for name in outputs]
    graph = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "g", inputs, ends, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def written(built, path):
    path.write_bytes(built.SerializeToString())
    return path


def weights(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CONSTANTS = {
    "w": weights(8, 1, 3, 4), "b": weights(8), "one": weights(8, 8, 1, 1), "fc": weights(8, 5), "fcb": weights(5),
    "channel": weights(1, 8, 1, 1), "flat": np.array([0, -1]), "row": weights(10), "positive": np.ones(8, np.float32),
    "wide": np.array([0, 0, 1, 2, 0, 0, 3, 4]), "sides": np.array([1, 2, 3, 4]), "axes": np.array([2, 3]),
    "two": np.array(2.0, np.float32), "batch": np.array([1, 0, 0, 0, 0, 0, 0, 0]), "ints": np.ones((8, 5), np.int64),
    "steep": 3 * np.ones((8, 1, 1), np.float32), "low": np.array(0, np.float32), "fine": np.array(0.01, np.float32),
    "cross": weights(8, 4, 3, 3),
    "time": weights(8, 10, 3), "last": np.array([3]), "bytes": np.arange(-32, 32).astype(np.int8),
    "square": np.array([8, 8, 1, 1]), "cube": weights(1, 8, 5), "shape": np.array([1, 8]),
    "long": np.array([1 << 40]),
}  # fmt: skip
CONV = ("Conv", ["x", "w", "b"], ["c"], {})
HEAD = [("GlobalAveragePool", ["c"], ["p"], {}), ("Flatten", ["p"], ["f"], {}), ("Gemm", ["f", "fc", "fcb"], ["y"], {})]

FILES = {
    "same upper": [("Conv", ["x", "w"], ["c"], {"auto_pad": "SAME_UPPER", "strides": [2, 3]}), *HEAD],
    "same lower": [("Conv", ["x", "w"], ["c"], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}), *HEAD],
    "valid": [("Conv", ["x", "w"], ["c"], {"auto_pad": "VALID"}), *HEAD],
    "padded twice": [
        ("Pad", ["x", "wide"], ["a"], {}),
        ("Conv", ["a", "w"], ["c"], {"pads": [1, 0, 2, 1]}),
        *HEAD,
    ],
    "same after a pad": [
        ("Pad", ["x", "wide"], ["a"], {}),
        ("Conv", ["a", "w"], ["c"], {"auto_pad": "SAME_UPPER"}),
        *HEAD,
    ],
    "bias added, matmul": [
        ("Conv", ["x", "w"], ["d"], {}),
        ("Add", ["channel", "d"], ["c"], {}),
        *HEAD[:2],
        ("MatMul", ["f", "fc"], ["m"], {}),
        ("Add", ["m", "fcb"], ["y"], {}),
    ],
    "reshape by shape": [
        CONV,
        ("MaxPool", ["c"], ["m"], {"kernel_shape": [3, 2]}),
        ("Relu", ["m"], ["r"], {}),
        ("ReduceMean", ["r"], ["p"], {"axes": [-1, -2]}),
        ("Shape", ["p"], ["s"], {}),
        ("Constant", [], ["zero"], {"value_ints": [0]}),
        ("Gather", ["s", "zero"], ["n"], {}),
        ("Constant", [], ["rest"], {"value_ints": [-1]}),
        ("Concat", ["n", "rest"], ["to"], {"axis": 0}),
        ("Reshape", ["p", "to"], ["f"], {}),
        HEAD[2],
    ],
    "average of the whole": [
        CONV,
        ("AveragePool", ["c"], ["p"], {"kernel_shape": [47, 7]}),
        ("Squeeze", ["p", "axes"], ["f"], {}),
        HEAD[2],
    ],
    "normalized twice, dropout": [
        CONV,
        ("BatchNormalization", ["c", "positive", "b", "b", "positive"], ["e"], {}),
        ("BatchNormalization", ["e", "positive", "b", "b", "positive"], ["g"], {"epsilon": 0.1}),
        ("Relu", ["g"], ["h"], {}),
        ("Dropout", ["h"], ["i"], {}),
        ("Identity", ["i"], ["j"], {}),
        ("Conv", ["j", "one"], ["k"], {}),
        ("Add", ["k", "j"], ["l"], {}),
        ("GlobalAveragePool", ["l"], ["p"], {}),
        ("Reshape", ["p", "flat"], ["f"], {}),
        ("Transpose", ["fc"], ["turned"], {"perm": [1, 0]}),
        ("Gemm", ["f", "turned"], ["y"], {"transB": 1}),
    ],
    "keras batch norm": [
        CONV,
        ("Mul", ["c", "channel"], ["d"], {}),
        ("Sub", ["d", "channel"], ["e"], {}),
        ("Div", ["e", "steep"], ["g"], {}),
        ("Max", ["g", "low"], ["h"], {}),
        ("Min", ["two", "h"], ["c2"], {}),
        ("GlobalAveragePool", ["c2"], ["p"], {}),
        *HEAD[1:],
    ],
    "windows": [
        CONV,
        ("MaxPool", ["c"], ["d"], {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ("Clip", ["d", "low", "two"], ["e"], {}),
        ("AveragePool", ["e"], ["g"], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1}),
        ("AveragePool", ["g"], ["h"], {"kernel_shape": [4, 2], "strides": [3, 1], "ceil_mode": 1}),
        ("Conv", ["h", "cross"], ["i"], {"group": 2, "dilations": [2, 1], "pads": [2, 1, 2, 1]}),
        ("ReduceMean", ["i"], ["j"], {"axes": [3]}),
        ("ReduceMean", ["j"], ["p"], {"axes": [2, 3], "keepdims": 0}),
        ("Gemm", ["p", "fc", "fcb"], ["y"], {}),
    ],
    "moves": [
        ("Transpose", ["x"], ["t"], {"perm": [0, 3, 2, 1]}),
        ("Squeeze", ["t", "last"], ["u"], {}),
        ("Conv", ["u", "time"], ["v"], {"pads": [1, 1], "strides": [2]}),
        ("Split", ["v"], ["v1", "v2"], {"axis": 1}),
        ("Concat", ["v2", "v1"], ["a"], {"axis": 1}),
        ("Relu", ["a"], ["b2"], {}),
        ("Unsqueeze", ["b2", "last"], ["c"], {}),
        ("DequantizeLinear", ["bytes", "fine"], ["big"], {}),
        ("Reshape", ["big", "square"], ["pointwise"], {}),
        ("Conv", ["c", "pointwise"], ["d"], {}),
        ("GlobalAveragePool", ["d"], ["p"], {}),
        *HEAD[1:],
    ],
    "dead ends": [("Sigmoid", ["x"], ["unused"], {}), CONV, *HEAD],
}


@pytest.mark.parametrize("nodes", FILES.values(), ids=FILES)
def test_every_operation_is_that_of_onnxruntime(nodes, tmp_path):
    path = written(model(*nodes, constants=CONSTANTS), tmp_path / "model.onnx")
    x = clips(4, 2)
    assert np.abs(by_layers(path, x) - by_runtime(path, x)).max() < 1e-4


def test_channels_last_as_tf2onnx_writes_them(tmp_path):
    """The first transposition costs no layer."""
    nodes = [("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}), ("Conv", ["t", "w", "b"], ["c"], {}), *HEAD]
    path = written(model(*nodes, constants=CONSTANTS, shape=("n", 49, 10, 1)), tmp_path / "model.onnx")
    x = clips(3)
    assert [layer.name for layer in onnx_float.read(path).layers] == ["conv1", "pool", "fc"]
    assert np.abs(by_layers(path, x) - by_runtime(path, x.permute(0, 2, 3, 1))).max() < 1e-4


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_attributes_of_older_opsets(opset, tmp_path):
    nodes = [CONV, HEAD[0], ("Squeeze", ["p"], ["f"], {"axes": [2, 3]}), HEAD[2]]
    path = written(model(*nodes, constants=CONSTANTS, opset=opset), tmp_path / "model.onnx")
    assert np.abs(by_layers(path, clips(2)) - by_runtime(path, clips(2))).max() < 1e-4


def test_a_softmax_at_the_end_is_left_out_with_a_warning(tmp_path):
    nodes = [CONV, *HEAD[:2], ("Gemm", ["f", "fc", "fcb"], ["z"], {}), ("Softmax", ["z"], ["y"], {})]
    path, x = written(model(*nodes, constants=CONSTANTS), tmp_path / "model.onnx"), clips(2)
    with pytest.warns(UserWarning, match="the softmax at the end is left out; scores are logits"):
        scores = by_layers(path, x)
    assert np.abs(torch.from_numpy(scores).softmax(1).numpy() - by_runtime(path, x)).max() < 1e-5


def test_pads_of_some_axes(tmp_path):
    nodes = [("Pad", ["x", "sides", "", "axes"], ["a"], {}), ("Conv", ["a", "w"], ["c"], {}), *HEAD]
    path = written(model(*nodes, constants=CONSTANTS, opset=18), tmp_path / "model.onnx")
    assert onnx_float.read(path).layers[0].pad == (1, 3, 2, 4)
    assert np.abs(by_layers(path, clips(2)) - by_runtime(path, clips(2))).max() < 1e-4


NAMED = {"name": "here"}
REFUSED = {
    "sine": ([CONV, ("Sin", ["c"], ["y"], NAMED)], "here should be one of: Conv, .*Got: Sin"),
    "softmax": (
        [CONV, *HEAD[:2], ("Softmax", ["f"], ["s"], NAMED), ("Gemm", ["s", "fc", "fcb"], ["y"], {})],
        "here: a softmax should be the end of the network",
    ),
    "foreign": ([("Conv", ["x", "w"], ["y"], {**NAMED, "domain": "else"})], "here should.*Got: else.Conv"),
    "nameless": ([("Sin", ["x"], ["y"], {})], "the node that makes y should be one of"),
    "one axis": ([("Conv", ["x", "cube"], ["y"], NAMED)], "here: should be a convolution of one or two axes"),
    "dilations": ([("Conv", ["x", "w"], ["y"], {**NAMED, "dilations": [2]})], "here: dilations should be a number"),
    "computed weight": ([CONV, ("Conv", ["x", "c"], ["y"], NAMED)], "here: input 1 should be a constant"),
    "training": (
        [CONV, ("BatchNormalization", ["c", "b", "b", "b", "b"], ["y"], {**NAMED, "training_mode": 1})],
        "here: should be exported in eval mode",
    ),
    "dilated maximum": (
        [CONV, ("MaxPool", ["c"], ["y"], {**NAMED, "kernel_shape": [3, 3], "dilations": [2, 2]})],
        "here: should pool without dilation",
    ),
    "indices": ([CONV, ("MaxPool", ["c"], ["y", "i"], {**NAMED, "kernel_shape": [3, 3]})], "here should have one"),
    "mean of clips": ([CONV, ("ReduceMean", ["c"], ["y"], {**NAMED, "axes": [0]})], r"here: should be a mean over"),
    "clips joined": ([CONV, ("Concat", ["c", "c"], ["y"], {**NAMED, "axis": 0})], "here: should join along another"),
    "limits": ([CONV, ("Clip", ["c", "row"], ["y"], NAMED)], "here: a limit should be one number"),
    "ratio": ([CONV, ("Div", ["c", "c"], ["y"], NAMED)], "here: input 1 should be a constant"),
    "reflection": ([("Pad", ["x", "wide"], ["y"], {**NAMED, "mode": "reflect"})], "here: should pad with.*reflect"),
    "filled": ([("Pad", ["x", "wide", "two"], ["y"], NAMED)], "here: should pad with zeros.*value 2"),
    "padded channels": ([("Pad", ["x", "batch"], ["y"], NAMED)], "here: should pad other axes than the batch"),
    "row added": ([CONV, ("Add", ["c", "row"], ["y"], NAMED)], "here: constants should fit the tensor"),
    "half flat": ([CONV, ("Flatten", ["c"], ["y"], {**NAMED, "axis": 2})], "here should keep the axis of the batch"),
    "alpha": ([CONV, *HEAD[:2], ("Gemm", ["f", "fc"], ["y"], {**NAMED, "alpha": 2.0})], "here: should multiply"),
    "long bias": ([CONV, *HEAD[:2], ("Gemm", ["f", "fc", "b"], ["y"], NAMED)], "here: the bias should be 5 numbers"),
    "integers": ([CONV, *HEAD[:2], ("MatMul", ["f", "ints"], ["y"], NAMED)], "here: parameters should be float"),
    "cube": ([CONV, *HEAD[:2], ("MatMul", ["f", "cube"], ["y"], NAMED)], "here: should multiply by a matrix"),
    "not flat": ([("MatMul", ["x", "fc"], ["y"], NAMED)], "here should fit its input"),
    "misfit": ([("Conv", ["x", "one"], ["y"], NAMED)], "here should fit its input"),
    "reshape misfit": ([CONV, ("Reshape", ["c", "shape"], ["y"], NAMED)], "here should be computable"),
    "constant first": ([("Relu", ["b"], ["z"], NAMED), ("Add", ["x", "z"], ["y"], {})], "here: input 0 should depend"),
    "two outputs": ([CONV, *HEAD], "should have one output.*y, c", {"outputs": ("y", "c")}),
    "two inputs": ([CONV, *HEAD], "should have one input.*x, z", {"extra": ("z",)}),
    "double": ([CONV, *HEAD], "x should be FLOAT. Got: DOUBLE", {"dtype": TensorProto.DOUBLE}),
    "three channels": ([CONV, *HEAD], r"should have the shape.*Got: \[n, 3, 49, 10\]", {"shape": ("n", 3, 49, 10)}),
    "no shape": ([CONV, *HEAD], r"should have the shape.*Got: \[n, 490\]", {"shape": ("n", 490)}),
    "any length": ([CONV, *HEAD], r"should have the shape.*Got: \[n, 1, t, 10\]", {"shape": ("n", 1, "t", 10)}),
    "huge": (
        [("ConstantOfShape", ["long"], ["z"], NAMED), ("Add", ["x", "z"], ["y"], {})],
        "here should give at most",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_expressed_is_named(case, tmp_path):
    nodes, message, *options = case
    built = model(*nodes, constants=CONSTANTS, **(options[0] if options else {}))
    if any(node.domain for node in built.graph.node):
        built.opset_import.append(helper.make_opsetid("else", 1))
    with pytest.raises((TargetError, ArtifactError), match=message):
        onnx_float.read(written(built, tmp_path / "model.onnx"))


def test_weights_in_another_file_are_read_or_named(tmp_path):
    built = model(CONV, *HEAD, constants={**CONSTANTS, "w": weights(8, 1, 3, 4)})
    onnx.save_model(built, str(tmp_path / "m.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    assert np.abs(by_layers(tmp_path / "m.onnx", clips(2)) - by_runtime(tmp_path / "m.onnx", clips(2))).max() < 1e-4
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ArtifactError, match=r"m.onnx: the weights of w should be in the file beside it that it names"):
        onnx_float.read(tmp_path / "m.onnx")


def test_missing_empty_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(ArtifactError, match=r"there is no file .*; a float ONNX file is expected"):
        onnx_float.read(path)
    for content in (b"", b"PK\x03\x04 not onnx", b"\x08\x08", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match="ONNX file"):
            onnx_float.read(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_sound(data, tmp_path_factory):
    """A truncated file or a changed byte: an EdgeKwsError or a network that runs, never another exception."""
    content = bytearray(model(CONV, *HEAD, constants=CONSTANTS).SerializeToString())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    path.write_bytes(content)
    try:
        result = onnx_float.read(path)
    except EdgeKwsError:
        return
    x = torch.zeros(1, 1, result.frames, result.coefficients)
    assert float_layers.run_layers(result.layers, x)[result.layers[-1].name].ndim == 2


def test_calibration_of_another_shape_is_refused(tmp_path):
    path = written(model(CONV, *HEAD, constants=CONSTANTS), tmp_path / "model.onnx")
    with pytest.raises(DataError, match=r"\[n, 1, 49, 10\]. Got: \[n, 1, 40, 10\]"):
        edgekws.prepare(path, calibration=torch.zeros(4, 1, 40, 10))
