"""ONNX in the integer pattern that TI's NPU compiler takes (opset 17, NCHW, integers held in float32).

conv    Conv Add Mul Mul Floor Clip [Relu Clip]            offset, multiplier and 2^-shift stay apart
pool    ReduceSum Round Add Mul Mul Floor Clip
linear  [Flatten] MatMul Add Mul Mul Floor Clip [Relu Clip]

The input holds the int8 features: their normalization belongs to feature extraction (the compiler's
`skip_normalize=true`). Batch is 1, as that compiler wants it; our executors open it.

float32 computes all of it exactly because every sum of products stays within 2^24 and a product beyond
2^24 always clips: float32 rounding is monotone, so it stays at 2^24 or more, and 2^(24 - shift) is
outside of the output range. `emit` refuses a graph for which that cannot be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgekws.emit import _onnx, _seal
from edgekws.emit._common import Executor, check_graph
from edgekws.emit._onnx import Builder
from edgekws.errors import TargetError
from edgekws.graph.ir import Graph, Node, accumulator_bounds

FILE, KIND, VERSION = "model.tinpu.onnx", "onnx_tinpu", 1
NOTE = "floor((acc + offset) * mult / 2^shift) in float32 holding integers; equal to the graph in every output"
OPSET, IR_VERSION = 17, 8
EXACT = 1 << 24
"""float32 holds every integer up to here."""
_FUSIONS = ("ConvAddFusion", "ConvMulFusion")


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.tinpu.onnx": bytes}. Raises TargetError where float32 cannot be shown to be exact."""
    from onnx import TensorProto, helper

    check_graph(graph)
    in_any_order = [_check_exact(node, lo, hi) for node, lo, hi in graph.ranges()]
    height, width, channels = graph.in_shape
    build = Builder()
    tensor = _layers(build, graph)
    out_shape = [1, len(graph.labels)] + ([] if graph.nodes[-1].op == "linear" else [1, 1])
    ends = (
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, channels, height, width]),
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, out_shape),
    )
    about = _seal.describe(graph, KIND, VERSION, NOTE)
    about["exact_sums"] = "in any order" if all(in_any_order) else "in the order of the file"
    return {FILE: build.model(graph.name, OPSET, IR_VERSION, ends, about)}


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """onnxruntime with and without graph optimization. Raises ArtifactError for another file or version.

    Fusing offset and multiplier into the convolution reorders its sums; where that is not shown to be
    exact, these two fusions are left out.
    """
    content = _seal.opened(files, FILE, KIND, VERSION)
    ordered = _onnx.properties(content)["exact_sums"] != "in any order"
    return {
        "onnxruntime": _onnx.executor(content, np.float32, optimized=True, without=_FUSIONS if ordered else ()),
        "onnxruntime-unoptimized": _onnx.executor(content, np.float32, optimized=False),
    }


def _check_exact(node: Node, lo: int, hi: int) -> bool:
    """Whether the sums are exact in any order, the multiplier inside included. Raises TargetError if in none."""
    stage = node.requant
    plain = replace(node, requant=replace(stage, offset=np.zeros_like(stage.offset)))
    sums = _magnitude(plain, lo, hi)
    products = _magnitude(node, lo, hi) * stage.mult.astype(np.int64)
    clips_beyond = (EXACT >> stage.shift.astype(np.int64)) >= max(stage.hi, -stage.lo)
    offset_held = stage.offset.astype(np.float32).astype(np.int64) == stage.offset
    _refuse(node, sums > EXACT, sums, "sums of products must stay within 2^24 to be exact in float32")
    _refuse(node, ~offset_held, stage.offset, "offsets must be integers that float32 holds")
    _refuse(
        node,
        (products > EXACT) & ~clips_beyond,
        products,
        "products beyond 2^24 must clip for certain (shift at most 16) to be exact in float32",
    )
    return bool((products <= EXACT).all())


def _magnitude(node: Node, lo: int, hi: int) -> np.ndarray:
    low, high = accumulator_bounds(node, lo, hi)
    magnitude: np.ndarray = np.maximum(np.abs(low), np.abs(high))
    return magnitude


