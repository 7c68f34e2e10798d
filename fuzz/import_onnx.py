"""Fuzzes the importers of integer ONNX: a graph that they give passes check(), can be saved, and gives scores.

Inputs are small files of each kind with changed bytes, or with changed nodes, attributes, tensors and shapes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekws.emit import onnx_qdq as qdq_emitter
from edgekws.emit import onnx_tinpu as tinpu_emitter
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.importers import onnx_qdq, onnx_tinpu
from fuzz import npz_inputs
from fuzz.protocol import tiny_graph
from tests.graphs import random_dag
from tests.importers import qdq_onnx, ti_onnx

_RUN_RATE, _MAX_WORK = 0.1, 2_000_000
_NUMBERS = (0, 1, -1, 2, 3, 4, 7, 64, 127, 128, 255, 256, 1 << 15, 1 << 24, (1 << 31) - 1, 1 << 40, (1 << 63) - 1)
_REALS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e-30, 1e30, 2.0**-40, 3.0, float("nan"), float("inf"), float("-inf"))
_OPS = (
    *("Conv", "Add", "Mul", "Floor", "Clip", "Relu", "Round", "MaxPool", "AveragePool", "GlobalAveragePool", "Gemm"),
    *("MatMul", "QuantizeLinear", "DequantizeLinear", "QLinearConv", "Concat", "Split", "Slice", "Pad", "Reshape"),
    *("Flatten", "Squeeze", "Unsqueeze", "Transpose", "Sigmoid", "Softmax", "ReduceMean", "ReduceSum", "Sign", "Abs"),
    *("Div", "Sub", "Identity", "Constant", "Shape", "Cast", "PRelu", "BatchNormalization", "If", "Loop", "Scan"),
    *("QLinearAdd", "QGemm", "QLinearConcat", "QLinearMatMul", "QLinearAveragePool", "HardSigmoid", "Elu", "Gather"),
)
_ATTRIBUTES = (
    *(
        "kernel_shape",
        "strides",
        "pads",
        "dilations",
        "group",
        "axis",
        "axes",
        "keepdims",
        "perm",
        "transB",
        "auto_pad",
    ),
    *("ceil_mode", "min", "max", "value", "alpha", "block_size", "output_dtype", "split", "to", "count_include_pad"),
)


def attempt(rng: random.Random) -> str:
    importer, content = rng.choice(_seeds())
    changed = npz_inputs.damaged(rng, content) if rng.random() < 0.3 else _changed(rng, content)
    return _checked(rng, importer.read({"model.onnx": changed}))


def _checked(rng: random.Random, graph: Graph) -> str:
    if rng.random() < _RUN_RATE:
        assert io.digest(io.from_bytes(io.to_bytes(graph))) == io.digest(graph)
        height, width, channels = graph.in_shape
        values = sum(int(np.prod(node.out_shape)) for node in graph.nodes)
        if graph.macs + values + height * width * channels < _MAX_WORK:
            scores = graph.run(np.zeros((1, height, width * channels), np.int8))
            assert scores.shape == (1, len(graph.labels))
    return "imported"


def _changed(rng: random.Random, content: bytes) -> bytes:
    model = onnx.load_model_from_string(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, model.graph)
    if rng.random() < 0.02:
        model.opset_import[0].version = rng.choice((0, 5, 9, 11, 13, 19, 21, 99, -1))
    return bytes(model.SerializeToString())


def _node(rng: random.Random, graph: Any) -> Any:
    return rng.choice(graph.node) if graph.node else graph.node.add(op_type="Relu", output=["r"])


def _names(graph: Any) -> list[str]:
    made = [name for node in graph.node for name in node.output]
    return [*made, *(each.name for each in (*graph.initializer, *graph.input)), "", "missing"]


def _reconnect(rng: random.Random, graph: Any) -> None:
    node = _node(rng, graph)
    if node.input and rng.random() < 0.7:
        node.input[rng.randrange(len(node.input))] = rng.choice(_names(graph))
    elif rng.random() < 0.5:
        node.input.append(rng.choice(_names(graph)))
    elif node.input:
        del node.input[rng.randrange(len(node.input))]


def _rename(rng: random.Random, graph: Any) -> None:
    node = _node(rng, graph)
    node.op_type = rng.choice(_OPS)
    node.domain = rng.choice(("", "", "", "ai.onnx", "com.microsoft", "com.example"))


def _set_attribute(rng: random.Random, graph: Any) -> None:
    node = _node(rng, graph)
    if node.attribute and rng.random() < 0.3:
        del node.attribute[rng.randrange(len(node.attribute))]
        return
    name = (
        rng.choice([each.name for each in node.attribute] or _ATTRIBUTES)
        if rng.random() < 0.6
        else rng.choice(_ATTRIBUTES)
    )
    for at in [at for at, each in enumerate(node.attribute) if each.name == name][::-1]:
        del node.attribute[at]
    node.attribute.append(helper.make_attribute(name, _value(rng)))


def _value(rng: random.Random) -> Any:
    kind = rng.randrange(6)
    if kind < 2:
        return rng.choice(_NUMBERS)
    if kind < 4:
        return [rng.choice(_NUMBERS) for _ in range(rng.choice((1, 2, 2, 3, 4, 4, 8)))]
    return rng.choice((rng.choice(_REALS), "SAME_UPPER", "VALID", "x", [1.5, 2.5]))


def _set_tensor(rng: random.Random, graph: Any) -> None:
    """Other numbers, another type or another shape of a constant."""
    tensors = [*graph.initializer, *(each.t for node in graph.node for each in node.attribute if each.HasField("t"))]
    if not tensors:
        return
    tensor, kind = rng.choice(tensors), rng.randrange(6)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_NUMBERS)
    elif kind == 1:
        tensor.data_type = rng.randrange(27)
    elif kind == 2:
        tensor.raw_data = npz_inputs.damaged(rng, tensor.raw_data)
    elif kind == 3:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(
            key=rng.choice(("location", "offset", "length", "x")), value=rng.choice(("model.onnx", "7", ""))
        )
    else:
        tensor.CopyFrom(numpy_helper.from_array(_array(rng, tensor), tensor.name))


def _array(rng: random.Random, tensor: Any) -> np.ndarray:
    try:
        array = np.array(numpy_helper.to_array(tensor))
    except Exception:  # an earlier change made it unreadable
        array = np.zeros(1, np.float32)
    if array.size and rng.random() < 0.6:
        at, pool = rng.randrange(array.size), _REALS if array.dtype.kind == "f" else (0, 1, -1, 127, -128, 3)
        with np.errstate(all="ignore"):
            array.reshape(-1)[at] = np.array(rng.choice(pool)).astype(array.dtype)
        return array
    return rng.choice(
        (array.reshape(-1), array[None], array.astype(np.float64), np.zeros((0,), array.dtype), array.ravel()[:1])
    )


def _move_node(rng: random.Random, graph: Any) -> None:
    """Remove, repeat or move a node."""
    nodes = list(graph.node)
    if not nodes:
        return
    at, kind = rng.randrange(len(nodes)), rng.randrange(3)
    node = nodes[at] if kind == 1 else nodes.pop(at)
    if kind:
        nodes.insert(rng.randrange(len(nodes) + 1), node)
    del graph.node[:]
    graph.node.extend(nodes)


def _set_end(rng: random.Random, graph: Any) -> None:
    """Another shape or type of the input, or another output."""
    if rng.random() < 0.5 or not graph.input:
        if graph.output:
            graph.output[0].name = rng.choice(_names(graph)) or "x"
        return
    shape = [rng.choice((*_NUMBERS[:8], "n", 49, 10)) for _ in range(rng.choice((1, 2, 3, 4, 4, 4, 5)))]
    graph.input[0].CopyFrom(helper.make_tensor_value_info(graph.input[0].name, rng.choice((1, 1, 2, 3, 7, 10)), shape))


_CHANGES: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_reconnect, _set_attribute, _set_attribute, _set_tensor, _set_tensor, _set_tensor),
    *(_rename, _move_node, _set_end),
)


@cache
def _seeds() -> list[tuple[Any, bytes]]:
    qdq = [qdq_onnx.fake_quantized(0), qdq_onnx.channels_last(0), qdq_onnx.moved(0)]
    ti = [ti_onnx.ds_cnn(0, raw=True), ti_onnx.ds_cnn(1, raw=False, bits=4, merged=True), ti_onnx.pools(2, raw=False)]
    own = [tiny_graph(), random_dag(6, "int8")]
    qdq += [_unsealed(qdq_emitter.emit(graph)[qdq_emitter.FILE]) for graph in own]
    ti += [_unsealed(tinpu_emitter.emit(random_dag(3))[tinpu_emitter.FILE])]
    return [(onnx_qdq, content) for content in qdq] + [(onnx_tinpu, content) for content in ti]


def _unsealed(content: bytes) -> bytes:
    """Without the hash, at which every change would end."""
    model = onnx.load_model_from_string(content)
    del model.metadata_props[:]
    return bytes(model.SerializeToString())
