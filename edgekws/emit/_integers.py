"""The ops of the graph in ONNX operators that compute its integers; `onnx_integer` explains them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from edgekws.emit._common import positions_inside
from edgekws.emit._int64 import Steps, requantized, softmax
from edgekws.emit._moves import moved
from edgekws.emit._onnx import Builder, dilations, padded
from edgekws.emit._rounding import kernel
from edgekws.errors import TargetError
from edgekws.graph import sums
from edgekws.graph.ir import Node, accumulator_bounds
from edgekws.graph.ops import OPS, Accumulate, Op

EXACT = 1 << 24
"""float32 holds every integer up to here."""
_DIGITS = (1, 2, 4, 8)
Kind = type[np.generic]
Value = tuple[str, Kind]
"""A tensor and its type."""


@dataclass
class Tensors:
    """made: the tensor, [n, c, h, w], of the input and of every node so far. casts: the same in other types, each made
    once. unsigned: the names whose values are 0..255.
    """

    build: Builder
    made: dict[str, Value]
    casts: dict[tuple[str, Kind], str] = field(default_factory=dict)
    unsigned: set[str] = field(default_factory=set)

    def read(self, name: str, kind: Kind) -> str:
        """The tensor of `name` as `kind`."""
        tensor, own = self.made[name]
        if own is kind:
            return tensor
        if (name, kind) not in self.casts:
            self.casts[name, kind] = Steps(self.build, tensor).cast(tensor, kind)
        return self.casts[name, kind]


@dataclass(frozen=True)
class _Layer:
    """A node, the tensors it may read, the lowest and highest integer of its inputs, and the type of its tensor."""

    node: Node
    steps: Steps
    tensors: Tensors
    bounds: tuple[int, int]
    out_kind: Kind

    def read(self, kind: Kind, number: int = 0) -> str:
        return self.tensors.read(self.node.inputs[number], kind)

    def kind(self, number: int) -> Kind:
        """The type of an input's tensor."""
        return self.tensors.made[self.node.inputs[number]][1]

    def byte_kind(self, number: int = 0) -> type[np.int8 | np.uint8]:
        """int8 or uint8, which holds the values of an input."""
        return np.uint8 if self.node.inputs[number] in self.tensors.unsigned else np.int8


def write(tensors: Tensors, node: Node, bounds: tuple[int, int], out_kind: Kind | None = None) -> None:
    """Append the operators of one node. bounds: the lowest and highest integer of its inputs. out_kind: the type of its
    tensor, which has its name; by default int8 or uint8.

    Raises TargetError for sums of more products than float32 can hold in eight digits.
    """
    out_kind = out_kind or byte_kind(node)
    layer = _Layer(node, Steps(tensors.build, node.name), tensors, bounds, out_kind)
    value, kind = ENTRIES[node.op](layer)
    if node.operation.is_scaled:
        value = requantized(layer.steps, value, node, bounds)
    if _may_clip(node, bounds):
        value = layer.steps.op("Clip", value, *(np.array(end, kind) for end in (node.requant.lo, node.requant.hi)))
    tensors.made[node.name] = _named(layer, value, kind), out_kind
    if node.is_unsigned:
        tensors.unsigned.add(node.name)


def byte_kind(node: Node) -> type[np.int8 | np.uint8]:
    return np.uint8 if node.is_unsigned else np.int8


def _may_clip(node: Node, bounds: tuple[int, int]) -> bool:
    """False where what is written before the clip is certain to be within the range."""
    if node.operation.is_scaled or node.operation.own_scale:
        return True
    low, high = accumulator_bounds(node, *bounds)
    return bool(low.min() < node.requant.lo or high.max() > node.requant.hi)


def _named(layer: _Layer, value: str, kind: Kind) -> str:
    """`value` as bytes, under the name of the node."""
    from onnx import helper

    build, name = layer.tensors.build, layer.tensors.build.free(layer.node.name)
    if kind is layer.out_kind:
        return build.add("Identity", [value], name)
    return build.add("Cast", [value], name, to=helper.np_dtype_to_tensor_dtype(np.dtype(layer.out_kind)))