def _refuse(node: Node, wrong: np.ndarray, values: np.ndarray, rule: str) -> None:
    if wrong.any():
        channel = int(np.flatnonzero(wrong)[0])
        shift = int(node.requant.shift[channel])
        raise TargetError(
            f"{node.name}: {rule}",
            got=f"{int(values[channel])} in channel {channel} (shift {shift})",
            hint="use smaller weights, offsets or shifts in this layer, or export c",
        )


def _layers(build: Builder, graph: Graph) -> str:
    tensor, followers = "features", [*graph.nodes[1:], None]
    if graph.nodes[0].op == "linear":
        tensor = build.add("Flatten", [tensor], "features_flat", axis=1)
    for node, follower in zip(graph.nodes, followers, strict=True):
        if node.op == "linear" and follower is not None and follower.op != "linear":
            raise TargetError(f"{node.name}: only linear layers may follow a linear layer", got=follower.op)
        tensor = _layer(build, node, tensor, flat=follower is not None and follower.op == "linear")
    return tensor


def _layer(build: Builder, node: Node, source: str, flat: bool) -> str:
    """flat: leave the height and width of 1 out of the result, as a linear layer wants it."""
    if node.op == "global_sum_pool":
        return _stage(build, node, _sum(build, node, source, keep=not flat), 2 if flat else 4)
    if node.op == "linear":
        return _stage(build, node, _matmul(build, node, source), 2)
    result = _stage(build, node, _conv(build, node, source), 4)
    return build.add("Flatten", [result], f"{node.name}_flat", axis=1) if flat else result


def _conv(build: Builder, node: Node, source: str) -> str:
    weight = np.asarray(node.weight, np.float32)
    depthwise = node.op == "depthwise_conv2d"
    nchw = weight[:, None] if depthwise else weight.transpose(0, 3, 1, 2)
    top, bottom, left, right = node.pad
    return build.add(
        "Conv",
        [source, build.constant(f"{node.name}_weight", nchw)],
        f"{node.name}_conv",
        kernel_shape=list(nchw.shape[2:]),
        strides=list(node.stride),
        pads=[top, left, bottom, right],
        group=len(nchw) if depthwise else 1,
    )


def _sum(build: Builder, node: Node, source: str, keep: bool) -> str:
    axes = build.constant(f"{node.name}_axes", np.array([2, 3], np.int64))
    total = build.add("ReduceSum", [source, axes], f"{node.name}_sum", keepdims=int(keep))
    return build.add("Round", [total], f"{node.name}_round")


def _matmul(build: Builder, node: Node, source: str) -> str:
    height, width, channels = node.in_shape
    weight = np.asarray(node.weight, np.float32).reshape(-1, height, width, channels)
    columns = weight.transpose(3, 1, 2, 0).reshape(-1, len(weight))  # inputs in NCHW order
    return build.add("MatMul", [source, build.constant(f"{node.name}_weight", columns)], f"{node.name}_matmul")


def _stage(build: Builder, node: Node, source: str, rank: int) -> str:
    stage, name = node.requant, node.name
    values = {"offset": stage.offset, "mult": stage.mult, "shift": np.exp2(-stage.shift.astype(np.float64))}
    for step, value in values.items():
        constant = build.constant(f"{name}_{step}_value", _per_channel(value, rank))
        source = build.add("Add" if step == "offset" else "Mul", [source, constant], f"{name}_{step}")
    source = build.add("Floor", [source], f"{name}_floor")
    relu = stage.lo == 0 and node.op != "global_sum_pool"
    wide = relu and node.op != "linear"  # the pattern clips a convolution at -255 before its Relu
    source = _clip(build, f"{name}_clip", source, -stage.hi if wide else stage.lo, stage.hi)
    if not relu:
        return source
    source = build.add("Relu", [source], f"{name}_relu")
    return _clip(build, f"{name}_relu_clip", source, stage.lo, stage.hi)


def _per_channel(value: np.ndarray, rank: int) -> np.ndarray:
    single = value[:1] if (value == value[0]).all() and rank == 2 else value
    return single.astype(np.float32).reshape((1, -1) if rank == 2 else (1, -1, 1, 1))


def _clip(build: Builder, name: str, source: str, lo: int, hi: int) -> str:
    bounds = [build.constant(f"{name}_{end}", np.array(value, np.float32)) for end, value in (("lo", lo), ("hi", hi))]
    return build.add("Clip", [source, *bounds], name)
