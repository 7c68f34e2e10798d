"""TFLite for graphs that have TFLite's own numbers: zero points, fused activations, operators of several inputs.

Such graphs come from imported models, or are quantized by TFLite's rules. Every multiplier follows in TFLite from
float32 scales; a scale is written only where it gives the multiplier of the graph, so that LiteRT's reference kernels
compute the graph's integers. Where none does, the node is refused by name.

`native_ops` has the operator of each op. Values 0..255 are stored as int8
less 128.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekws.emit.tflite import steps
from edgekws.emit.tflite.flatbuffer import Model, Storage
from edgekws.errors import TargetError
from edgekws.graph.fixed_point import multiplier
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, accumulator_bounds

ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
_ULPS = 3
"""How many float32 numbers on either side of the real one are tried as a scale."""


def is_needed(graph: Graph) -> bool:
    """Whether a graph has anything beyond real zeros at integer 0 and the ops that quantization makes of plain nets."""
    return graph.input_zero != 0 or any(_is_native(node) for node in graph.nodes)


def _is_native(node: Node) -> bool:
    requant = node.requant
    moved = requant.zero or node.out_zero or node.pad_value or node.dilation != (1, 1)
    narrow = (requant.lo, requant.hi) not in (SIGNED, UNSIGNED)
    pooled = node.operation.is_window_pool and any(node.pad)
    other_rule = requant.rule == "fixed-point-once" or bool((requant.shift.astype(int) < 0).any())
    return bool(moved or narrow or pooled or other_rule or not node.operation.is_basic)


class Writer:
    """Writes one graph.

    tensors: the number of each node's tensor. storage: how it holds the node's integers. bounds: the lowest and highest
    integer of each node's inputs.
    """

    def __init__(self, graph: Graph, is_unrolled: bool = False) -> None:
        """is_unrolled: whether it has copies of nodes; then equal constants are stored once, and tables may be
        gathered: no importer reads such files back.
        """
        self.is_unrolled, self.model = is_unrolled, Model(shares=is_unrolled)
        first = Storage(np.float32(graph.input_scale), graph.input_zero, 0)
        self.storage = {INPUT: first}
        self.tensors = {INPUT: self.model.activation("features", graph.in_shape, first)}
        self.zero = {INPUT: graph.input_zero, **{node.name: node.out_zero for node in graph.nodes}}
        self.bounds = {node.name: (lo, hi) for node, lo, hi in graph.ranges()}
        self.lifted = {INPUT: False}
        """Whether a tensor holds 0..255 as int8 less 128."""
        for node in graph.nodes:
            self.lifted[node.name] = self._is_lifted(node)
            self.storage[node.name] = _storage(node, self.lifted[node.name])

    def operator(self, node: Node, name: str, version: int, inputs: list[int], options: object) -> int:
        """Append an operator whose output is that of `node`."""
        output = self.model.activation(node.name, node.out_shape, self.storage[node.name])
        self.tensors[node.name] = self.model.operator(name, version, inputs, output, options)
        return self.tensors[node.name]

    def scale(self, name: str) -> float:
        """Real value of one step of a tensor, as TFLite has it."""
        return float(self.storage[name].scale)

    def sources(self, node: Node) -> list[int]:
        return [self.tensors[name] for name in node.inputs]

    def activation(self, node: Node) -> int:
        """The fused activation that leaves the node's range. Raises TargetError where none does."""
        from ai_edge_litert import schema_py_generated as schema

        name = _activation(node, self.lifted[node.name])
        if name is None:
            got = f"{node.requant.lo}..{node.requant.hi} with zero point {node.out_zero}"
            raise refused(node, f"an output of {' or '.join(ACTIVATIONS)}", got)
        return int(getattr(schema.ActivationFunctionType, name))

    def _is_lifted(self, node: Node) -> bool:
        """What moves values stores them as its input does. Values that int8 holds as they are may be stored either way;
        then the way that a fused activation explains is taken.
        """
        moves = not node.operation.is_scaled and not node.operation.own_scale
        if moves and not (node.operation.sums and len(node.inputs) > 1):
            return self.lifted[node.inputs[0]]
        if node.requant.hi > SIGNED[1] or node.requant.lo < 0:
            return node.requant.hi > SIGNED[1]
        return _activation(node, False) is None and _activation(node, True) is not None

    def require_same(self, node: Node) -> None:
        """Raises TargetError unless inputs and output store their integers alike, as operators that move them do."""
        for name in node.inputs:
            if self.storage[name] != self.storage[node.name]:
                raise refused(node, "the scale and zero point of its inputs", f"another than that of {name}")