def _products(layer: _Layer) -> Value:
    """Conv of every digit of the weights; linear layers have a window of their input's size."""
    node, steps = layer.node, layer.steps
    count = _digit_count(node, layer.bounds)
    x, pads = _padded(layer, by_reader=node.pad_value == 0)
    base, total = 1 << (8 // count), ""
    for place, digit in enumerate(_digits(steps, _stored_weight(layer), count)):
        acc = steps.cast(steps.op("Conv", x, digit, pads=pads, **_window(node)), np.int64)
        acc = steps.op("Mul", acc, base**place) if place else acc
        total = steps.op("Add", total, acc) if place else acc
    return total, np.int64


def _window(node: Node) -> dict[str, object]:
    weight = kernel(node)
    group = len(weight) if weight.ndim == 3 else 1
    return {"strides": list(node.stride), "group": group, **dilations(node)}


def _padded(layer: _Layer, by_reader: bool) -> tuple[str, list[int]]:
    return padded(layer.tensors.build, layer.node, layer.read(np.float32), layer.node.pad_value, by_reader)


def _stored_weight(layer: _Layer) -> str:
    """float32 [c_out, c_in or 1, k_h, k_w] of the stored bytes or half bytes."""
    steps, weight = layer.steps, kernel(layer.node)
    nchw = np.asarray(weight[:, None] if weight.ndim == 3 else weight.transpose(0, 3, 1, 2), np.int8)
    if layer.node.weight_bits == 8:
        return steps.cast(steps.constant(nchw, "weight"), np.float32)
    return steps.op("DequantizeLinear", steps.constant(nchw, "weight", "INT4"), np.array(1, np.float32))


def _digits(steps: Steps, weight: str, count: int) -> Iterator[str]:
    """The digits of weights, float32, lowest first, each within half of the base."""
    base = np.array(1 << (8 // count), np.float32)
    for _ in range(count - 1):
        high = steps.op("Floor", steps.op("Div", steps.op("Add", weight, base / 2), base))
        yield steps.op("Sub", weight, steps.op("Mul", high, base))
        weight = high
    yield weight


def _digit_count(node: Node, bounds: tuple[int, int]) -> int:
    """The fewest digits whose partial sums float32 holds. Raises TargetError where eight are too few."""
    for count in _DIGITS:
        largest = max(_largest_sum(node, digit, bounds) for digit in _digits_of(node, count))
        if largest <= EXACT:
            return count
    hint = "export c, or make this layer narrower"
    got = f"{largest} is possible for one bit of the weights"
    raise TargetError(f"{node.name}: sums should stay within 2^24 to be exact in float32", got=got, hint=hint)


def _digits_of(node: Node, count: int) -> Iterator[np.ndarray]:
    """What `_digits` computes."""
    rest, base = np.asarray(node.weight, np.int64), 1 << (8 // count)
    for _ in range(count - 1):
        high = (rest + base // 2) // base
        yield rest - high * base
        rest = high
    yield rest


def _largest_sum(node: Node, weight: np.ndarray, bounds: tuple[int, int]) -> int:
    """The largest magnitude of a partial sum."""
    plain = replace(node, weight=weight, requant=replace(node.requant, offset=0 * node.requant.offset))
    return max(int(np.abs(each).max()) for each in accumulator_bounds(plain, *bounds))


def _sum_pool(layer: _Layer) -> Value:
    return layer.steps.op("ReduceSum", layer.read(np.int64), np.array([2, 3])), np.int64


def _max_pool(layer: _Layer) -> Value:
    """ONNX ignores padding; the graph's counts where it may be more than an input."""
    node = layer.node
    x, pads = _padded(layer, by_reader=node.pad_value <= layer.bounds[0])
    pooled = layer.steps.op("MaxPool", x, kernel_shape=list(node.kernel), strides=list(node.stride), pads=pads)
    return pooled, np.float32


def _average_pool(layer: _Layer) -> Value:
    """The sum of positions inside by their count, halves away from `zero`, which is that of the stored int8."""
    node, steps = layer.node, layer.steps
    zero = 128 if node.is_unsigned else 0
    count = positions_inside(node)
    channels, largest = node.in_shape[2], max(map(abs, layer.bounds)) * int(count.max())
    if largest > EXACT:
        expected = f"{node.name}: sums should stay within 2^24 to be exact in float32"
        raise TargetError(expected, got=f"{largest} is possible", hint="export c, or use a smaller window")
    ones = steps.cast(steps.constant(np.ones((channels, 1, *node.kernel), np.int8), "weight"), np.float32)
    top, bottom, left, right = node.pad
    window = {"strides": list(node.stride), "pads": [top, left, bottom, right], "group": channels}
    total = steps.cast(steps.op("Conv", layer.read(np.float32), ones, **window), np.int64)
    distance = steps.op("Sub", total, zero * count) if zero else total
    half = steps.op("Where", steps.op("Less", distance, 0), -count, count)
    quotient = steps.op("Div", steps.op("Add", steps.op("Mul", distance, 2), half), 2 * count)
    return (steps.op("Add", quotient, zero) if zero else quotient), np.int64


def _add(layer: _Layer) -> Value:
    return layer.steps.op("Add", layer.read(np.int64), layer.read(np.int64, 1)), np.int64


def _scale(layer: _Layer) -> Value:
    return layer.read(np.int64), np.int64


def _rescaled_add(layer: _Layer) -> Value:
    """An input is a byte: what each of its 256 values adds is a table."""
    terms = []
    for number, operand in enumerate(layer.node.operands):
        table = sums.rescaled(_bytes(layer.byte_kind(number)), operand)
        terms.append(layer.steps.op("Gather", table, layer.read(np.int64, number)))
    return layer.steps.op("Add", *terms), np.int64


def _bytes(kind: Kind) -> np.ndarray:
    """The 256 values of a type in the order of their byte; Gather counts negative indices from the end."""
    return np.arange(256, dtype=np.uint8).view(kind).astype(np.int64)


def _mul(layer: _Layer) -> Value:
    factors = []
    for number, operand in enumerate(layer.node.operands):
        x = layer.read(np.int64, number)
        factors.append(layer.steps.op("Sub", x, operand.zero) if operand.zero else x)
    return layer.steps.op("Mul", *factors), np.int64


def _table(layer: _Layer) -> Value:
    """One row for all channels; or the rows one after the other, and an index that counts from the first."""
    node, kind = layer.node, byte_kind(layer.node)
    rows, index = np.asarray(node.weight).view(kind), layer.read(np.int64)
    if len(rows) > 1:
        lowest = int(_bytes(layer.byte_kind()).min())
        rows = np.roll(rows, -lowest, axis=1)
        starts = 256 * np.arange(len(rows)) - lowest
        index = layer.steps.op("Add", index, starts.reshape(1, -1, 1, 1))
    return layer.steps.op("Gather", rows.ravel(), index), kind


def _softmax(layer: _Layer) -> Value:
    return softmax(layer.steps, layer.read(np.int64), layer.node.operands[0]), np.int64


def _moved_kind(layer: _Layer) -> Kind:
    """The type in which values move: their own where input and output have one, else one that holds both."""
    kinds = {layer.kind(number) for number in range(len(layer.node.inputs))}
    return layer.out_kind if kinds == {layer.out_kind} else np.int64


def _moved(layer: _Layer) -> Value:
    kind = _moved_kind(layer)
    sources = [layer.read(kind, number) for number in range(len(layer.node.inputs))]
    return moved(layer.steps, layer.node, sources), kind


_SUMS: dict[Accumulate, Callable[[_Layer], Value]] = {
    sums.conv2d: _products,
    sums.depthwise_conv2d: _products,
    sums.linear: _products,
    sums.global_sum_pool: _sum_pool,
    sums.max_pool: _max_pool,
    sums.average_pool: _average_pool,
    sums.add: _add,
    sums.scale: _scale,
    sums.rescaled_add: _rescaled_add,
    sums.mul: _mul,
    sums.table: _table,
    sums.softmax: _softmax,
    sums.concat: _moved,
    sums.slice_: _moved,
    sums.transpose: _moved,
    sums.reshape: _moved,
}
"""What an op computes before its requantization, by its definition; int64 where it has one."""
ENTRIES: dict[Op, Callable[[_Layer], Value]] = {
    name: _SUMS[row.accumulate] for name, row in OPS.items() if row.accumulate in _SUMS
}
