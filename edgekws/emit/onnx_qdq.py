"""Standard QuantizeLinear / DequantizeLinear ONNX (opset 21): int8 activations, int8 / int4 / int2 weights, int32 bias.

Every layer is `DequantizeLinear -> Conv -> QuantizeLinear`: a linear layer is a Conv of its input's size, a
pool and a scale are Convs with constant weights. `add` and `max_pool` are Add and MaxPool between the same two.
Unsigned activations are stored as y - 128. Zero points are those of the graph: where that of a layer's input is not 0,
the offset becomes that of the differences, and other padding than the zero point is a Pad. Weights of 4 bits are INT4
tensors; those of 2 bits are INT2 (opset 25), or INT4 where the installed onnx knows no INT2. The metadata says which
form each layer has:

bias-inside    QuantizeLinear rounds halves to even, so no value may be a half. For the factor 2^-n the weights
               are doubled where that fits (`_rounding`: |w| <= 63), and the bias stays inside Conv:
               (2 acc + 2 offset - 2^n + 1) / 2^(n+1) has an odd numerator, is never a half and rounds to the floor.
bias-outside   The same for any factor m / 2^n and any weights: (2m acc + 2m offset - 2^n + 1) / 2^(n+1). The
               scale of the weights carries m; the bias, in half steps of the product, is added after Conv. Such
               a layer runs in float, because it is not the pattern that runtimes turn into an integer kernel.
floor          Where float32 holds acc but not 2m acc: Conv, Add, Mul, Floor as in `onnx_tinpu`, exact for the
               reasons given there, in the order of the file.
standard       The fixed-point rule: the textbook form, offset inside. Runtimes round once, and the rule rounds twice,
               which raises positive sums by half to one step of the accumulator: after a ReLU, the bias is one
               step larger. A value near a half may still differ by one step.

All scales are the powers of two nearest to those of the graph (equal to them for a target with
power-of-two scales): float32 then computes every sum exactly. The true ones are in the metadata.

A file with a layer that cannot be shown to be exact is written nevertheless. Its metadata says so, and its
executors have names of their own (`MAY_DIFFER`), so that their differences are counted separately.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

import numpy as np

from edgekws.emit import _onnx, _seal
from edgekws.emit._common import NEAR, Executor, entry, narrow_weights, positions_inside
from edgekws.emit._int64 import Steps
from edgekws.emit._moves import moved
from edgekws.emit._onnx import Builder, dilations, padded
from edgekws.emit._qdq import Form, Layer, form_of, require_form, stored_below, stored_type, stored_zero, zero_after
from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, SIGNED, Graph, Node
from edgekws.graph.ops import Op

FILE, KIND, VERSION = "model.qdq.onnx", "onnx_qdq", 1
NOTE = "QuantizeLinear's half to even on values that are never a half; equal to the graph in every output"
NEAR_NOTE = "QuantizeLinear's half to even; the layers without proof may differ from the graph by one step"
_WHY = "float32 or a single rounding cannot be shown to equal the requantization of this graph"
MAY_DIFFER = {f"onnxruntime{NEAR}": _WHY, f"onnxruntime-unoptimized{NEAR}": _WHY}
"""Runtimes that may differ from the graph, and why: those of files that hold a layer without proof."""
OPSET, IR_VERSION = 21, 10
INT2_OPSET, INT2_IR_VERSION = 25, 13
_REORDERING = ("ConvAddFusion", "ConvMulFusion")


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.qdq.onnx": bytes}, int8 [1, 1, frames, coefficients] -> int8 [1, labels].

    Raises TargetError for numbers that the format cannot hold.
    """
    from onnx import TensorProto, helper

    graph.check()
    height, width, channels = graph.in_shape
    builder, layers = _ModelBuilder(Builder(), graph), []
    for node, lo, hi in graph.ranges():
        layers.append(builder.layer(node, (lo, hi)))
    scores = builder.build.add("Flatten", [builder.tensors[graph.nodes[-1].name]], "scores", axis=1)
    ends = (
        helper.make_tensor_value_info("features", TensorProto.INT8, [1, channels, height, width]),
        helper.make_tensor_value_info(scores, TensorProto.INT8, [1, len(graph.labels)]),
    )
    two_bits = any(layer.stored == "INT2" for layer in layers)
    versions = (INT2_OPSET, INT2_IR_VERSION) if two_bits else (OPSET, IR_VERSION)
    return {FILE: builder.build.model(graph.name, *versions, ends, _about(graph, layers))}


