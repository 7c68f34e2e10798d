"""TFLite int8 with our own flatbuffer writer: the floor of the graph, expressed by TFLite's rounding.

conv2d, linear       CONV_2D, per-channel filter [c_out, k_h, k_w, c_in]; a linear layer has its input's size
depthwise, pool      DEPTHWISE_CONV_2D, filter [1, k_h, k_w, c]; the pool has constant weights
padding              SAME where it means the same, else a PAD before a VALID convolution
end                  RESHAPE to [1, labels]

Unsigned activations are stored as y - 128 with zero point -128. `_rounding` gives the integers. The real
scales are chosen so that the multiplier s_in * s_w / s_out is 2^-n less a hair of 2^-31 to 2^-26:

- TFLite's kernels take it in double precision as a 31-bit multiplier. An exact 2^-n would become 2^30,
  whose first rounding step drops the lowest bit; a hair less becomes 2^31 - k, and the first step keeps
  every accumulator below 2^23 whole.
- XNNPACK takes it in float32, where the hair vanishes: exactly 2^-n.

To make room for the hair, scales differ from those of the graph by less than one part in 1,000.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from edgekws.emit import _seal
from edgekws.emit._common import Executor, check_graph, checked_features
from edgekws.emit._rounding import DOUBLED_LIMIT, RoundForm, check_bounds, round_form
from edgekws.errors import TargetError
from edgekws.graph.ir import Graph, Node, Shape

FILE, KIND, VERSION = "model.tflite", "tflite", 1
NOTE = (
    "TFLite int8 rounding to nearest of a rewritten accumulator that equals the floor of the graph; "
    f"where weights exceed +-{DOUBLED_LIMIT}, XNNPACK rounds exact halves to even and may be one lower"
)
MAY_DIFFER = {
    "litert-xnnpack": f"rounds halves to even, and halves occur in channels with weights beyond +-{DOUBLED_LIMIT}"
}
"""Runtimes that may differ from the graph, and why; all others must not."""
EXACT_LOG2 = 23
_HAIR_LOW, _HAIR_HIGH = 2.0**-31, 2.0**-26
_STEPS = range(1024, 8192)
"""How many float32 steps a scale may be moved."""
_SCHEMA_VERSION = 3
_METADATA = "edgekws"


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.tflite": bytes}. Raises TargetError where the rounding cannot be made equal."""
    check_graph(graph)
    model = _Model()
    scales = scale_chain([graph.input_scale, *(node.out_scale for node in graph.nodes)])
    edge = Edge(scales[0][0], 0, 0)
    tensor = model.activation("features", graph.in_shape, edge)
    tie_free: list[bool] = []
    for (node, lo, hi), scale in zip(graph.ranges(), scales[1:], strict=True):
        form = round_form(node, edge.raised)
        tie_free += form.tie_free.tolist()
        check_bounds(node, form, lo + edge.raised, hi + edge.raised, EXACT_LOG2)
        tensor, edge = _layer(model, node, form, tensor, edge, scale)
    last = model.reshape(tensor, len(graph.labels), edge)
    about = _seal.describe(graph, KIND, VERSION, NOTE)
    about["tie_free_channels"] = f"{sum(tie_free)} of {len(tie_free)}"
    return {FILE: _seal.close(model.pack(last, about))}


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """LiteRT's reference, built-in and XNNPACK kernels. Raises ArtifactError for another file or version."""
    from ai_edge_litert.interpreter import OpResolverType

    content = _seal.opened(files, FILE, KIND, VERSION)
    resolvers = {
        "litert-reference": OpResolverType.BUILTIN_REF,
        "litert-builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "litert-xnnpack": OpResolverType.BUILTIN,
    }
    return {name: _executor(content, resolver) for name, resolver in resolvers.items()}


def _executor(content: bytes, resolver: object) -> Executor:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    width = int(source["shape"][2] * source["shape"][3])

    def run(features: np.ndarray) -> np.ndarray:
        x = checked_features(features, (int(source["shape"][1]), width)).reshape(-1, *source["shape"])
        scores = np.zeros((len(x), sink["shape"][1]), np.int8)
        for index, clip in enumerate(x):
            interpreter.set_tensor(source["index"], clip)
            interpreter.invoke()
            scores[index] = interpreter.get_tensor(sink["index"])[0]
        return scores

    return run


