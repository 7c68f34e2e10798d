"""TFLite int8 with our own flatbuffer writer.

conv2d, linear       CONV_2D, per-channel filter [c_out, k_h, k_w, c_in]; a linear layer has its input's size
depthwise, pool      DEPTHWISE_CONV_2D, filter [1, k_h, k_w, c]; the pool has constant weights
scale                DEPTHWISE_CONV_2D of size 1, constant weights
add                  ADD; all three tensors have one scale, so the sum is not rescaled
max_pool             MAX_POOL_2D
average_pool         AVERAGE_POOL_2D, which rounds as the graph does
padding              SAME where it gives the same padding, else a PAD before a VALID convolution
end                  RESHAPE to [1, labels]

Unsigned activations are stored as y - 128 with zero point -128. How each requantization becomes TFLite's:

2^-n                 `_rounding` has the integers and `scales` the real scales: the floor of the graph, exact in
                     every runtime but for halves in XNNPACK
fixed-point          TFLite's own rule, written as it is. A float32 scale has 24 bits and a multiplier 31: files
                     are exact where `steps` shows that the chosen scale has the same steps, and always when the
                     graph's multipliers come from float32 scales
m / 2^n              `steps` searches multiples of the weights, a bias and a scale that have the same steps

Layers of 4-bit weights of a fixed-point graph are INT4 tensors. Other layers of 4 and 2 bits are carried in
int8, multiplied by the factor that `steps` chose (LiteRT has no 2-bit convolution); the metadata names both.

Graphs with zero points, fused activations or operators of several inputs, as imported models have them, are written by
`native`, without any search.

A signed output that had to be raised by 128 is lowered again, by adding a constant, where its reader pads, adds
or takes a maximum. Where not all steps could be met, the metadata says so and the executors have names of their own
(`MAY_DIFFER`), so that their differences are counted separately.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np

from edgekws.emit import _seal
from edgekws.emit._common import NEAR, Executor, checked_features, entry, narrow_weights
from edgekws.emit._rounding import DOUBLED_LIMIT
from edgekws.emit.tflite import flatbuffer, native, native_ops, quiet
from edgekws.emit.tflite.flatbuffer import Model, Storage
from edgekws.emit.tflite.plan import Filter, Plan, filter_of, plans_of, reads_raised
from edgekws.emit.tflite.scales import scales_of, unit_of
from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.ops import Op
from edgekws.graph.unroll import unrolled

FILE, KIND, VERSION = "model.tflite", "tflite", 1
NOTE = (
    "TFLite int8 rounding to nearest of a rewritten accumulator that equals the floor of the graph; "
    f"where weights exceed +-{DOUBLED_LIMIT}, XNNPACK rounds exact halves to even and may be one lower"
)
SEARCHED_NOTE = (
    "TFLite int8 rounding of accumulators whose steps are those of the graph, but for the accumulators counted in "
    "searched_channels; narrow_weights names the type that carries weights of 4 and 2 bits"
)
NATIVE_NOTE = (
    "TFLite's own numbers: LiteRT's reference kernels compute the integers of the graph; other kernels may not"
)
MAY_DIFFER = {
    f"litert-reference{NEAR}": "no float32 scale gives all steps of some channels",
    f"litert-builtin{NEAR}": "rounds once in some operators, and some channels have their steps when rounded twice",
    f"litert-xnnpack{NEAR}": (
        f"rounds once, halves to even, and halves occur in channels with weights beyond +-{DOUBLED_LIMIT}"
    ),
}
"""Runtimes that may differ from the graph, and why; all others must not."""


def emit(graph: Graph) -> dict[str, bytes]:
    """{"model.tflite": bytes}, int8 [1, frames, coefficients, 1] -> int8 [1, labels].

    Raises TargetError where numbers do not fit, or where a scale cannot be near that of the graph.
    """
    graph.check()
    if native.is_needed(graph):
        return _native(graph)
    plans = plans_of(graph)
    scales = scales_of(graph, plans)
    builder, filters = _ModelBuilder(graph, scales[INPUT]), dict[str, Filter]()
    for plan in plans:
        node = plan.node
        if not node.operation.is_scaled:
            entry(_UNSCALED, node, KIND)(builder, node, scales[node.name])
        else:
            s_in, s_out = scales[node.inputs[0]], scales[node.name]
            filters[node.name] = filter_of(plan, s_in, s_out, unit_of(s_in, s_out))
            builder.convolution(plan, filters[node.name], s_out)
    tensor, storage = builder.tensors[graph.nodes[-1].name]
    last = builder.model.reshape(tensor, len(graph.labels), storage)
    return {FILE: _seal.with_hash(builder.model.pack(last, _about(graph, filters)))}


def _native(graph: Graph) -> dict[str, bytes]:
    """A graph with TFLite's own numbers, each written as it is; scans are unrolled and their weights stored once."""
    flat = unrolled(graph)
    writer = native.Writer(flat, is_unrolled=flat is not graph)
    for node in flat.nodes:
        native_ops.write(writer, node)
    last = graph.nodes[-1].name
    output = writer.model.reshape(writer.tensors[last], len(graph.labels), writer.storage[last])
    about = _seal.describe(graph, KIND, VERSION, NATIVE_NOTE)
    about |= narrow_weights(flat, lambda node: "int4" if node.weight_bits < 8 else "int8")
    return {FILE: _seal.with_hash(writer.model.pack(output, about))}