def about(files: Mapping[str, bytes]) -> dict[str, str]:
    """The metadata: labels, features, scales, graph. Raises ArtifactError for another file or version."""
    return _onnx.properties(_seal.verified(files, FILE, KIND, VERSION))


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """onnxruntime with and without graph optimization. Raises ArtifactError for another file or version.

    Where layers without proof may differ, the names say so and are those of `MAY_DIFFER`.
    """
    content = _seal.verified(files, FILE, KIND, VERSION)
    about = _onnx.properties(content)
    suffix = NEAR if "layers_without_proof" in about else ""
    without = _REORDERING if Form.FLOOR.value in about.get("forms", "") else ()
    return {
        f"onnxruntime{suffix}": _onnx.executor(content, np.int8, optimized=True, without=without),
        f"onnxruntime-unoptimized{suffix}": _onnx.executor(content, np.int8, optimized=False),
    }


def _about(graph: Graph, layers: list[Layer]) -> dict[str, str]:
    """The metadata; a graph of 8-bit weights in the plain forms needs no more than the seal."""
    without_proof = [layer.node.name for layer in layers if not layer.exact]
    about = _seal.describe(graph, KIND, VERSION, NEAR_NOTE if without_proof else NOTE)
    about |= narrow_weights(graph, lambda node: stored_type(node).lower())
    plain = (Form.INSIDE, Form.OUTSIDE, Form.UNSCALED)
    if "narrow_weights" in about or any(layer.form not in plain for layer in layers):
        about["forms"] = json.dumps({layer.node.name: layer.form.value for layer in layers})
    once = [layer.node.name for layer in layers if layer.node.requant.rule == "fixed-point-once"]
    if once:
        about["rounded_once"] = json.dumps(once)
    return about | ({"layers_without_proof": json.dumps(without_proof)} if without_proof else {})


def _nearest_log2(scale: float) -> int:
    return round(float(np.log2(scale)))


class _ModelBuilder:
    """The int8 tensor of each node, its quantization, and its real tensor, dequantized once for all readers."""

    def __init__(self, build: Builder, graph: Graph) -> None:
        self.build = build
        self.tensors, self.real = {INPUT: "features"}, dict[str, str]()
        self.log2 = {INPUT: _nearest_log2(graph.input_scale)}
        self.zero = {INPUT: graph.input_zero}
        self.quantization = {INPUT: self._quantization("features", self.log2[INPUT], graph.input_zero)}

    def layer(self, node: Node, bounds: tuple[int, int]) -> Layer:
        """Append one layer. Raises TargetError for an op without a form and for inputs of different scales."""
        require_form(node, KIND)
        in_log2, zeros = {self.log2[name] for name in node.inputs}, [self.zero[name] for name in node.inputs]
        if len(in_log2) > 1:
            raise TargetError(f"{node.name}: both inputs should have one scale", got=f"2^{sorted(in_log2)}")
        (step,) = in_log2
        layer = form_of(node, bounds, zeros[0])
        sources = [self._dequantized(name) for name in node.inputs]
        self.log2[node.name] = _nearest_log2(node.out_scale) if node.operation.is_scaled else step
        value = _value(self.build, layer, sources, step, self.log2[node.name])
        self.zero[node.name] = zero_after(node, zeros)
        self.quantization[node.name] = self._quantization(
            node.name, self.log2[node.name], stored_zero(node, self.zero[node.name])
        )
        inputs = [value, *self.quantization[node.name]]
        self.tensors[node.name] = self._clipped(node, inputs)
        return layer

    def _clipped(self, node: Node, inputs: list[str]) -> str:
        """The quantized tensor; QuantizeLinear clips to the whole range of int8.

        A narrower Clip stands after it: onnxruntime 1.31 cannot load some files where it stands before, between
        QuantizeLinear and a Reshape.
        """
        lo, hi = (end - stored_below(node) for end in (node.requant.lo, node.requant.hi))
        if (lo, hi) == SIGNED:
            return self.build.add("QuantizeLinear", inputs, node.name)
        whole = self.build.add("QuantizeLinear", inputs, f"{node.name}_whole")
        ends = [
            self.build.constant(f"{node.name}_{end}", np.array(value, np.int8))
            for end, value in (("lo", lo), ("hi", hi))
        ]
        return self.build.add("Clip", [whole, *ends], node.name)

    def _dequantized(self, name: str) -> str:
        if name not in self.real:
            tensor = self.tensors[name]
            inputs = [tensor, *self.quantization[name]]
            self.real[name] = self.build.add("DequantizeLinear", inputs, f"{tensor}_real")
        return self.real[name]

    def _quantization(self, name: str, scale_log2: int, zero_point: int) -> list[str]:
        """The scale and zero point of one activation, shared by its QuantizeLinear and DequantizeLinear."""
        scale = self.build.constant(f"{name}_scale", _scaled(np.int64(1), scale_log2))
        return [scale, self.build.constant(f"{name}_zero_point", np.array(zero_point, np.int8))]