@dataclass(frozen=True)
class Edge:
    """How a tensor holds the integers y of the graph: `int8 - zero_point = y + raised`."""

    scale: np.float32
    zero_point: int
    raised: int


def _edge_after(node: Node, form: RoundForm, scale: np.float32) -> Edge:
    counted_from_zero = node.requant.lo == 0 or form.raised > 0
    return Edge(scale, -128 if counted_from_zero else 0, form.raised)


def scale_chain(wanted: Sequence[float]) -> list[tuple[np.float32, np.float32]]:
    """(scale, unit) of a chain of tensors whose scales should be near `wanted`.

    s_in * unit / scale is 1 less a hair for every tensor but the first (whose unit is 1), so filter scales
    of unit * 2^-n are exact in float32. Where a scale leaves no room for the hair of the next (a power of
    two never does), the one before is moved on. Raises TargetError if there is no such chain.
    """
    for start in _near(wanted[0]):
        rest = _rest_of_chain(start, wanted[1:])
        if rest is not None:
            return [(start, np.float32(1)), *rest]
    raise TargetError("scales near those of the graph should allow exact multipliers", got=str(list(wanted)))


def _rest_of_chain(s_in: np.float32, wanted: Sequence[float]) -> list[tuple[np.float32, np.float32]] | None:
    if not wanted:
        return []
    for s_out in _near(wanted[0]):
        unit = _unit(s_in, s_out)
        rest = None if unit is None else _rest_of_chain(s_out, wanted[1:])
        if unit is not None and rest is not None:
            return [(s_out, unit), *rest]
    return None


def _near(wanted: float) -> Iterator[np.float32]:
    """float32 values around `wanted`, nearest first, but none that is likely to have a short mantissa."""
    ulp = float(np.spacing(np.float32(wanted)))
    for step in _STEPS:
        yield from (np.float32(wanted - step * ulp), np.float32(wanted + step * ulp))


def _unit(s_in: np.float32, s_out: np.float32) -> np.float32 | None:
    nearest = np.float32(float(s_out) / float(s_in))
    for unit in (nearest, np.nextafter(nearest, np.float32(0))):
        if _HAIR_LOW <= 1 - float(s_in) * float(unit) / float(s_out) <= _HAIR_HIGH:
            return unit
    return None


def _layer(
    model: _Model, node: Node, form: RoundForm, source: int, edge: Edge, scales: tuple[np.float32, np.float32]
) -> tuple[int, Edge]:
    """scales: of the output, and the unit of the filter."""
    s_out, unit = scales
    after = _edge_after(node, form, s_out)
    same = _is_same_padding(node)
    if not same and any(node.pad):
        source = model.pad(node, source, edge)
    filter_scale = np.ldexp(unit, -form.shift.astype(int)).astype(np.float32)
    return model.convolution(node, form, source, filter_scale, edge, after, same), after


