"""Small float ONNX networks, and onnxruntime's quantizer over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Nodes in order; every method returns the name of its output."""

    def __init__(self, seed: int, shape: tuple[int, ...] = (1, 49, 10)) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"/{name}", **attributes))
        return names[0]

    def weights(self, *shape: int) -> str:
        return self.constant(self.rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32))

    def conv(
        self, x: str, c_in: int, c_out: int, kernel: tuple[int, int] = (3, 3), relu: bool = True, **more: Any
    ) -> str:
        weight = self.weights(c_out, c_in // more.get("group", 1), *kernel)
        bias = self.constant(self.rng.normal(0, 0.1, c_out).astype(np.float32))
        made = self.add("Conv", x, weight, bias, kernel_shape=list(kernel), **more)
        return self.add("Relu", made) if relu else made

    def gemm(self, x: str, c_in: int, c_out: int) -> str:
        bias = self.constant(self.rng.normal(0, 0.1, c_out).astype(np.float32))
        return self.add("Gemm", x, self.weights(c_out, c_in), bias, transB=1)

    def model(self, output: str, labels: int, opset: int = 17) -> bytes:
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in (("x", ("batch", *self.shape)), (output, ("batch", labels)))
        ]
        graph = helper.make_graph(self.nodes, "net", [ends[0]], [ends[1]], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        return bytes(model.SerializeToString())


def ds_cnn(seed: int = 0) -> bytes:
    """Convolutions of both kinds, a residual, a mean, a linear layer."""
    net = Net(seed)
    x = net.conv("x", 1, 8, (10, 4), strides=[2, 2], pads=[4, 1, 5, 1])
    y = net.conv(x, 8, 8, group=8, pads=[1, 1, 1, 1])
    y = net.conv(y, 8, 8, (1, 1), relu=False)
    x = net.add("Relu", net.add("Add", x, y))
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("Flatten", net.add("GlobalAveragePool", x))
    return net.model(net.gemm(x, 8, 5), 5)


def gates(seed: int = 0) -> bytes:
    """Sigmoid, a gate for each channel, hard swish, concatenation, a mean of windows, softmax."""
    net = Net(seed)
    x = net.conv("x", 1, 6, (3, 3), strides=[2, 2])
    gate = net.conv(net.add("GlobalAveragePool", x), 6, 6, (1, 1), relu=False)
    x = net.add("Mul", x, net.add("Sigmoid", gate))
    y = net.conv(x, 6, 4, (3, 1), relu=False, dilations=[2, 1], pads=[2, 0, 2, 0])
    y = net.add("HardSwish", y)
    x = net.add("AveragePool", net.add("Concat", x, y, axis=1), kernel_shape=[2, 2], strides=[2, 2])
    x = net.conv(x, 10, 4, (2, 2), relu=False, group=2)
    x = net.add("Clip", x, net.constant(np.float32(0)), net.constant(np.float32(0.6)))
    x = net.add("ReduceMean", x, axes=[2, 3], keepdims=0)
    return net.model(net.add("Softmax", net.gemm(x, 4, 5), axis=1), 5)


def quantized(content: bytes, folder: Any, seed: int = 1, **options: Any) -> bytes:
    """onnxruntime's static quantization over random inputs."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Inputs(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rng = np.random.default_rng(seed)
            self.rest = [{"x": rng.normal(0.3, 1, (4, 1, 49, 10)).astype(np.float32)} for _ in range(4)]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self.rest.pop() if self.rest else None

    source, target = folder / "float.onnx", folder / "quantized.onnx"
    source.write_bytes(content)
    quantize_static(str(source), str(target), Inputs(), **options)
    return bytes(target.read_bytes())