def _value(build: Builder, layer: Layer, sources: list[str], in_log2: int, out_log2: int) -> str:
    """The float value of the layer before QuantizeLinear; one step of it is 2^out_log2."""
    node = layer.node
    if node.operation.reach == "moved":
        return moved(Steps(build, node.name), node, sources)
    if not node.operation.is_scaled:
        return entry(_UNSCALED, node, KIND)(build, layer, sources, in_log2)
    if layer.form is Form.FLOOR:
        weights = _weights(build, layer, -in_log2)
        return _floored(build, layer, _conv(build, layer, [*sources, weights], in_log2), out_log2)
    weights = _weights(build, layer, out_log2 - in_log2)
    biases = _bias(build, layer, out_log2)
    if layer.form is Form.OUTSIDE:
        value = _conv(build, layer, [*sources, weights], in_log2)
        return build.add("Add", [value, biases], f"{node.name}_sum")
    return _conv(build, layer, [*sources, weights, biases], in_log2)


def _add(build: Builder, layer: Layer, sources: list[str], _: int) -> str:
    return build.add("Add", sources, f"{layer.node.name}_sum")


def _max_pool(build: Builder, layer: Layer, sources: list[str], step_log2: int) -> str:
    node = layer.node
    window = {"kernel_shape": list(node.window), "strides": list(node.stride)}
    source, pads = padded(build, node, sources[0], _pad_value(node, step_log2), node.pad_value <= layer.lowest)
    return build.add("MaxPool", [source], f"{node.name}_max", **window, **({"pads": pads} if any(pads) else {}))


def _pad_value(node: Node, step_log2: int) -> float:
    return math.ldexp(node.pad_value, step_log2)


