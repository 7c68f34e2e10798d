"""QDQ files by hand: what onnxruntime's own quantizer does not write, such as quantized weights that are transposed."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from tests.importers.float_onnx import Net


class QdqNet(Net):
    """Every layer between DequantizeLinear and QuantizeLinear. kind: of the activations."""

    def __init__(self, seed: int, shape: tuple[int, ...] = (1, 49, 10), kind: type = np.int8) -> None:
        super().__init__(seed, shape)
        self.kind = kind

    def quantized(self, x: str, scale: float, zero: int) -> str:
        """QuantizeLinear and DequantizeLinear; returns the real tensor."""
        ends = self.constant(np.float32(scale)), self.constant(np.array(zero, self.kind))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *ends), *ends)

    def weight(self, *shape: int, axis: int = 0, limit: int = 127, scale: float = 0.01) -> str:
        """int8 constants with a scale for each channel of `axis`."""
        integers = self.constant(self.rng.integers(-limit, limit + 1, shape).astype(np.int8))
        scales = self.constant((scale * self.rng.uniform(0.3, 1, shape[axis])).astype(np.float32))
        zeros = self.constant(np.zeros(shape[axis], np.int8))
        return self.add("DequantizeLinear", integers, scales, zeros, axis=axis)

    def float_weight(self, *shape: int) -> str:
        """As PyTorch writes fake quantization: floats, QuantizeLinear, DequantizeLinear."""
        ends = self.constant(np.float32(0.02)), self.constant(np.array(0, np.int8))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", self.weights(*shape), *ends), *ends)

    def integer_model(self, output: str, labels: int, opset: int = 17) -> bytes:
        """With integers at both ends: the input is int8 or uint8."""
        kind = TensorProto.INT8 if self.kind is np.int8 else TensorProto.UINT8
        ends = [
            helper.make_tensor_value_info(name, kind, list(shape))
            for name, shape in (("x", (1, *self.shape)), (output, (1, labels)))
        ]
        graph = helper.make_graph(self.nodes, "net", [ends[0]], [ends[1]], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        return bytes(model.SerializeToString())


def fake_quantized(seed: int) -> bytes:
    """As PyTorch exports it: float weights, real biases, transposed matrices, flattening by Reshape."""
    net = QdqNet(seed)
    x = net.quantized("x", 0.05, 3)
    bias = net.constant(net.rng.normal(0, 0.2, 6).astype(np.float32))
    x = net.add("Conv", x, net.float_weight(6, 1, 5, 3), bias, strides=[3, 2], pads=[1, 0, 2, 1])
    x = net.quantized(net.add("Relu", x), 0.02, -128)
    x = net.quantized(net.add("MaxPool", x, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), 0.02, -128)
    x = net.add("Reshape", x, net.constant(np.array([-1, 6 * 8 * 3], np.int64)))
    matrix = net.add("Transpose", net.weight(5, 144, scale=0.004), perm=[1, 0])
    x = net.add("Add", net.add("MatMul", x, matrix), net.constant(net.rng.normal(0, 1, 5).astype(np.float32)))
    return net.model(net.quantized(x, 0.11, 7), 5)


def channels_last(seed: int) -> bytes:
    """As tf2onnx writes it: [n, height, width, channels], transposed at both ends of the convolutions."""
    net = QdqNet(seed, shape=(49, 10, 1))
    x = net.add("Transpose", net.quantized("x", 0.05, 3), perm=[0, 3, 1, 2])
    x = net.quantized(net.add("Conv", x, net.weight(6, 1, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"), 0.06, -128)
    x = net.quantized(net.add("Conv", x, net.weight(6, 1, 3, 3), group=6, auto_pad="SAME_LOWER"), 0.05, 11)
    x = net.add("Transpose", x, perm=[0, 2, 3, 1])
    x = net.add("Reshape", x, net.constant(np.array([0, -1], np.int64)))
    return net.model(net.quantized(net.add("Gemm", x, net.weight(4, 750, scale=0.001), transB=1), 0.1, -9), 4)


def moved(seed: int) -> bytes:
    """Coefficients as channels, one-dimensional convolutions, parts, joined parts, padding, products, a table."""
    net = QdqNet(seed, shape=(49, 10), kind=np.uint8)
    x = net.add("Transpose", net.quantized("x", 0.05, 120), perm=[0, 2, 1])
    x = net.quantized(net.add("Conv", x, net.weight(8, 10, 3), pads=[1, 1], strides=[2]), 0.05, 128)
    halves = net.add("Split", x, outputs=2, axis=1)
    first, second = halves, f"{halves[:-1]}1"
    first = net.quantized(net.add("Tanh", first), 1 / 128, 128)
    second = net.quantized(net.add("LeakyRelu", second, alpha=0.1), 0.05, 40)
    x = net.quantized(net.add("Concat", first, second, axis=1), 0.05, 60)
    x = net.add("Pad", x, net.constant(np.array([0, 0, 2, 0, 0, 1], np.int64)), net.constant(np.float32(0)))
    slope = net.constant(net.rng.uniform(0, 1, (8, 1)).astype(np.float32))
    x = net.quantized(net.add("PRelu", net.quantized(x, 0.05, 60), slope), 0.05, 30)
    x = net.quantized(net.add("Mul", x, net.constant(net.rng.uniform(0.5, 1, (8, 1)).astype(np.float32))), 0.05, 20)
    gate = net.quantized(net.add("ReduceMean", x, axes=[2], keepdims=1), 0.02, 50)
    gate = net.quantized(net.add("HardSigmoid", gate), 1 / 255, 0)
    x = net.quantized(net.add("Mul", gate, x), 0.04, 25)
    part = [net.constant(np.array(each, np.int64)) for each in ([3], [27], [2])]
    x = net.quantized(net.add("AveragePool", net.add("Slice", x, *part), kernel_shape=[4], strides=[4]), 0.03, 20)
    x = net.add("Flatten", x)
    return net.model(net.quantized(net.add("MatMul", x, net.weight(48, 5, axis=1)), 0.04, 100), 5)


def one_layer(seed: int, op: str, **attributes: Any) -> bytes:
    """One pool or reduction of [n, 3, 12, 10], and a matrix."""
    net = QdqNet(seed, shape=(3, 12, 10))
    x = net.quantized("x", 0.05, 3)
    same = op == "MaxPool" or any(attributes.get("pads", ()))
    x = net.quantized(net.add(op, x, **attributes), 0.05 if same else 0.0317, 3 if same else -7)
    if op.endswith("Pool"):
        x = net.quantized(net.add("GlobalAveragePool", x), 0.047 if op == "MaxPool" else 0.0087, 5)
    count = 3 if op.endswith("Pool") else 30
    return net.model(
        net.quantized(net.add("MatMul", net.add("Flatten", x), net.weight(count, 4, axis=1, scale=0.05)), 0.1, 0), 4
    )