def _about(graph: Graph, filters: Mapping[str, Filter]) -> dict[str, str]:
    """The metadata; channels with searched steps are counted apart from those that are proven for every runtime."""
    proven = [each for each in filters.values() if not each.searched]
    searched = {name: each for name, each in filters.items() if each.searched}
    about = _seal.describe(graph, KIND, VERSION, SEARCHED_NOTE if searched else NOTE)
    free = sum(int(each.tie_free.sum()) for each in proven)
    about["tie_free_channels"] = f"{free} of {sum(len(each.bias) for each in proven)}"
    about |= narrow_weights(graph, lambda node: filters[node.name].stored.lower())
    return about | ({"searched_channels": json.dumps(_channel_counts(searched))} if searched else {})


def _channel_counts(searched: Mapping[str, Filter]) -> dict[str, object]:
    """How many channels have all steps of the graph, and how many accumulators of the others are a step apart."""
    filters = searched.values()
    return {
        "all": sum(len(each.bias) for each in filters),
        "exact_rounding_twice": sum(int((each.wrong == 0).sum()) for each in filters),
        "exact_rounding_once": sum(int((each.tie_free & (each.wrong == 0)).sum()) for each in filters),
        "wrong_accumulators": {name: int(each.wrong.sum()) for name, each in searched.items() if each.wrong.any()},
    }


def about(files: Mapping[str, bytes]) -> dict[str, str]:
    """The metadata: labels, features, scales, graph. Raises ArtifactError for another file or version."""
    return flatbuffer.metadata(_seal.verified(files, FILE, KIND, VERSION))


def executors(files: Mapping[str, bytes]) -> dict[str, Executor]:
    """LiteRT's reference, built-in and XNNPACK kernels. Raises ArtifactError for another file or version.

    A runtime for which the file is not shown to be exact has a name of `MAY_DIFFER`.
    """
    from ai_edge_litert.interpreter import OpResolverType

    content = _seal.verified(files, FILE, KIND, VERSION)
    resolvers = {
        "litert-reference": OpResolverType.BUILTIN_REF,
        "litert-builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "litert-xnnpack": OpResolverType.BUILTIN,
    }
    near = _near_runtimes(flatbuffer.metadata(content))
    return {name + NEAR * (name in near): _executor(content, resolver) for name, resolver in resolvers.items()}


def _near_runtimes(about: Mapping[str, str]) -> set[str]:
    if "tie_free_channels" not in about:  # a graph with TFLite's own numbers
        return {"litert-builtin", "litert-xnnpack"}
    searched = json.loads(about.get("searched_channels", "{}"))
    free, proven = about["tie_free_channels"].split(" of ")
    twice = searched.get("exact_rounding_twice") == searched.get("all")
    once = searched.get("exact_rounding_once") == searched.get("all")
    exact = {"litert-reference": twice, "litert-builtin": once, "litert-xnnpack": once and free == proven}
    return {name for name, shown in exact.items() if not shown}


