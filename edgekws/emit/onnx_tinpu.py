"""ONNX in the integer pattern that TI's NPU compiler takes (opset 17, NCHW, integers held in float32).

conv    Conv Add Mul Mul Floor Clip [Relu Clip]            offset, multiplier and 2^-shift stay apart
scale   Add Mul Mul Floor Clip                             TI's pattern of an input normalization
pool    ReduceSum Round Add Mul Mul Floor Clip             global_sum_pool
max     MaxPool [Clip]
add     Add [Relu] Clip                                    both inputs have one scale: nothing is rescaled
moved   Concat, Slice, Transpose or Reshape [Clip]         for the CPU
others  Cast, int64 arithmetic of `_integers`, Cast        for the CPU: tables, products, rescaled sums, averages
linear  [Flatten] MatMul Add Mul Mul Floor Clip [Relu Clip]

Weights of 8, 4 and 2 bits are all integers in float32; the widths of the narrow ones are in the metadata.
The input holds the int8 features: their normalization belongs to feature extraction (the compiler's
`skip_normalize=true`). Batch is 1, as that compiler wants it; our executors open it.

Why float32 computes all of it exactly, for z = acc + offset:

1. Every partial sum of products stays within 2^24, so acc is exact in every order of summation.
2. Rounding is monotone and keeps 2^24. So z is exact, or it stays at 2^24 or more, on its side of zero.
3. The same holds for z * mult: it is exact if it is within 2^24, and else at 2^24 or more. Such a product
   clips: scaled by 2^-shift, which is exact, it lies beyond the output range, because shift is small enough.
4. onnxruntime may fuse offset and multiplier into Conv or Gemm, which sums products of x, weight and
   multiplier from the offset on. Where every partial sum of these stays within 2^24 too, they are integers
   times 2^-shift in any order ("in any order" in the metadata); else our executors disable these fusions.
5. Sums of two outputs and maxima are integers below 2^10.

`emit` refuses a graph for which 1 to 3 cannot be shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgekws.emit import _onnx, _seal
from edgekws.emit._common import Executor, entry, narrow_weights
from edgekws.emit._int64 import Steps
from edgekws.emit._integers import ENTRIES, Tensors, write
from edgekws.emit._moves import moved
from edgekws.emit._onnx import Builder, dilations, padded
from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Graph, Node, accumulator_bounds
from edgekws.graph.ops import Op

FILE, KIND, VERSION = "model.tinpu.onnx", "onnx_tinpu", 1
NOTE = "floor((acc + offset) * mult / 2^shift) in float32 holding integers; equal to the graph in every output"
OPSET, IR_VERSION = 17, 8
EXACT = 1 << 24
"""float32 holds every integer up to here."""
_FUSIONS = ("ConvAddFusion", "ConvMulFusion", "MatMulAddFusion")
"""onnxruntime's optimizers that change the order of the sums."""


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.tinpu.onnx": bytes}, float32 [1, 1, frames, coefficients] -> float32 [1, labels(, 1, 1)].

    Raises TargetError for the fixed-point rule and where float32 cannot be shown to be exact.
    """
    from onnx import TensorProto, helper

    graph.check()
    in_any_order = [_is_for_cpu(node) or _check_exact(node, lo, hi) for node, lo, hi in graph.ranges()]
    height, width, channels = graph.in_shape
    build = Builder()
    tensor, rank = _layers(build, graph)
    out_shape = [1, len(graph.labels), 1, 1][:rank]
    ends = (
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, channels, height, width]),
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, out_shape),
    )
    about = _seal.describe(graph, KIND, VERSION, NOTE) | narrow_weights(graph, lambda _: "float32")
    about["exact_sums"] = "in any order" if all(in_any_order) else "in the order of the file"
    on_cpu = [node.name for node in graph.nodes if _is_for_cpu(node)]
    about |= {"int64_layers": json.dumps(on_cpu)} if on_cpu else {}
    return {FILE: build.model(graph.name, OPSET, IR_VERSION, ends, about)}


def about(files: Mapping[str, bytes]) -> dict[str, str]:
    """The metadata: labels, features, scales, graph. Raises ArtifactError for another file or version."""
    return _onnx.properties(_seal.verified(files, FILE, KIND, VERSION))


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """onnxruntime with and without graph optimization. Raises ArtifactError for another file or version.

    Fusing offset and multiplier into the convolution reorders its sums; where that is not shown to be
    exact, these fusions are disabled.
    """
    content = _seal.verified(files, FILE, KIND, VERSION)
    ordered = _onnx.properties(content)["exact_sums"] != "in any order"
    return {
        "onnxruntime": _onnx.executor(content, np.float32, optimized=True, without=_FUSIONS if ordered else ()),
        "onnxruntime-unoptimized": _onnx.executor(content, np.float32, optimized=False),
    }


def _is_for_cpu(node: Node) -> bool:
    """Whether the NPU has no such layer, and int64 arithmetic stands for it."""
    return node.op in ENTRIES and node.op not in _ENTRIES and node.operation.reach != "moved"


def _check_exact(node: Node, lo: int, hi: int) -> bool:
    """Whether the sums are exact in any order, the multiplier inside included. Raises TargetError if in none."""
    requant = node.requant
    if requant.rule != "offset-scale-shift":
        raise TargetError(
            f"{node.name}: TI's NPU requantizes by the rule offset-scale-shift",
            got=requant.rule,
            hint="quantize for the target tinpu, or export onnx-integer, which expresses every rule",
        )
    plain = replace(node, requant=replace(requant, offset=np.zeros_like(requant.offset)))
    sums = _magnitude(plain, lo, hi)
    products = _magnitude(node, lo, hi) * requant.mult.astype(np.int64)
    clips_beyond = (EXACT >> requant.shift.astype(np.int64)) >= max(requant.hi, -requant.lo)
    offset_held = requant.offset.astype(np.float32).astype(np.int64) == requant.offset
    _refuse(node, sums > EXACT, sums, "sums of products must stay within 2^24 to be exact in float32")
    _refuse(node, ~offset_held, requant.offset, "offsets must be integers that float32 holds")
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
            hint="use smaller weights, offsets or shifts in this layer, or export onnx-integer",
        )


def _layers(build: Builder, graph: Graph) -> tuple[str, int]:
    """Add all nodes; return the name and rank of the last tensor."""
    tensors = _Tensors(build, {node.name for node in graph.nodes if node.is_unsigned})
    readers: dict[str, list[bool]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node.operation.is_dense)
    for node, lo, hi in graph.ranges():
        if _is_for_cpu(node):
            tensors.compute(node, (lo, hi))
            continue
        rank = tensors.rank_of(node, only_linear_follows=all(readers.get(node.name, [False])))
        sources = [tensors.source(name, node) for name in node.inputs]
        layer = _Layer(node, tuple(sources), rank, (lo, hi))
        write = _moved if node.operation.reach == "moved" else entry(_ENTRIES, node, KIND)
        tensors.made[node.name] = write(build, layer), rank
    return tensors.made[graph.nodes[-1].name]


class _Tensors:
    """The tensor of each node and its rank: [n, c, h, w], or [n, c] from where the compiler expects rows."""

    def __init__(self, build: Builder, unsigned: set[str]) -> None:
        self.build = build
        self.made = {INPUT: ("features", 4)}
        self.flat: dict[str, str] = {}
        self.integers = Tensors(build, {}, unsigned=unsigned)

    def compute(self, node: Node, bounds: tuple[int, int]) -> None:
        """Append a layer for the CPU, in int64 between float32 tensors [n, c, h, w]."""
        for name in node.inputs:
            tensor, rank = self.made[name]
            if rank == 2:
                shape = self.build.shared_constant("row_as_image", np.array([0, -1, 1, 1]))
                self.made[name] = self.build.add("Reshape", [tensor, shape], self.build.free(f"{name}_image")), 4
            self.integers.made[name] = self.made[name][0], np.float32
        write(self.integers, node, bounds, np.float32)
        self.made[node.name] = self.integers.made[node.name][0], 4

    def rank_of(self, node: Node, only_linear_follows: bool) -> int:
        """The rank of what `node` makes. Raises TargetError for an image op after a linear layer."""
        ranks = [self.made[name][1] for name in node.inputs]
        if min(ranks) == 2 and not (node.operation.is_dense or node.operation.reach == "position"):
            raise TargetError(
                f"{node.name}: only linear layers, additions and scales may follow a linear layer", got=node.op
            )
        flattens = node.operation.is_dense or (node.operation.is_global_pool and only_linear_follows)
        return 2 if flattens else min(ranks)

    def source(self, name: str, reader: Node) -> str:
        """The tensor of `name` in the rank that `reader` takes, flattened once if necessary."""
        tensor, rank = self.made[name]
        expected = 2 if reader.operation.is_dense else min(self.made[each][1] for each in reader.inputs)
        if rank == expected:
            return tensor
        if name not in self.flat:
            label = "features" if name == INPUT else name
            self.flat[name] = self.build.add("Flatten", [tensor], f"{label}_flat", axis=1)
        return self.flat[name]


@dataclass(frozen=True)
class _Layer:
    """A node and the tensors it reads. bounds: the lowest and highest integer of the inputs."""

    node: Node
    sources: tuple[str, ...]
    rank: int
    bounds: tuple[int, int]


def _add(build: Builder, layer: _Layer) -> str:
    node, requant = layer.node, layer.node.requant
    total = build.add("Add", list(layer.sources), f"{node.name}_sum")
    if requant.lo == 0:
        total = build.add("Relu", [total], f"{node.name}_relu")
    return _clip(build, f"{node.name}_clip", total, requant.lo, requant.hi)


def _max_pool(build: Builder, layer: _Layer) -> str:
    """Padding is ignored, or written by Pad where it may be more than an input."""
    node, requant = layer.node, layer.node.requant
    window = {"kernel_shape": list(node.window), "strides": list(node.stride)}
    source, pads = padded(build, node, layer.sources[0], node.pad_value, node.pad_value <= layer.bounds[0])
    largest = build.add("MaxPool", [source], f"{node.name}_max", **window, **({"pads": pads} if any(pads) else {}))
    if requant.lo <= layer.bounds[0] and layer.bounds[1] <= requant.hi:
        return largest
    return _clip(build, f"{node.name}_clip", largest, requant.lo, requant.hi)


def _moved(build: Builder, layer: _Layer) -> str:
    node, requant = layer.node, layer.node.requant
    value = moved(Steps(build, node.name), node, layer.sources)
    if requant.lo <= layer.bounds[0] and layer.bounds[1] <= requant.hi:
        return value
    return _clip(build, f"{node.name}_clip", value, requant.lo, requant.hi)


def _scale(build: Builder, layer: _Layer) -> str:
    return _requantized(build, layer, layer.sources[0])


def _conv(build: Builder, layer: _Layer) -> str:
    node = layer.node
    weight = np.asarray(node.weight, np.float32)
    depthwise = node.operation.is_depthwise
    nchw = weight[:, None] if depthwise else weight.transpose(0, 3, 1, 2)
    source, pads = padded(build, node, layer.sources[0], node.pad_value, node.pad_value == 0)
    sums = build.add(
        "Conv",
        [source, build.constant(f"{node.name}_weight", nchw)],
        f"{node.name}_conv",
        kernel_shape=list(nchw.shape[2:]),
        strides=list(node.stride),
        pads=pads,
        group=len(nchw) if depthwise else 1,
        **dilations(node),
    )
    return _requantized(build, layer, sums)


def _global_sum_pool(build: Builder, layer: _Layer) -> str:
    name = layer.node.name
    axes = build.constant(f"{name}_axes", np.array([2, 3], np.int64))
    total = build.add("ReduceSum", [*layer.sources, axes], f"{name}_sum", keepdims=int(layer.rank == 4))
    return _requantized(build, layer, build.add("Round", [total], f"{name}_round"))


def _linear(build: Builder, layer: _Layer) -> str:
    node = layer.node
    height, width, channels = node.in_shape
    weight = np.asarray(node.weight, np.float32).reshape(-1, height, width, channels)
    columns = weight.transpose(3, 1, 2, 0).reshape(-1, len(weight))  # inputs in NCHW order
    constant = build.constant(f"{node.name}_weight", columns)
    return _requantized(build, layer, build.add("MatMul", [*layer.sources, constant], f"{node.name}_matmul"))


_ENTRIES: dict[Op, Callable[[Builder, _Layer], str]] = {
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "linear": _linear,
    "global_sum_pool": _global_sum_pool,
    "max_pool": _max_pool,
    "add": _add,
    "scale": _scale,
}
"""The layers of TI's compiler. Each adds the nodes of a layer and returns the name of its tensor."""


