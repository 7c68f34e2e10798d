"""Builds a TFLite flatbuffer, operator by operator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from edgekws.emit._common import packed
from edgekws.emit.tflite.plan import Filter
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import Node

_SCHEMA_VERSION = 3
_METADATA = "edgekws"
_VERSION = 3
_INT4_VERSIONS = {"CONV_2D": 8, "DEPTHWISE_CONV_2D": 6}
"""Versions of operators that unpack INT4 filters; the highest that LiteRT's reference resolver has."""


@dataclass(frozen=True)
class Storage:
    """How a tensor stores the integers y of the graph: `int8 - zero_point = y + raised`."""

    scale: np.float32
    zero_point: int
    raised: int


@dataclass
class Model:
    """A flatbuffer model under construction. Methods that add an operator return the index of its output tensor.

    shares: whether equal constants are stored once.
    """

    shares: bool = False
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)
    _known: dict[bytes, int] = field(default_factory=dict)

    def tensor(self, name: str, shape: tuple[int, ...], kind: str, data: np.ndarray | None, scales: object) -> int:
        """scales: what `quantization` made, or None."""
        from ai_edge_litert import schema_py_generated as schema

        tensor = schema.TensorT(shape=list(shape), type=getattr(schema.TensorType, kind), name=name)
        tensor.quantization = scales
        if data is not None:
            tensor.buffer = self._buffer(np.ascontiguousarray(data).tobytes())
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _buffer(self, content: bytes) -> int:
        if self.shares and content in self._known:
            return self._known[content]
        self.buffers.append(content)
        self._known[content] = len(self.buffers) - 1
        return self._known[content]

    def activation(self, name: str, shape: Shape, storage: Storage) -> int:
        scale = np.array([storage.scale], np.float32)
        return self.tensor(name, (1, *shape), "INT8", None, quantization(scale, storage.zero_point))

    def operator(self, name: str, version: int, inputs: list[int], output: int, options: object) -> int:
        from ai_edge_litert import schema_py_generated as schema

        code = (getattr(schema.BuiltinOperator, name), version)
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT(opcodeIndex=self.codes.index(code), inputs=inputs, outputs=[output])
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
            operator.builtinOptions = options
        self.operators.append(operator)
        return output

    def constant(self, name: str, value: np.ndarray, storage: Storage) -> int:
        scale = np.array([storage.scale], np.float32)
        return self.tensor(name, value.shape, "INT8", value, quantization(scale, storage.zero_point))

    def convolution(self, node: Node, filters: Filter, source: int, before: Storage, after: Storage, same: bool) -> int:
        axis, weight = (0, filters.weight) if filters.weight.ndim == 4 else (3, filters.weight.transpose(1, 2, 0)[None])
        data = packed(weight, 4) if filters.stored == "INT4" else weight
        scales = quantization(filters.scale, 0, axis)
        kernel = self.tensor(f"{node.name}_weight", weight.shape, filters.stored, data, scales)
        bias_scale = quantization(filters.scale * before.scale, 0)
        bias = self.tensor(f"{node.name}_bias", filters.bias.shape, "INT32", filters.bias.astype(np.int32), bias_scale)
        output = self.activation(node.name, node.out_shape, after)
        options, name = _convolution_options(node, same, depthwise=axis == 3)
        version = _INT4_VERSIONS[name] if filters.stored == "INT4" else _VERSION
        return self.operator(name, version, [source, kernel, bias], output, options)

    def add(self, name: str, shape: Shape, sources: list[int], after: Storage) -> int:
        """Sources of one scale; the sum is clipped to what `after` holds."""
        from ai_edge_litert import schema_py_generated as schema

        return self.operator("ADD", 2, sources, self.activation(name, shape, after), schema.AddOptionsT())

    def pool(self, node: Node, operator: str, source: int, storage: Storage) -> int:
        """The output has the scale and zero point of the input."""
        from ai_edge_litert import schema_py_generated as schema

        options = schema.Pool2DOptionsT(
            padding=schema.Padding.VALID,
            strideH=node.stride[0],
            strideW=node.stride[1],
            filterHeight=node.window[0],
            filterWidth=node.window[1],
            fusedActivationFunction=_activation_of(node),
        )
        return self.operator(operator, 2, [source], self.activation(node.name, node.out_shape, storage), options)

    def pad(self, node: Node, source: int, storage: Storage, value: int | None = None) -> int:
        """value: the int8 of the padding; by default that of zero."""
        from ai_edge_litert import schema_py_generated as schema

        top, bottom, left, right = node.pad
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        sizes = self.tensor(f"{node.name}_padding", amounts.shape, "INT32", amounts, None)
        height, width, channels = node.in_shape
        output = self.activation(
            f"{node.name}_padded", (height + top + bottom, width + left + right, channels), storage
        )
        if value is None:
            return self.operator("PAD", 2, [source, sizes], output, schema.PadOptionsT())
        filling = self.constant(f"{node.name}_pad_value", np.array([value], np.int8), storage)
        return self.operator("PADV2", 2, [source, sizes, filling], output, schema.PadV2OptionsT())

    def reshape(self, source: int, labels: int, storage: Storage) -> int:
        return self.reshape_to("scores", source, (1, labels), storage)

    def reshape_to(self, name: str, source: int, shape: tuple[int, ...], storage: Storage) -> int:
        from ai_edge_litert import schema_py_generated as schema

        wanted = np.array(shape, np.int32)
        sizes = self.tensor(f"{name}_shape", wanted.shape, "INT32", wanted, None)
        output = self.flat_activation(name, shape, storage)
        return self.operator("RESHAPE", 1, [source, sizes], output, schema.ReshapeOptionsT(newShape=wanted))

    def flat_activation(self, name: str, shape: tuple[int, ...], storage: Storage) -> int:
        """An activation of any number of axes, the batch among them."""
        scale = np.array([storage.scale], np.float32)
        return self.tensor(name, shape, "INT8", None, quantization(scale, storage.zero_point))

    def integers(self, name: str, values: np.ndarray) -> int:
        """A constant of int32."""
        data = values.astype(np.int32)
        return self.tensor(name, data.shape, "INT32", data, None)

    def pack(self, output: int, about: dict[str, str]) -> bytes:
        """The bytes of the file, with `about` as JSON in its metadata."""
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema

        graph = schema.SubGraphT(
            tensors=self.tensors, inputs=[0], outputs=[output], operators=self.operators, name=about["graph_name"]
        )
        notes = schema.MetadataT(name=_METADATA, buffer=len(self.buffers))
        model = schema.ModelT(
            version=_SCHEMA_VERSION,
            operatorCodes=[_code(schema, code, version) for code, version in self.codes],
            subgraphs=[graph],
            description=f"edgekws {about['edgekws_version']}, graph {about['graph_sha256'][:16]}",
            buffers=[_buffer(schema, data) for data in (*self.buffers, json.dumps(about).encode())],
            metadata=[notes],
        )
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def metadata(content: bytes) -> dict[str, str]:
    """The metadata that was given to `Model.pack`."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    about = json.loads(model.Buffers(model.Metadata(0).Buffer()).DataAsNumpy().tobytes())
    return {str(key): str(value) for key, value in about.items()}


def quantization(scale: np.ndarray, zero_point: int, axis: int = 0) -> object:
    from ai_edge_litert import schema_py_generated as schema

    return schema.QuantizationParametersT(
        scale=scale.astype(np.float32), zeroPoint=np.full(len(scale), zero_point, np.int64), quantizedDimension=axis
    )


def _activation_of(node: Node) -> int:
    from ai_edge_litert import schema_py_generated as schema

    return int(getattr(schema.ActivationFunctionType, "RELU" if node.requant.lo == 0 else "NONE"))


def _convolution_options(node: Node, same: bool, depthwise: bool) -> tuple[object, str]:
    from ai_edge_litert import schema_py_generated as schema

    common = {
        "padding": schema.Padding.SAME if same else schema.Padding.VALID,
        "strideH": node.stride[0],
        "strideW": node.stride[1],
        "fusedActivationFunction": _activation_of(node),
    }
    if depthwise:
        return schema.DepthwiseConv2DOptionsT(**common, depthMultiplier=1), "DEPTHWISE_CONV_2D"
    return schema.Conv2DOptionsT(**common), "CONV_2D"


def _code(schema: ModuleType, code: int, version: int) -> object:
    return schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)


def _buffer(schema: ModuleType, data: bytes) -> object:
    return schema.BufferT(data=np.frombuffer(data, np.uint8) if data else None)
