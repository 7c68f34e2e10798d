"""ONNX files that cannot be imported are refused with the operation and its place, and nothing else happens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekws.errors import ArtifactError, TargetError
from edgekws.importers import onnx_qdq, onnx_tinpu
from edgekws.importers._onnx import file
from tests.importers import ti_onnx
from tests.importers.qdq_onnx import QdqNet, fake_quantized

IMPORTERS = pytest.mark.parametrize("importer", [onnx_qdq, onnx_tinpu], ids=["qdq", "tinpu"])


def model_of(importer):
    content = fake_quantized(0) if importer is onnx_qdq else ti_onnx.ds_cnn(0, raw=False)
    return onnx.load_from_string(content)


def refusal(importer, model):
    content = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises((ArtifactError, TargetError)) as error:
        importer.read({"net.onnx": content})
    return str(error.value)


@IMPORTERS
def test_the_models_that_are_changed_below_are_read(importer):
    importer.read({"net.onnx": model_of(importer).SerializeToString()})


@IMPORTERS
def test_what_is_no_onnx_file(importer):
    content = model_of(importer).SerializeToString()
    for damaged in (b"", b"\x08\x09", b"text", content[: len(content) // 3], content[10:]):
        assert "net.onnx" in refusal(importer, damaged)
    for files in ({}, {"a.onnx": content, "b.onnx": content}, {"a.tflite": content}):
        with pytest.raises(ArtifactError, match=r"one \.onnx file"):
            importer.read(files)


@IMPORTERS
def test_weights_of_another_file(importer):
    model = model_of(importer)
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    raw, name = tensor.raw_data, tensor.name
    expected = importer.read({"net.onnx": model.SerializeToString()})
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "net.data"), ("offset", "4"), ("length", str(len(raw)))):
        tensor.external_data.add(key=key, value=value)
    content = model.SerializeToString()
    assert name in refusal(importer, content) and "net.data, which is missing" in refusal(importer, content)
    imported = importer.read({"net.onnx": content, "net.data": b"\0" * 4 + raw})
    assert all(
        (a.weight == b.weight).all()
        for a, b in zip(imported.nodes, expected.nodes, strict=True)
        if a.weight is not None
    )
    with pytest.raises(ArtifactError, match=r"lie inside net\.data"):
        importer.read({"net.onnx": content, "net.data": raw[:-9]})


@IMPORTERS
def test_cycles_are_named(importer):
    model = model_of(importer)
    first, last = model.graph.node[0], model.graph.node[-1]
    first.input[0] = last.output[0]
    message = refusal(importer, model)
    assert first.name in message and "a cycle" in message


@IMPORTERS
def test_several_ends(importer):
    model = model_of(importer)
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = model.graph.node[2].output[0]
    assert "one output" in refusal(importer, model)
    model = model_of(importer)
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4]))
    assert "one input" in refusal(importer, model)


@IMPORTERS
def test_sparse_tensors_functions_control_flow_and_custom_operations(importer):
    model = model_of(importer)
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    assert "sparse" in refusal(importer, model)
    model = model_of(importer)
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    assert "com.example" in refusal(importer, model) and model.graph.node[1].name in refusal(importer, model)
    model = model_of(importer)
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "body", [], [])
    model.graph.node.insert(
        0, helper.make_node("If", ["x"], ["unused"], name="branch", then_branch=body, else_branch=body)
    )
    assert "branch (If)" in refusal(importer, model) and "control flow" in refusal(importer, model)
    model = model_of(importer)
    call = helper.make_function(
        "local", "f", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], model.opset_import
    )
    model.functions.append(call)
    assert "no functions" in refusal(importer, model)


@IMPORTERS
@pytest.mark.parametrize("opset", [0, 6, 1000])
def test_opsets_that_nobody_knows(importer, opset):
    model = model_of(importer)
    model.opset_import[0].version = opset
    assert "an opset of 7 to" in refusal(importer, model)


@IMPORTERS
def test_shapes_of_the_input(importer):
    for shape in ([1, 0, 49, 10], [2, 1, 49, 10], [1, 1, "n", 10], [], [1] * 6, [1, 1, 1 << 20, 1 << 20]):
        model = model_of(importer)
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
        assert "x should have" in refusal(importer, model)


@IMPORTERS
def test_a_file_of_2_gb(importer, monkeypatch):
    monkeypatch.setattr(file, "_FILE_BYTES", 1000)
    assert "less than 2 GB" in refusal(importer, model_of(importer))


@IMPORTERS
def test_tensors_with_fewer_numbers_than_their_shape_says(importer):
    model = model_of(importer)
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    tensor.raw_data = tensor.raw_data[:-3]
    assert tensor.name in refusal(importer, model)
    tensor.dims[0] = 1 << 40
    assert "at most" in refusal(importer, model) or tensor.name in refusal(importer, model)


def net_with(scale=0.02, zero=None, weight=None, last=None):
    net = QdqNet(0)
    x = net.quantized("x", 0.05, 3)
    weight = weight(net) if weight else net.weight(4, 1, 9, 9)
    made = net.add("Conv", x, weight)
    ends = [net.constant(np.asarray(scale, np.float32)), net.constant(np.asarray(0 if zero is None else zero, np.int8))]
    x = net.add("QuantizeLinear", made, *ends)
    x = net.add("DequantizeLinear", x, *ends)
    x = net.add("Flatten", net.add("GlobalAveragePool", last(net, x) if last else x))
    return net.model(net.quantized(x, 0.02, 0), 4)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_are_no_scales(scale):
    message = refusal(onnx_qdq, net_with(scale=scale))
    assert "scales should be finite numbers above 0" in message and "/quantizelinear" in message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scale": [0.1, 0.2], "zero": [0, 0]}, "one scale and one zero point"),
        ({"zero": [0, 0, 0]}, "as many zero points as scales"),
        ({"weight": lambda net: net.weights(4, 1, 9, 9)}, "weights should be quantized constants"),
        ({"weight": lambda net: net.weight(4, 1, 9, 9, axis=2)}, "one for each output channel"),
        ({"weight": lambda net: net.weight(4, 2, 9, 9)}, "fit the input"),
        ({"weight": lambda net: net.weight(4, 1, 9, 99)}, "windows should fit the input"),
        ({"last": lambda net, x: net.add("Conv", net.add("Sigmoid", x), net.weight(4, 4, 1, 1))}, "a function of one"),
        ({"last": lambda net, x: net.add("Relu", net.add("Sin", x))}, "known are"),
        ({"last": lambda net, x: net.add("Add", x, net.weights(41, 1))}, "one for each channel"),
        ({"last": lambda net, x: net.add("Transpose", x, perm=[1, 0, 2, 3])}, "batch should stay"),
        (
            {"last": lambda net, x: net.add("MaxPool", x, kernel_shape=[1000] * 2, pads=[1998] * 4)},
            "at most",
        ),
    ],
    ids=range(11),
)
def test_layers_that_are_not_quantized_or_have_no_integer_form(changes, reason):
    message = refusal(onnx_qdq, net_with(**changes))
    assert reason in message and "(" in message


def test_activations_of_other_widths_are_refused():
    net = QdqNet(0)
    ends = net.constant(np.float32(0.05)), net.constant(np.array(0, np.int16))
    x = net.add("Flatten", net.add("DequantizeLinear", net.add("QuantizeLinear", "x", *ends), *ends))
    message = refusal(
        onnx_qdq, net.model(net.quantized(net.add("MatMul", x, net.weight(490, 4, axis=1)), 1.0, 0), 4, 21)
    )
    assert "int8 or uint8" in message and "int16" in message


def test_weights_with_a_wide_zero_point_are_refused():
    net = QdqNet(0)
    integers = net.constant(net.rng.integers(0, 256, (4, 1, 49, 10)).astype(np.uint8))
    weight = net.add("DequantizeLinear", integers, net.constant(np.float32(0.01)), net.constant(np.array(7, np.uint8)))
    x = net.add("Flatten", net.add("Conv", net.quantized("x", 0.05, 3), weight))
    message = refusal(onnx_qdq, net.model(net.quantized(x, 0.1, 0), 4))
    assert "-128..127" in message and "/conv" in message


def test_float_models_are_no_integer_models():
    net = QdqNet(0)
    x = net.add("Flatten", net.conv("x", 1, 4, (49, 10)))
    content = net.model(x, 4)
    assert not onnx_qdq.recognizes(content) and not onnx_tinpu.recognizes(content)
    assert "should be quantized" in refusal(onnx_qdq, content)


def test_each_importer_recognizes_its_own():
    ours = {onnx_qdq: fake_quantized(0), onnx_tinpu: ti_onnx.ds_cnn(0, raw=True)}
    for importer, content in ours.items():
        assert importer.recognizes(content) and ".onnx" in importer.SUFFIXES
        assert not any(other.recognizes(content) for other in ours if other is not importer)
        assert not importer.recognizes(b"TFL3" * 9)


def test_a_changed_file_of_ours_is_refused():
    from edgekws.emit import onnx_qdq as emitter
    from tests.graphs import random_dag

    graph = random_dag(1)
    content = emitter.emit(replace(graph, name="abcdefgh"))[emitter.FILE]
    with pytest.raises(ArtifactError, match="hash inside it"):
        onnx_qdq.read({"model.qdq.onnx": content.replace(b"abcdefgh", b"abcdefgx", 1)})
