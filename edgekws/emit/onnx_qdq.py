"""Standard QuantizeLinear / DequantizeLinear ONNX (opset 21): int8 activations and weights, int32 bias.

Every layer is `DequantizeLinear -> Conv -> QuantizeLinear` (a pool is a Conv with constant weights, a
linear layer one of its input's size), and unsigned activations are stored as y - 128.

QuantizeLinear rounds halves to even, so no value may be a half. Where the weights allow it
(`_rounding`: |w| <= 63), they are doubled and the bias stays inside of Conv. Otherwise a bias in half
steps of the accumulator is added between Conv and QuantizeLinear; such a layer is exact too, but runs in
float, because it is not the pattern that runtimes turn into an integer kernel.

All scales are the powers of two nearest to those of the graph (equal to them for a target with
power-of-two scales): float32 then computes every sum exactly. The true ones are in the metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgekws.emit import _onnx, _seal
from edgekws.emit._common import Executor, check_graph
from edgekws.emit._onnx import Builder
from edgekws.emit._rounding import can_double, half_unit_bias, kernel
from edgekws.errors import TargetError
from edgekws.graph.ir import Graph, Node, accumulator_bounds

FILE, KIND, VERSION = "model.qdq.onnx", "onnx_qdq", 1
NOTE = "QuantizeLinear's half to even on values that are never a half; equal to the graph in every output"
OPSET, IR_VERSION = 21, 10
EXACT = 1 << 24
"""float32 holds every integer up to here."""


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.qdq.onnx": bytes}, int8 [1, 1, frames, coefficients] -> int8 [1, labels].

    Raises TargetError where float32 or the rounding cannot be exact.
    """
    from onnx import TensorProto, helper

    check_graph(graph)
    height, width, channels = graph.in_shape
    build, tensor = Builder(), "features"
    in_log2 = _nearest_log2(graph.input_scale)
    quantization = _quantization(build, tensor, in_log2, 0)
    for node, lo, hi in graph.ranges():
        real = build.add("DequantizeLinear", [tensor, *quantization], f"{tensor}_real")
        value = _layer(build, node, real, in_log2, (lo, hi))
        in_log2 = _nearest_log2(node.out_scale)
        quantization = _quantization(build, node.name, in_log2, -128 if node.requant.lo == 0 else 0)
        tensor = build.add("QuantizeLinear", [value, *quantization], node.name)
    scores = build.add("Flatten", [tensor], "scores", axis=1)
    ends = (
        helper.make_tensor_value_info("features", TensorProto.INT8, [1, channels, height, width]),
        helper.make_tensor_value_info(scores, TensorProto.INT8, [1, len(graph.labels)]),
    )
    return {FILE: build.model(graph.name, OPSET, IR_VERSION, ends, _seal.describe(graph, KIND, VERSION, NOTE))}


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """onnxruntime with and without graph optimization. Raises ArtifactError for another file or version."""
    content = _seal.opened(files, FILE, KIND, VERSION)
    return {
        "onnxruntime": _onnx.executor(content, np.int8, optimized=True),
        "onnxruntime-unoptimized": _onnx.executor(content, np.int8, optimized=False),
    }


def _nearest_log2(scale: float) -> int:
    return round(float(np.log2(scale)))


def _layer(build: Builder, node: Node, source: str, in_log2: int, bounds: tuple[int, int]) -> str:
    """The float value of the layer before QuantizeLinear; one output step is 2^out_log2."""
    weight, (bias, shift) = kernel(node), half_unit_bias(node)
    _check_exact(node, weight, bias, bounds)
    out_log2 = _nearest_log2(node.out_scale)
    bias_inside = bool(can_double(weight).all())
    doubled = int(bias_inside)
    weights = _weights(build, node, weight << doubled, out_log2 - in_log2 - shift - doubled)
    biases = _bias(build, node, bias, out_log2 - shift - 1, bias_inside)
    inputs = [source, weights, biases] if bias_inside else [source, weights]
    value = _conv(build, node, weight, inputs)
    return value if bias_inside else build.add("Add", [value, biases], f"{node.name}_sum")


def _check_exact(node: Node, weight: np.ndarray, bias: np.ndarray, bounds: tuple[int, int]) -> None:
    """Raise TargetError unless all sums, in half steps of the accumulator, are exact in float32 in any order."""
    halves = replace(node, weight=2 * weight, requant=replace(node.requant, offset=bias))
    low, high = accumulator_bounds(halves, *bounds)
    worst = np.maximum(np.abs(low), np.abs(high))
    if worst.max() > EXACT:
        channel = int(worst.argmax())
        raise TargetError(
            f"{node.name}: sums must stay within 2^24 half steps to be exact in float32",
            got=f"{int(worst[channel])} in channel {channel}",
            hint="use smaller weights or offsets in this layer, or export c",
        )


def _weights(build: Builder, node: Node, weight: np.ndarray, scale_log2: np.ndarray) -> str:
    nchw = weight[:, None] if weight.ndim == 3 else weight.transpose(0, 3, 1, 2)
    name = f"{node.name}_weight"
    quantized = build.constant(name, nchw.astype(np.int8))
    scale = build.constant(f"{name}_scale", _power_of_two(scale_log2))
    zero_point = build.constant(f"{name}_zero_point", np.zeros(len(nchw), np.int8))
    return build.add("DequantizeLinear", [quantized, scale, zero_point], f"{name}_real", axis=0)


def _bias(build: Builder, node: Node, bias: np.ndarray, scale_log2: np.ndarray, inside: bool) -> str:
    shape, axis = ((-1,), 0) if inside else ((1, -1, 1, 1), 1)
    name = f"{node.name}_bias"
    quantized = build.constant(name, bias.astype(np.int32).reshape(shape))
    scale = build.constant(f"{name}_scale", _power_of_two(scale_log2))
    return build.add("DequantizeLinear", [quantized, scale], f"{name}_real", axis=axis)


def _conv(build: Builder, node: Node, weight: np.ndarray, inputs: list[str]) -> str:
    top, bottom, left, right = node.pad
    return build.add(
        "Conv",
        inputs,
        f"{node.name}_conv",
        kernel_shape=list(weight.shape[1:3]),
        strides=list(node.stride),
        pads=[top, left, bottom, right],
        group=len(weight) if weight.ndim == 3 else 1,
    )


def _quantization(build: Builder, name: str, scale_log2: int, zero_point: int) -> list[str]:
    """The scale and zero point of one activation, shared by its QuantizeLinear and DequantizeLinear."""
    scale = build.constant(f"{name}_scale", _power_of_two(np.int64(scale_log2)))
    return [scale, build.constant(f"{name}_zero_point", np.array(zero_point, np.int8))]


def _power_of_two(log2: np.ndarray | np.int64) -> np.ndarray:
    return np.asarray(np.exp2(np.asarray(log2, np.float64)), np.float32)