def _average_pool(build: Builder, layer: Layer, sources: list[str], step_log2: int) -> str:
    """floor((2 |d| + n) / 2n) with the sign of d, the sum of x - zero of the stored int8: integers below 2^24."""
    node, name, count = layer.node, layer.node.name, positions_inside(layer.node)
    zero = (128 if node.is_unsigned else 0) - layer.in_zero
    ones = np.full((node.in_shape[2], 1, *node.kernel), 2.0**-step_log2, np.float32)
    weight = build.constant(f"{name}_weight", ones)
    window = {"kernel_shape": list(node.kernel), "strides": list(node.stride), "group": node.in_shape[2]}
    top, bottom, left, right = node.pad
    pads = {"pads": [top, left, bottom, right]} if any(node.pad) else {}
    value = build.add("Conv", [*sources, weight], f"{name}_conv", **window, **pads)
    value = _with_constant(build, "Sub", value, f"{name}_from_zero", zero * count)
    sign = build.add("Sign", [value], f"{name}_sign")
    value = build.add("Abs", [value], f"{name}_abs")
    for op, part, number in (("Mul", "twice", 2), ("Add", "half", count), ("Div", "mean", 2 * count)):
        value = _with_constant(build, op, value, f"{name}_{part}", number)
    value = build.add("Mul", [build.add("Floor", [value], f"{name}_floor"), sign], f"{name}_signed")
    value = _with_constant(build, "Add", value, f"{name}_to_zero", zero)
    return _with_constant(build, "Mul", value, f"{name}_steps", 2.0**step_log2)


def _with_constant(build: Builder, op: str, value: str, name: str, number: np.ndarray | float) -> str:
    return build.add(op, [value, build.constant(f"{name}_value", np.array(number, np.float32))], name)


_UNSCALED: dict[Op, Callable[[Builder, Layer, list[str], int], str]] = {
    "add": _add,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
}
"""Ops that only clip. Those that only move values are in `_moves`; all others are convolutions."""


def _weights(build: Builder, layer: Layer, step_log2: int) -> str:
    weight, name = layer.weight, f"{layer.node.name}_weight"
    nchw = weight[:, None] if weight.ndim == 3 else weight.transpose(0, 3, 1, 2)
    quantized = build.constant(name, nchw.astype(np.int8), layer.stored)
    scale = build.constant(f"{name}_scale", _scaled(layer.weight_scale, step_log2))
    zero_point = build.constant(f"{name}_zero_point", np.zeros(len(nchw), np.int8), layer.stored)
    return build.add("DequantizeLinear", [quantized, scale, zero_point], f"{name}_real", axis=0)


def _bias(build: Builder, layer: Layer, out_log2: int) -> str:
    shape, axis = ((1, -1, 1, 1), 1) if layer.form is Form.OUTSIDE else ((-1,), 0)
    name = f"{layer.node.name}_bias"
    quantized = build.constant(name, layer.bias.astype(np.int32).reshape(shape))
    scale = build.constant(f"{name}_scale", _scaled(layer.bias_scale, out_log2))
    return build.add("DequantizeLinear", [quantized, scale], f"{name}_real", axis=axis)


def _floored(build: Builder, layer: Layer, value: str, out_log2: int) -> str:
    """floor((acc + offset) * mult / 2^shift), for acc in steps of one, as steps of the output."""
    requant, name = layer.node.requant, layer.node.name
    scale = np.ldexp(1.0, -requant.shift.astype(int))
    for op, step, constant in (
        ("Add", "offset", requant.offset),
        ("Mul", "mult", requant.mult),
        ("Mul", "shift", scale),
    ):
        shaped = np.asarray(constant, np.float32).reshape(1, -1, 1, 1)
        value = build.add(op, [value, build.constant(f"{name}_{step}_value", shaped)], f"{name}_{step}")
    value = build.add("Floor", [value], f"{name}_floor")
    step = build.constant(f"{name}_step", _scaled(np.int64(1), out_log2))
    return build.add("Mul", [value, step], f"{name}_steps")


def _conv(build: Builder, layer: Layer, inputs: list[str], in_log2: int) -> str:
    node, weight = layer.node, layer.weight
    source, pads = padded(build, node, inputs[0], _pad_value(node, in_log2), node.pad_value == 0)
    return build.add(
        "Conv",
        [source, *inputs[1:]],
        f"{node.name}_conv",
        kernel_shape=list(weight.shape[1:3]),
        strides=list(node.stride),
        pads=pads,
        group=len(weight) if weight.ndim == 3 else 1,
        **dilations(node),
    )


def _scaled(value: np.ndarray | np.int64, log2: int) -> np.ndarray:
    return np.asarray(np.ldexp(np.asarray(value, np.float64), log2), np.float32)