def _executor(content: bytes, resolver: object) -> Executor:
    from ai_edge_litert.interpreter import Interpreter

    with quiet.without_notes():
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


class _ModelBuilder:
    """Builds the model; keeps the tensor of each node and how it stores its integers."""

    def __init__(self, graph: Graph, scale: np.float32) -> None:
        self.model = Model()
        storage = Storage(scale, 0, 0)
        self.tensors = {INPUT: (self.model.activation("features", graph.in_shape, storage), storage)}
        self.lowered: dict[str, tuple[int, Storage]] = {}

    def convolution(self, plan: Plan, filters: Filter, scale: np.float32) -> None:
        """scale: of the output."""
        node = plan.node
        source, before = self.tensors[node.inputs[0]] if reads_raised(node) else self._unraised(node.inputs[0], node)
        counted_from_zero = node.requant.lo == 0 or plan.raised > 0
        after = Storage(scale, -128 if counted_from_zero else 0, plan.raised)
        same = _is_same_padding(node)
        if not same and any(node.pad):
            source = self.model.pad(node, source, before)
        self.tensors[node.name] = self.model.convolution(node, filters, source, before, after, same), after

    def add(self, node: Node, scale: np.float32) -> None:
        sources = [self._unraised(name, node)[0] for name in node.inputs]
        after = Storage(scale, -128 if node.requant.lo == 0 else 0, 0)
        self.tensors[node.name] = self.model.add(node.name, node.out_shape, sources, after), after

    def pool(self, node: Node, operator: str) -> None:
        """Raises TargetError where the output would have to be clipped at 127."""
        source, storage = self._unraised(node.inputs[0], node)
        if storage.zero_point == -128 and node.requant.lo < 0:
            raise TargetError(
                f"{node.name}: TFLite's {operator} keeps the range of its input",
                got=f"0..255 to {node.requant.lo}..{node.requant.hi}",
                hint=f"give the {node.op} the range of its input",
            )
        self.tensors[node.name] = self.model.pool(node, operator, source, storage), storage

    def _unraised(self, name: str, reader: Node) -> tuple[int, Storage]:
        """The tensor of `name` with its raise subtracted, once for all readers."""
        tensor, storage = self.tensors[name]
        if not storage.raised:
            return tensor, storage
        if name not in self.lowered:
            plain = Storage(storage.scale, 0, 0)
            constant = self.model.constant(f"{name}_raise", np.full((1, 1, 1, 1), -storage.raised, np.int8), plain)
            self.lowered[name] = self.model.add(f"{name}_lowered", reader.in_shape, [tensor, constant], plain), plain
        return self.lowered[name]


def _max_pool(builder: _ModelBuilder, node: Node, _: np.float32) -> None:
    builder.pool(node, "MAX_POOL_2D")


def _average_pool(builder: _ModelBuilder, node: Node, _: np.float32) -> None:
    """Raises TargetError where signed inputs would become unsigned: their halves round relative to another zero."""
    storage = builder.tensors[node.inputs[0]][1]
    if node.requant.lo == 0 and storage.zero_point != -128:
        raise TargetError(
            f"{node.name}: TFLite's AVERAGE_POOL_2D keeps the range of its input",
            got="-128..127 to 0..255",
            hint="give the average_pool the range of its input",
        )
    builder.pool(node, "AVERAGE_POOL_2D")


_UNSCALED: dict[Op, Callable[[_ModelBuilder, Node, np.float32], None]] = {
    "add": _ModelBuilder.add,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
}
"""Ops that only clip; the scale is that of the output. All others are convolutions."""


def _is_same_padding(node: Node) -> bool:
    """Whether TFLite's SAME gives exactly the padding of this node."""
    kernel_shape = node.kernel if node.operation.is_convolution else (1, 1)
    expected: list[int] = []
    for size, out, k, stride in zip(node.in_shape, node.out_shape, kernel_shape, node.stride, strict=False):
        if out != -(-size // stride):
            return False
        total = max((out - 1) * stride + k - size, 0)
        expected += [total // 2, total - total // 2]
    return tuple(expected) == node.pad and any(node.pad)
