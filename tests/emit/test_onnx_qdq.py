from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekws.emit import onnx_qdq
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import interp, io

FILE = "model.qdq.onnx"


def load(graph):
    model = onnx.load_from_string(onnx_qdq.emit(graph)[FILE])
    return model, {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}


def with_stage(graph, index, **changes):
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], requant=replace(nodes[index].requant, **changes))
    return replace(graph, nodes=tuple(nodes))


def test_is_the_standard_pattern_where_weights_allow(graph_factory):
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
    graph = with_stage(graph, index, **changes)
    expected = interp.run(graph, random_features(64))
    for name, run in onnx_qdq.executors(onnx_qdq.emit(graph)).items():
        assert np.array_equal(run(random_features(64)), expected), name


def test_refuses_what_it_cannot_express(graph):
    with pytest.raises(TargetError, match=r"conv1: .*3 / 2"):
        onnx_qdq.emit(with_stage(graph, 0, mult=np.full(8, 3, np.uint8)))
    with pytest.raises(TargetError, match=r"dw1: sums must stay within 2\^24 half steps.*channel 2"):
        onnx_qdq.emit(with_stage(graph, 1, offset=np.full(8, 1 << 23, np.int32)))


def test_refuses_another_version(graph):
    content = onnx_qdq.emit(graph)[FILE]
    with pytest.raises(ArtifactError, match="onnx_qdq version 7"):
        onnx_qdq.executors({FILE: content.replace(b"onnx_qdq 1 ", b"onnx_qdq 7 ")})
    with pytest.raises(ArtifactError, match="without a seal"):
        onnx_qdq.executors({FILE: content[:40]})
