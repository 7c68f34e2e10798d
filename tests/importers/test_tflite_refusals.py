"""Files that cannot be imported are refused with the operator and its place, whatever is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekws import importers
from edgekws.errors import ArtifactError, ConfigError, TargetError
from edgekws.importers import Options, tflite
from tests.importers.tflite_models import Random, random_model
from tests.recordings import SHARED

IN, OUT = (0.05, -3), (0.1, 4)


def dense(**changes) -> Random:
    """One matrix; `changes` of what its tensors are. Pack it with inputs [0] and outputs [4]."""
    build = Random(np.random.default_rng(0))
    plain = {
        "input": {"shape": (1, 6), "scale": 0.05, "zero": -3},
        "weight": {"shape": (4, 6), "data": np.ones((4, 6), np.int8), "scale": 0.02, "zero": 0},
        "bias": {"shape": (4,), "kind": "INT32", "data": np.zeros(4, np.int32), "scale": 0.001, "zero": 0},
        "unused": {"shape": (1,)},
        "output": {"shape": (1, 4), "scale": 0.1, "zero": 4},
    }
    for name, fields in plain.items():
        build.tensor(**{**fields, **changes.get(name, {})})
    build.operator("FULLY_CONNECTED", [0, 1, 2], [4], schema.FullyConnectedOptionsT())
    return build


def refused(content: bytes, *words: str, error: type[Exception] = TargetError) -> None:
    with pytest.raises(error) as caught:
        tflite.read({"model.tflite": content})
    assert all(word in str(caught.value) for word in words), str(caught.value)


FLOAT = np.ones((4, 6), np.float32)
TENSORS = {
    "a float model": ({"input": {"kind": "FLOAT32", "scale": None}}, TargetError, "FLOAT32"),
    "float weights": ({"weight": {"kind": "FLOAT32", "data": FLOAT, "scale": None}}, TargetError, "FLOAT32"),
    "float16 weights": ({"weight": {"kind": "FLOAT16", "data": FLOAT.astype(np.float16)}}, TargetError, "FLOAT16"),
    "uint8 of TensorFlow 1": ({"input": {"kind": "UINT8", "zero": 125}}, TargetError, "UINT8"),
    "16-bit activations": ({"output": {"kind": "INT16", "zero": 0}}, TargetError, "INT16"),
    "a float bias": ({"bias": {"kind": "FLOAT32", "data": np.zeros(4, np.float32)}}, TargetError, "bias"),
    "zero points of weights": ({"weight": {"zero": 3}}, TargetError, "zero points of weights"),
    "too many zero points": ({"weight": {"scale": [0.1] * 4, "zero": [0, 0, 0]}}, ArtifactError, "zero point"),
    "too few scales": ({"weight": {"scale": [0.1] * 3}}, ArtifactError, "4 along axis 0"),
    "scales along another axis": ({"weight": {"scale": [0.1] * 4, "axis": 1}}, ArtifactError, "axis"),
    "a scale of 0": ({"input": {"scale": 0.0}}, ArtifactError, "scales"),
    "a scale of NaN": ({"output": {"scale": np.nan}}, ArtifactError, "scales"),
    "a scale of infinity": ({"weight": {"scale": np.inf}}, ArtifactError, "scales"),
    "no scale": ({"input": {"scale": None}}, ArtifactError, "one scale"),
    "a zero point beyond int8": ({"input": {"zero": 300}}, ArtifactError, "int8"),
    "weights of another size": ({"weight": {"data": np.ones((4, 5), np.int8)}}, ArtifactError, "fill its shape"),
    "weights that do not fit": (
        {"weight": {"shape": (4, 7), "data": np.ones((4, 7), np.int8)}}, ArtifactError, "rows of the weights' width",
    ),
    "another output shape": ({"output": {"shape": (1, 5)}}, ArtifactError, "shape [1, 4]"),
    "computed weights": ({"weight": {"data": None}}, TargetError, "constants"),
    "a sparse tensor": ({"weight": {"sparsity": schema.SparsityParametersT()}}, TargetError, "sparse"),
    "a variable": ({"unused": {"isVariable": True}}, TargetError, "variables"),
    "an external buffer": ({"weight": {"externalBuffer": 1}}, TargetError, "inside of the file"),
}  # fmt: skip


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_of_another_kind_are_refused(what):
    changes, error, words = TENSORS[what]
    refused(dense(**changes).pack([0], [4]), words, error=error)


def test_the_plain_model_is_imported():
    assert len(tflite.read({"m.tflite": dense().pack([0], [4])}).nodes) == 1


@pytest.mark.parametrize(("inputs", "outputs", "what"), [([0, 3], [4], "one input"), ([0], [4, 0], "one output")])
def test_several_inputs_or_outputs_are_refused(inputs, outputs, what):
    refused(dense().pack(inputs, outputs), what)


def test_two_subgraphs_are_refused():
    graph = schema.SubGraphT(tensors=[], inputs=[], outputs=[], operators=[])
    refused(dense().pack([0], [4], subgraphs=[graph, graph]), "one subgraph")


@pytest.mark.parametrize(("name", "words"), [("CUSTOM", "custom mine"), ("WHILE", "WHILE"), ("LSTM", "operator 16")])
def test_unknown_operators_are_refused(name, words):
    code = getattr(schema.BuiltinOperator, name)
    codes = [schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, customCode="mine")]
    refused(dense().pack([0], [4], operatorCodes=codes), "operator 0 (t4)", words, "FULLY_CONNECTED")


def test_a_circle_of_operators_is_refused():
    build = dense()
    build.operators[0].inputs = [4, 1, 2]
    refused(build.pack([0], [4]), "earlier operators", error=ArtifactError)


def test_an_output_that_is_written_twice_is_refused():
    build = dense()
    build.operators.append(build.operators[0])
    refused(build.pack([0], [4]), "written once", error=ArtifactError)


def test_a_float_operator_inside_is_refused_with_its_place():
    build = dense()
    inner = build.activation((1, 4), (1.0, 0), "FLOAT32")
    last = build.activation((1, 4), (1.0, 0), "FLOAT32")
    build.operator("DEQUANTIZE", [4], [inner])
    build.operator("SOFTMAX", [inner], [last], schema.SoftmaxOptionsT(beta=1.0))
    refused(build.pack([0], [last]), "operator 1 (DEQUANTIZE, t5)")


@pytest.mark.parametrize("part", [0, 7, 30, 0.3, 0.7, 0.99])
def test_truncated_files_are_refused(part):
    content = random_model(3)
    length = part if isinstance(part, int) else int(part * len(content))
    refused(content[:length], error=ArtifactError)


def test_huge_shapes_are_refused_before_anything_is_made():
    refused(dense(input={"shape": (1, 2**30)}).pack([0], [4]), "activations of 1 to", error=ArtifactError)


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path):
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(ArtifactError, match="at most"):
        importers.load(path)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"PK\3\4 something")
    with pytest.raises(ArtifactError, match="can be imported"):
        importers.load(path)


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c", "a")])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ConfigError, match="4 different labels"):
        tflite.read({"m.tflite": dense().pack([0], [4])}, Options(labels=labels))


@pytest.mark.skipif(not (SHARED / "mlperf_tiny").exists(), reason="needs MLPerf Tiny's models")
def test_a_published_hybrid_model_is_refused():
    content = (SHARED / "mlperf_tiny" / "kws_ref_model_float32.tflite").read_bytes()
    refused(content, "operator 0 (CONV_2D, ", "dynamic-range or hybrid", "representative data set")