def _storage(node: Node, lifted: bool) -> Storage:
    return Storage(np.float32(node.out_scale), node.out_zero - (128 if lifted else 0), 0)


def _activation(node: Node, lifted: bool) -> str | None:
    """The fused activation that leaves the node's range when its output is stored so."""
    lift, storage = 128 if lifted else 0, _storage(node, lifted)
    wanted = (node.requant.lo - lift, node.requant.hi - lift)
    for name, bounds in ACTIVATIONS.items():
        low, high = (_quantized(bound, storage) for bound in bounds)
        if (max(-128, -128 if low is None else low), min(127, 127 if high is None else high)) == wanted:
            return name
    return None


def _quantized(value: float | None, storage: Storage) -> int | None:
    if value is None:
        return None
    ratio = float(np.float32(value) / storage.scale)
    return storage.zero_point + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))


def refused(node: Node, expected: str, got: str) -> TargetError:
    hint = "export onnx-integer or c, which compute every graph"
    return TargetError(f"{node.name}: TFLite's form of {node.op} should have {expected}", got=got, hint=hint)


def filter_scale(node: Node, bounds: tuple[int, int], s_in: float, s_out: float) -> np.ndarray:
    """float32 [c]: scales of the weights with which TFLite has the multipliers of the node, or others with its steps.

    bounds: lowest and highest integer of the inputs. Raises TargetError, with the channel, where no float32 number has.
    """
    real = node.requant.factor * s_out / s_in
    low, high = accumulator_bounds(node, *bounds)
    pairs = zip(node.requant.mult.tolist(), node.requant.shift.astype(int).tolist(), strict=True)
    wanted = [
        _Steps(mult, shift, *ends) for (mult, shift), *ends in zip(pairs, low.tolist(), high.tolist(), strict=True)
    ]
    return np.array(
        [_scale(node, *each, s_in, s_out) for each in enumerate(zip(wanted, real, strict=True))], np.float32
    )


@dataclass(frozen=True)
class _Steps:
    """The multiplier of one channel, and the lowest and highest sum that it gets."""

    mult: int
    shift: int
    low: int
    high: int

    def agree(self, node: Node, mult: int, shift: int) -> bool:
        """Whether another multiplier gives the same output for every sum."""
        if (mult, shift) == (self.mult, self.shift):
            return True
        requant = node.requant
        if requant.rule != "fixed-point" or min(shift, self.shift) < 0 or not mult:
            return False
        levels = np.arange(requant.lo - requant.zero + 1, requant.hi - requant.zero + 1)
        mine, theirs = (
            np.clip(steps.fixed_point(*each, levels), self.low, self.high + 1)
            for each in ((self.mult, self.shift), (mult, shift))
        )
        return bool((mine == theirs).all())


def _scale(node: Node, channel: int, wanted: tuple[_Steps, float], s_in: float, s_out: float) -> np.float32:
    (one, real) = wanted
    found = near_float32(real, lambda scale: one.agree(node, *multiplier(s_in * scale / s_out)))
    if found is None:
        got = f"{one.mult} / 2^31 / 2^{one.shift} in channel {channel}"
        raise refused(node, "a float32 scale for every multiplier", got)
    return found


def near_float32(real: float, fits: Callable[[float], bool]) -> np.float32 | None:
    """A float32 number near `real` that fits; None where there is none."""
    above = below = np.float32(real)
    for _ in range(_ULPS):
        for candidate in (below, above):
            if candidate > 0 and fits(float(candidate)):
                return candidate
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
    return None