def _requantized(build: Builder, layer: _Layer, source: str) -> str:
    node, requant, name = layer.node, layer.node.requant, layer.node.name
    values = {"offset": requant.offset, "mult": requant.mult, "shift": np.exp2(-requant.shift.astype(np.float64))}
    for step, value in values.items():
        constant = build.constant(f"{name}_{step}_value", _per_channel(value, layer.rank))
        source = build.add("Add" if step == "offset" else "Mul", [source, constant], f"{name}_{step}")
    source = build.add("Floor", [source], f"{name}_floor")
    relu = requant.lo == 0 and node.operation.is_weighted
    wide = relu and not node.operation.is_dense  # the pattern clips a convolution at -255 before its Relu
    source = _clip(build, f"{name}_clip", source, -requant.hi if wide else requant.lo, requant.hi)
    if not relu:
        return source
    source = build.add("Relu", [source], f"{name}_relu")
    return _clip(build, f"{name}_relu_clip", source, requant.lo, requant.hi)


def _per_channel(value: np.ndarray, rank: int) -> np.ndarray:
    single = value[:1] if (value == value[0]).all() and rank == 2 else value
    return single.astype(np.float32).reshape((1, -1) if rank == 2 else (1, -1, 1, 1))


def _clip(build: Builder, name: str, source: str, lo: int, hi: int) -> str:
    bounds = [build.constant(f"{name}_{end}", np.array(value, np.float32)) for end, value in (("lo", lo), ("hi", hi))]
    return build.add("Clip", [source, *bounds], name)