def _is_same_padding(node: Node) -> bool:
    """Whether TFLite's SAME gives exactly the padding of this node."""
    kernel_shape = (1, 1) if node.weight is None or node.op == "linear" else node.weight.shape[1:3]
    wanted: list[int] = []
    for size, out, k, stride in zip(node.in_shape, node.out_shape, kernel_shape, node.stride, strict=False):
        if out != -(-size // stride):
            return False
        total = max((out - 1) * stride + k - size, 0)
        wanted += [total // 2, total - total // 2]
    return tuple(wanted) == node.pad and any(node.pad)


@dataclass
class _Model:
    """A flatbuffer model that grows. Methods that add an operator give the index of its output tensor."""

    buffers: list[bytes] = field(default_factory=lambda: [b""])
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)

    def _tensor(
        self, name: str, shape: tuple[int, ...], kind: str, data: np.ndarray | None, quantization: object
    ) -> int:
        from ai_edge_litert import schema_py_generated as schema

        tensor = schema.TensorT(shape=list(shape), type=getattr(schema.TensorType, kind), name=name)
        tensor.quantization = quantization
        if data is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(np.ascontiguousarray(data).tobytes())
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def activation(self, name: str, shape: Shape, edge: Edge) -> int:
        scale = np.array([edge.scale], np.float32)
        return self._tensor(name, (1, *shape), "INT8", None, _quantization(scale, edge.zero_point))

    def _operator(self, name: str, version: int, inputs: list[int], output: int, options: object) -> int:
        from ai_edge_litert import schema_py_generated as schema

        code = (getattr(schema.BuiltinOperator, name), version)
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT(opcodeIndex=self.codes.index(code), inputs=inputs, outputs=[output])
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        operator.builtinOptions = options
        self.operators.append(operator)
        return output

    def convolution(
        self, node: Node, form: RoundForm, source: int, scale: np.ndarray, before: Edge, after: Edge, same: bool
    ) -> int:
        """scale: float32 [c_out] of the filter."""
        weight = form.weight if form.weight.ndim == 4 else form.weight.transpose(1, 2, 0)[None]
        axis = 0 if form.weight.ndim == 4 else 3
        kernel = self._tensor(f"{node.name}_weight", weight.shape, "INT8", weight, _quantization(scale, 0, axis))
        bias_scale = _quantization(scale * before.scale, 0)
        bias = self._tensor(f"{node.name}_bias", form.bias.shape, "INT32", form.bias.astype(np.int32), bias_scale)
        output = self.activation(node.name, node.out_shape, after)
        options, name = _convolution_options(node, same, depthwise=form.weight.ndim == 3)
        return self._operator(name, 3, [source, kernel, bias], output, options)

    def pad(self, node: Node, source: int, edge: Edge) -> int:
        from ai_edge_litert import schema_py_generated as schema

        top, bottom, left, right = node.pad
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        sizes = self._tensor(f"{node.name}_padding", amounts.shape, "INT32", amounts, None)
        height, width, channels = node.in_shape
        output = self.activation(f"{node.name}_padded", (height + top + bottom, width + left + right, channels), edge)
        return self._operator("PAD", 2, [source, sizes], output, schema.PadOptionsT())

    def reshape(self, source: int, labels: int, edge: Edge) -> int:
        from ai_edge_litert import schema_py_generated as schema

        shape = np.array([1, labels], np.int32)
        sizes = self._tensor("scores_shape", shape.shape, "INT32", shape, None)
        scale = np.array([edge.scale], np.float32)
        output = self._tensor("scores", (1, labels), "INT8", None, _quantization(scale, edge.zero_point))
        return self._operator("RESHAPE", 1, [source, sizes], output, schema.ReshapeOptionsT(newShape=shape))

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


def _quantization(scale: np.ndarray, zero_point: int, axis: int = 0) -> object:
    from ai_edge_litert import schema_py_generated as schema

    return schema.QuantizationParametersT(
        scale=scale.astype(np.float32), zeroPoint=np.full(len(scale), zero_point, np.int64), quantizedDimension=axis
    )


def _convolution_options(node: Node, same: bool, depthwise: bool) -> tuple[object, str]:
    from ai_edge_litert import schema_py_generated as schema

    common = {
        "padding": schema.Padding.SAME if same else schema.Padding.VALID,
        "strideH": node.stride[0],
        "strideW": node.stride[1],
        "fusedActivationFunction": getattr(schema.ActivationFunctionType, "RELU" if node.requant.lo == 0 else "NONE"),
    }
    if depthwise:
        return schema.DepthwiseConv2DOptionsT(**common, depthMultiplier=1), "DEPTHWISE_CONV_2D"
    return schema.Conv2DOptionsT(**common), "CONV_2D"


def _code(schema: ModuleType, code: int, version: int) -> object:
    return schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)


def _buffer(schema: ModuleType, data: bytes) -> object:
    return schema.BufferT(data=np.frombuffer(data, np.uint8) if data else None)
