"""Builds the graph of a TFLite model: which value each tensor is, and how the graph stores its integers.

Tensors of zero point -128 are stored raised by 128, as 0..255 with zero 0. Those that must stay int8 as they are, are
not: the model's input, its scores, the result of SOFTMAX, and what only moves or chooses their values.

Operators that only change a tensor's shape make no node: an activation is a node and a shape, and `source` gives it the
shape that its reader needs, by a reshape where the order of values alone is the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Node, Requant
from edgekws.graph.ops import OPS
from edgekws.importers.tflite import ends, scales
from edgekws.importers.tflite.schema import ELEMENTS_MAX, Model, Operator, Tensor

_KEEPS_STORAGE = {
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "CONCATENATION",
    "PACK", "UNPACK", "MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "PADV2",
}  # fmt: skip
"""Operators that move or choose values, or average them in steps of their input."""
MAXIMUM = next(row.name for row in OPS.values() if row.is_window_pool and not row.sums)
"""The op that chooses the largest of a window."""
ACROSS, DEPTHWISE = (
    next(row.name for row in OPS.values() if row.is_convolution and row.is_depthwise == one) for one in (False, True)
)
"""Convolutions over all channels, and of each channel."""
_TOTAL_MAX, _CHANNELS_MAX = 1 << 26, 1 << 20
"""Values, and channels, of all activations together."""


@dataclass(frozen=True)
class Value:
    """An activation: the node that gives it, that node's shape, and the integers that it may have."""

    name: str
    shape: Shape
    lo: int
    hi: int


@dataclass(frozen=True)
class Padding:
    """A PAD that is not a node yet. shape: of its input. sides: before and behind height, width and channels.

    value: as it is stored.
    """

    operator: Operator
    source: int
    shape: Shape
    sides: tuple[tuple[int, int], ...]
    value: int


