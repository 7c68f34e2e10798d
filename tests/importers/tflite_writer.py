"""Writes small TFLite models, operator by operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Quant = tuple[float, int]
"""Scale and zero point."""


@dataclass
class Writer:
    """A model under construction. Methods return numbers of tensors."""

    rng: np.random.Generator
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        kind: str = "INT8",
        data: np.ndarray | None = None,
        scale: Any = None,
        zero: Any = None,
        axis: int = 0,
        **more: Any,
    ) -> int:
        tensor = schema.TensorT(shape=list(shape), type=getattr(schema.TensorType, kind), **more)
        tensor.name = f"t{len(self.tensors)}"
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            zeros = np.atleast_1d(np.asarray(0 if zero is None else zero, np.int64))
            zeros = np.broadcast_to(zeros, scales.shape) if len(zeros) == 1 else zeros
            tensor.quantization = schema.QuantizationParametersT(scale=scales, zeroPoint=zeros, quantizedDimension=axis)
        if data is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(np.ascontiguousarray(data).tobytes())
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def activation(self, shape: Sequence[int], quant: Quant, kind: str = "INT8") -> int:
        return self.tensor(shape, kind, scale=quant[0], zero=quant[1])

    def integers(self, values: Any, kind: str = "INT32") -> int:
        data = np.asarray(values, np.int32)
        return self.tensor(data.shape, kind, data)

    def operator(
        self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: object = None, version: int = 0
    ) -> None:
        code = (getattr(schema.BuiltinOperator, name), version or _VERSIONS.get(name, 1))
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT(opcodeIndex=self.codes.index(code), inputs=list(inputs), outputs=list(outputs))
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
            operator.builtinOptions = options
        self.operators.append(operator)

    def quant(self, tensor: int) -> Quant:
        quantization = self.tensors[tensor].quantization
        return float(quantization.scale[0]), int(quantization.zeroPoint[0])

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.tensors[tensor].shape)

    def pack(self, inputs: Sequence[int], outputs: Sequence[int], **changes: Any) -> bytes:
        graph = schema.SubGraphT(
            tensors=self.tensors, inputs=list(inputs), outputs=list(outputs), operators=self.operators
        )
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)
            for code, version in self.codes
        ]
        buffers = [schema.BufferT(data=np.frombuffer(data, np.uint8) if data else None) for data in self.buffers]
        fields = {"version": 3, "operatorCodes": codes, "subgraphs": [graph], "buffers": buffers, "description": "test"}
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(schema.ModelT(**fields | changes).Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


_VERSIONS = {
    "CONV_2D": 8, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 10, "ADD": 2, "MUL": 2, "AVERAGE_POOL_2D": 2,
    "MAX_POOL_2D": 2, "MEAN": 2, "PAD": 2, "PADV2": 2, "SOFTMAX": 2, "LOGISTIC": 2, "TANH": 2, "RELU": 2, "RELU6": 2,
    "TRANSPOSE": 2, "SLICE": 2, "STRIDED_SLICE": 2, "SPLIT": 2, "SPLIT_V": 2, "CONCATENATION": 2, "QUANTIZE": 2,
    "DEQUANTIZE": 2, "LEAKY_RELU": 2,
}  # fmt: skip
