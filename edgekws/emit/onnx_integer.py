"""ONNX that computes every integer of the graph, for all its rules and ops (opset 21, NCHW).

Tensors between layers have the name of their node and hold its bytes: uint8 [n, c, h, w] after a ReLU, else int8. A
layer of weights is

    Cast (Pad) Conv Cast    the sum of products, in float32, which is exact
    Mul (Less Where) Add Div (Sub Add)    the requantization in int64: `_int64` has the three rules
    Clip Cast

Linear layers are convolutions of their input's size. Pools, additions, products and the softmax are int64 arithmetic,
tables are Gather, and what only moves values moves bytes. The standard lets no runtime choose how any of it rounds.

Sums are exact in every order because no partial sum leaves +-2^24, where float32 holds every integer. Where weights
could sum to more, they are split inside the file into 2, 4 or 8 digits, whose sums are added in int64. A runtime that
computes Conv in less than float32 (TF32, bfloat16) is not one for this file.

Scans are unrolled. Weights are stored once, those of copies too: int8, or INT4 for those of 4 and 2 bits (INT2 would
need opset 25, which runtimes of 2024 and 2025 refuse). The first dimension is open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from edgekws.emit import _onnx, _seal, onnx_tinpu
from edgekws.emit._common import Executor, entry, narrow_weights
from edgekws.emit._integers import ENTRIES, Tensors, write
from edgekws.emit._onnx import Builder
from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Graph
from edgekws.graph.unroll import unrolled

FILE, KIND, VERSION = "model.integer.onnx", "onnx_integer", 1
NOTE = "the graph's own integers: sums in float32 below 2^24, requantization in int64; equal in every output"
OPSET, IR_VERSION = 21, 10


def by_default(graph: Graph) -> bool:
    """Whether `export` writes this file unasked: where TI's pattern cannot express the graph."""
    try:
        onnx_tinpu.emit(graph)
    except TargetError:
        return True
    return False


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.integer.onnx": bytes}, int8 [n, channels, frames, coefficients] -> int8 [n, labels].

    Raises TargetError only for sums of more products than float32 can hold in eight digits.
    """
    from onnx import TensorProto, helper

    graph.check()
    flat = unrolled(graph)
    build = Builder()
    tensors = Tensors(build, {INPUT: ("features", np.int8)})
    for node, lo, hi in flat.ranges():
        entry(ENTRIES, node, KIND)
        write(tensors, node, (lo, hi))
    scores = build.add("Flatten", [tensors.read(flat.nodes[-1].name, np.int8)], build.free("scores"), axis=1)
    height, width, channels = graph.in_shape
    ends = (
        helper.make_tensor_value_info("features", TensorProto.INT8, ["n", channels, height, width]),
        helper.make_tensor_value_info(scores, TensorProto.INT8, ["n", len(graph.labels)]),
    )
    about = _seal.describe(graph, KIND, VERSION, NOTE) | narrow_weights(flat, lambda _: "int4") | _zero_points(graph)
    return {FILE: build.model(graph.name, OPSET, IR_VERSION, ends, about)}


def about(files: Mapping[str, bytes]) -> dict[str, str]:
    """The metadata: labels, features, scales, graph. Raises ArtifactError for another file or version."""
    return _onnx.properties(_seal.verified(files, FILE, KIND, VERSION))


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """onnxruntime with and without graph optimization. Raises ArtifactError for another file or version."""
    content = _seal.verified(files, FILE, KIND, VERSION)
    return {
        "onnxruntime": _onnx.executor(content, np.int8, optimized=True),
        "onnxruntime-unoptimized": _onnx.executor(content, np.int8, optimized=False),
    }


def _zero_points(graph: Graph) -> dict[str, str]:
    """The metadata of graphs whose real zero is not integer 0 everywhere."""
    points = {INPUT: graph.input_zero} | {node.name: node.out_zero for node in graph.nodes}
    return {"zero_points": json.dumps(points)} if any(points.values()) else {}