@dataclass
class Builder:
    """values: of tensors that were computed. shapes: of tensors, as TFLite sees them. constants: known values."""

    model: Model
    raised: frozenset[int]
    nodes: list[Node] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    padded: dict[int, Padding] = field(default_factory=dict)
    _reshaped: dict[tuple[str, Shape], Value] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _elements: int = 0
    _channels: int = 0

    def tensor(self, number: int) -> Tensor:
        return self.model.tensors[number]

    def zero(self, number: int) -> int:
        """The stored integer that is real zero."""
        return 0 if number in self.raised else self.zero_point(number)

    def zero_point(self, number: int) -> int:
        """The int8 of the file that is real zero."""
        zero = self.tensor(number).zero
        return int(zero[0]) if len(zero) else 0

    def lift(self, number: int) -> int:
        """What is added to an int8 of the file to store it."""
        return 128 if number in self.raised else 0

    def scale(self, number: int) -> np.float32:
        return np.float32(self.tensor(number).scale[0])

    def constant(self, number: int) -> np.ndarray | None:
        """The values of a tensor that does not depend on the input."""
        if number in self.constants:
            return self.constants[number]
        return self.tensor(number).data if number >= 0 else None

    def shape(self, operator: Operator, number: int) -> tuple[int, ...]:
        """The shape of an input. Raises ArtifactError for one that is not computed yet."""
        if number in self.shapes:
            return self.shapes[number]
        if self.constant(number) is not None:
            return self.tensor(number).shape
        raise ArtifactError(
            f"{operator.place}: inputs should come from earlier operators", got=self.tensor(number).name
        )

    def activation(self, operator: Operator, number: int) -> Value:
        """The value of an input that depends on the model's input. Raises TargetError for any other."""
        self.shape(operator, number)
        if number in self.padded and number not in self.values:
            self.values[number] = self._pad(self.padded[number], number)
        if number in self.values:
            return self.values[number]
        got = f"{self.tensor(number).name}, a constant"
        raise TargetError(f"{operator.place}: this input should be an activation", got=got)

    def source(self, operator: Operator, number: int, shape: Shape | None = None) -> Value:
        """As `activation`, with this shape of its node; the order of its values is the same."""
        value = self.activation(operator, number)
        return value if shape is None else self.reshaped(operator, value, number, shape)

    def reshaped(self, operator: Operator, value: Value, number: int, shape: Shape) -> Value:
        """A value in another shape of a node, once for all readers. number: of a tensor that is stored like it."""
        if value.shape == shape:
            return value
        key = value.name, shape
        if key not in self._reshaped:
            self._reshaped[key] = self._reshape(operator, number, value, shape)
        return self._reshaped[key]

    def _pad(self, padding: Padding, number: int) -> Value:
        """A convolution of 1 x 1 with weights 1: each channel by itself, or a matrix where channels are added."""
        source = self.source(padding.operator, padding.source, padding.shape)
        if padding.value < 0 <= source.lo:  # outputs from 0 on count as unsigned
            source = self.clipped(padding.operator, source, number, -128, 127)
        rows, columns, (before, behind) = padding.sides
        height, width, inner = padding.shape
        channels = before + inner + behind
        out = (height + sum(rows), width + sum(columns), channels)
        real = slice(before, before + inner)
        offset = np.full(channels, padding.value, np.int32)
        offset[real] = 0
        self.count(padding.operator, (channels, inner))
        weight: np.ndarray = np.ones((inner, 1, 1), np.int8)
        if before or behind:
            weight = np.zeros((channels, 1, 1, inner), np.int8)
            weight[real, 0, 0] = np.eye(inner, dtype=np.int8)
        lo, hi = min(source.lo, padding.value), max(source.hi, padding.value)
        half, left = np.full(channels, 1 << 30, np.int32), np.full(channels, -1, np.int8)
        op = ACROSS if before or behind else DEPTHWISE
        requant = Requant(offset, half, left, lo, hi, "fixed-point")
        pad = (*rows, *columns)
        fields = {"weight": weight, "pad": pad, "pad_value": padding.value if any(pad) else 0}
        return self.node(padding.operator, op, [source], number, out, requant, prefix="pad", **fields)

    def clipped(self, operator: Operator, value: Value, number: int, lo: int, hi: int) -> Value:
        """A node that only clips: the maximum of one value. number: of a tensor that is stored like it."""
        requant = Requant.identity(value.shape[2], lo, hi)
        return self.node(operator, MAXIMUM, [value], number, value.shape, requant, prefix="clip", window=(1, 1))

    def _reshape(self, operator: Operator, number: int, value: Value, shape: Shape) -> Value:
        if math.prod(value.shape) != math.prod(shape):
            raise ArtifactError(f"{operator.place}: a reshape should keep the count", got=f"{value.shape} to {shape}")
        return self.node(operator, "reshape", [value], number, shape, self.clip(value), prefix="reshape")

    def clip(self, value: Value, channels: int | None = None) -> Requant:
        """The requantization of what moves or chooses the values of `value`."""
        return Requant.identity(channels or 1, value.lo, value.hi)

    def node(
        self,
        operator: Operator,
        op: str,
        sources: Sequence[Value],
        number: int,
        shape: Shape,
        requant: Requant,
        *,
        prefix: str,
        **fields: Any,  # noqa: ANN401 (those of Node)
    ) -> Value:
        """Add a node that gives integers as tensor `number` stores them. Returns its value; gives the tensor none."""
        self.count(operator, shape)
        if requant.is_identity and len(requant.offset) != shape[2]:
            requant = Requant.identity(shape[2], requant.lo, requant.hi)
        first = sources[0].shape
        others = tuple(each.shape for each in sources[1:])
        self._counts[prefix] += 1
        node = Node(
            name=f"{prefix}{self._counts[prefix]}",
            op=op,
            inputs=tuple(each.name for each in sources),
            requant=requant,
            in_shape=first,
            out_shape=shape,
            out_scale=float(self.scale(number)),
            out_zero=self.zero(number),
            other_shapes=others if any(each != first for each in others) else (),
            **fields,
        )
        self.nodes.append(node)
        return Value(node.name, shape, requant.lo, requant.hi)

    def count(self, operator: Operator, shape: tuple[int, ...]) -> None:
        """Raises ArtifactError for activations that no computer should hold, before anything of that size is made."""
        size = math.prod(shape) if min(shape, default=1) > 0 else 0
        self._elements += size
        self._channels += shape[-1] if shape else 1
        if not 0 < size <= ELEMENTS_MAX or self._elements > _TOTAL_MAX or self._channels > _CHANNELS_MAX:
            raise ArtifactError(
                f"{operator.place}: activations of 1 to {ELEMENTS_MAX} values, and {_CHANNELS_MAX} channels of all "
                "operators, were expected",
                got=f"{list(shape)}, {self._channels} channels so far",
            )

    def give(self, operator: Operator, number: int, value: Value, shape: tuple[int, ...]) -> None:
        """Tensor `number` is `value`, of TFLite's `shape`. Raises ArtifactError where the file says otherwise."""
        self.fix(operator, number, shape)
        self.values[number] = value

    def fix(self, operator: Operator, number: int, shape: tuple[int, ...]) -> None:
        """An output's shape, which the file should have too where it is fixed there."""
        tensor = self.tensor(number)
        if number in self.shapes or tensor.data is not None:
            raise ArtifactError(f"{operator.place}: outputs should be written once", got=tensor.name)
        if not tensor.dynamic and tensor.shape != shape:
            got = f"{list(tensor.shape)} in the file"
            raise ArtifactError(f"{operator.place}: the output should have shape {list(shape)}", got=got)
        self.shapes[number] = shape

    def output(self, operator: Operator) -> int:
        """The only output. Raises ArtifactError for another number of them."""
        (number,) = self.outputs(operator, 1)
        return number

    def outputs(self, operator: Operator, count: int) -> tuple[int, ...]:
        if len(operator.outputs) != count or min(operator.outputs) < 0:
            raise ArtifactError(f"{operator.place}: {count} outputs were expected", got=str(operator.outputs))
        return operator.outputs

    def inputs(self, operator: Operator, least: int, most: int | None = None) -> list[int]:
        """The inputs, -1 for each of `most` that is left out. Raises ArtifactError for another number of them."""
        most = least if most is None else most
        given = list(operator.inputs)
        if not least <= len(given) <= most or min(given[:least], default=0) < 0:
            raise ArtifactError(f"{operator.place}: {least} to {most} inputs were expected", got=str(given))
        return given + [-1] * (most - len(given))

    def activation_range(self, operator: Operator, number: int) -> tuple[int, int]:
        """The lowest and highest int8 that the fused activation leaves of an output. Raises TargetError for others."""
        activation = int(operator.options["activation"])
        if activation not in scales.ACTIVATIONS:
            expected = f"{operator.place}: the fused activation should be none, RELU, RELU6 or RELU_N1_TO_1"
            raise TargetError(expected, got=f"number {activation}")
        lo, hi = scales.activation_range(activation, self.scale(number), self.zero_point(number))
        if lo >= hi:
            got = f"scale {self.scale(number):.3g}, zero point {self.zero_point(number)}"
            raise TargetError(f"{operator.place}: the activation should leave more than one integer", got=got)
        return lo, hi

    def require_int8(self, operator: Operator, *numbers: int) -> None:
        """Raises TargetError unless these tensors are int8 with one scale and one zero point within int8."""
        for number in numbers:
            tensor = self.tensor(number)
            if tensor.type != "INT8":
                hint = "convert it with full-integer int8 quantization and a representative data set"
                raise TargetError(
                    f"{operator.place}: {tensor.name} should be INT8", got=f"{tensor.type}{_kind(tensor)}", hint=hint
                )
            if len(tensor.scale) != 1 or len(tensor.zero) > 1:
                got = f"{len(tensor.scale)} scales, {len(tensor.zero)} zero points"
                raise ArtifactError(f"{operator.place}: {tensor.name} should have one scale and zero point", got=got)
            if not -128 <= self.zero_point(number) <= 127:
                got = str(self.zero_point(number))
                raise ArtifactError(f"{operator.place}: the zero point of {tensor.name} should be int8", got=got)

    def require_same(self, operator: Operator, one: int, other: int) -> None:
        """Raises TargetError unless both tensors have one scale and zero point, as TFLite requires of this operator."""
        mine, theirs = ((self.scale(each), self.zero_point(each)) for each in (one, other))
        if mine != theirs:
            expected = f"{operator.place}: input and output should have one scale and zero point"
            raise TargetError(expected, got=f"{mine[0]:.9g}, {mine[1]} and {theirs[0]:.9g}, {theirs[1]}")

    def integers(self, operator: Operator, number: int, what: str) -> list[int]:
        """A short constant of integers. Raises TargetError where it is computed."""
        value = self.constant(number)
        if value is None or value.dtype.kind != "i" or value.size > 64:
            raise TargetError(f"{operator.place}: {what} should be constant integers", got=self._brief(number))
        return [int(each) for each in value.reshape(-1)]

    def _brief(self, number: int) -> str:
        return f"{self.tensor(number).name}, {self.tensor(number).type}" if number >= 0 else "none"


def _kind(tensor: Tensor) -> str:
    """What a tensor of another type says about the model."""
    kinds = {
        "FLOAT32": " (a float, dynamic-range or hybrid model)",
        "FLOAT16": " (a model of float16 weights)",
        "UINT8": " (quantization to uint8 of TensorFlow 1)",
        "INT16": " (16-bit activations)",
    }
    return kinds.get(tensor.type, "")


def laid_out(shape: Sequence[int]) -> Shape:
    """TFLite's shape, of any rank, as height, width and channels; values keep their order."""
    sizes = [1, 1, 1, *shape]
    return math.prod(sizes[:-2]), sizes[-2], sizes[-1]


def raised_tensors(model: Model) -> frozenset[int]:
    """The tensors that are stored as int8 + 128."""
    group = {number: number for number in range(len(model.tensors))}

    def leader(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    for operator in model.operators:
        if operator.name in _KEEPS_STORAGE:
            linked = [each for each in (*operator.inputs, *operator.outputs) if each >= 0 and _may_rise(model, each)]
            for one, other in pairwise(linked):
                group[leader(one)] = leader(other)
    fixed = {leader(number) for number in _fixed(model)}
    return frozenset(number for number in group if model.tensors[number].type == "INT8" and leader(number) not in fixed)


def _may_rise(model: Model, number: int) -> bool:
    tensor = model.tensors[number]
    return tensor.type == "INT8" and tensor.data is None


def _fixed(model: Model) -> set[int]:
    """Tensors that are stored as they are."""
    fixed = {ends.input_of(model), ends.output_of(model)}
    for operator in model.operators:
        if operator.name == "SOFTMAX":
            fixed.update(operator.outputs)
    for number, tensor in enumerate(model.tensors):
        if list(tensor.zero[:1]) != [-128] or tensor.data is not None:
            fixed.add(number)
    return {number for number in fixed if number >= 0}


def read_nodes(nodes: Sequence[Node], last: str) -> tuple[Node, ...]:
    """Those that the node `last` depends on, in their order."""
    needed, by_name = {last}, {node.name: node for node in nodes}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(name for name in node.inputs if name != INPUT)
    return tuple(by_name[name] for name in by_name if name in needed)
