"""What each op sums, in NumPy: the functions behind the rows of edgekws.graph.ops.

Each takes a node and its inputs, int32 [n, height, width, channels], and returns int64 [n, height, width, channels]
before the requantization.
"""

from __future__ import annotations

import numpy as np

from edgekws.graph.attributes import Attributes, Operand

Inputs = tuple[np.ndarray, ...]
Integers = np.ndarray | np.int64
FRACTION_BITS = 31
"""A fixed-point multiplier is a fraction of 2^31."""
ADD_SHIFT = 20
"""How far rescaled_add shifts its inputs to the left before it scales them, as TFLite's ADD does."""

STATE = "state"
"""The name, among the inputs of the nodes of a scan's body, of what its last node gave one row before."""


def step(number: int) -> str:
    """The name, among the inputs of the nodes of a scan's body, of one row of the scan's input `number`."""
    return f"step{number}"


def rounded_twice(total: np.ndarray, mult: Integers, shift: Integers) -> np.ndarray:
    """total * mult / 2^31 rounded, halves up; then / 2^shift rounded, halves away from zero. int64.

    A negative shift is a shift of total to the left before. These are gemmlowp's SaturatingRoundingDoublingHighMul and
    RoundingDivideByPOT: the nudge of the first and its division toward zero come to the floor after adding a half, for
    both signs.
    """
    left, right = np.maximum(-shift, 0), np.maximum(shift, 0)
    high = ((total << left) * mult + (np.int64(1) << (FRACTION_BITS - 1))) >> FRACTION_BITS
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (high < 0)
    return np.asarray((high >> right) + ((high & mask) > threshold))


def rounded_once(total: np.ndarray, mult: Integers, shift: Integers) -> np.ndarray:
    """total * mult / 2^(31 + shift) rounded, halves away from zero. int64."""
    product, places = total * mult, FRACTION_BITS + shift
    half = np.int64(1) << (places - 1)
    return np.asarray((product + half - (product < 0)) >> places)


def conv2d(node: Attributes, inputs: Inputs) -> np.ndarray:
    windows = _windows(node, inputs[0])
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)
    weight = np.asarray(node.weight, np.float64)
    return np.asarray(columns @ weight.reshape(len(weight), -1).T, np.int64)


def depthwise_conv2d(node: Attributes, inputs: Inputs) -> np.ndarray:
    weight = np.asarray(node.weight, np.float64)
    return np.asarray(np.einsum("nrcdij,dij->nrcd", _windows(node, inputs[0]), weight), np.int64)


def linear(node: Attributes, inputs: Inputs) -> np.ndarray:
    (x,) = inputs
    return np.asarray(x.reshape(len(x), 1, 1, -1) @ np.asarray(node.weight, np.float64).T, np.int64)


def global_sum_pool(_: Attributes, inputs: Inputs) -> np.ndarray:
    return np.asarray(inputs[0].sum(axis=(1, 2), keepdims=True, dtype=np.int64))


def max_pool(node: Attributes, inputs: Inputs) -> np.ndarray:
    """Padding has `pad_value`; Graph.check refuses one that could be the largest."""
    return np.asarray(_windows(node, inputs[0]).max(axis=(4, 5)), np.int64)


def average_pool(node: Attributes, inputs: Inputs) -> np.ndarray:
    """The mean of the positions inside the input, halves away from the zero of the stored int8.

    That zero is 128 where outputs are unsigned. So TFLite's int8 AVERAGE_POOL_2D and CMSIS-NN compute of the stored
    bytes: (sum +- n / 2) / n toward zero.
    """
    (x,) = inputs
    total = np.asarray(_windows(node, x, 0).sum(axis=(4, 5)), np.int64)
    count = np.asarray(_windows(node, np.ones((1, *x.shape[1:3], 1)), 0).sum(axis=(4, 5)), np.int64)
    return rounded_mean(total, count, mean_zero(node))


def mean_zero(node: Attributes) -> int:
    """The value from which `average_pool` rounds halves away."""
    return 128 if node.is_unsigned else 0


def rounded_mean(total: np.ndarray, count: Integers, zero: int) -> np.ndarray:
    """total / count rounded, halves away from `zero`. int64."""
    floor, rest = np.divmod(total, count)
    return np.asarray(floor + ((2 * rest > count) | ((2 * rest == count) & (floor >= zero))))


def add(_: Attributes, inputs: Inputs) -> np.ndarray:
    return np.asarray(inputs[0] + inputs[1], np.int64)


def scale(_: Attributes, inputs: Inputs) -> np.ndarray:
    return inputs[0].astype(np.int64)


def rescaled_add(node: Attributes, inputs: Inputs) -> np.ndarray:
    """The sum of the operands on a scale of their own; inputs that are 1 high, wide or deep are repeated."""
    first, second = (rescaled(x, operand) for x, operand in zip(inputs, node.operands, strict=True))
    return np.asarray(first + second)


def rescaled(x: np.ndarray, operand: Operand) -> np.ndarray:
    """What an operand adds to rescaled_add, int64."""
    centred = (x.astype(np.int64) - operand.zero) << ADD_SHIFT
    return rounded_twice(centred, np.int64(operand.mult), np.int64(operand.shift))


def mul(node: Attributes, inputs: Inputs) -> np.ndarray:
    """The product of the operands; an input that is 1 high, wide or deep is repeated."""
    first, second = (x.astype(np.int64) - operand.zero for x, operand in zip(inputs, node.operands, strict=True))
    return np.asarray(first * second)


def table(node: Attributes, inputs: Inputs) -> np.ndarray:
    """weight[row][byte of x], one row for all channels or one for each; int8, or uint8 where outputs are unsigned."""
    assert node.weight is not None
    entries = node.weight.view(np.uint8) if node.is_unsigned else node.weight
    (x,) = inputs
    channels = np.arange(x.shape[3]) if len(entries) > 1 else np.zeros(x.shape[3], np.int64)
    return np.asarray(entries[channels, x & 255], np.int64)


def softmax(node: Attributes, inputs: Inputs) -> np.ndarray:
    """TFLite's int8 SOFTMAX over the channels: probabilities in steps of 1/256, from -128.

    The operand's mult and shift scale the distance from the largest input to a fixed-point number with 5 integer bits
    (edgekws.graph.exponential).
    """
    from edgekws.graph import exponential

    return exponential.softmax(inputs[0], node.operands[0])


def concat(node: Attributes, inputs: Inputs) -> np.ndarray:
    """One input after the other along axes[0]: 0 height, 1 width, 2 channels."""
    return np.concatenate(inputs, axis=node.axes[0] + 1).astype(np.int64)


def slice_(node: Attributes, inputs: Inputs) -> np.ndarray:
    """The part of out_shape that starts at `begin`."""
    parts = tuple(slice(start, start + size) for start, size in zip(node.begin, node.out_shape, strict=True))
    return inputs[0][:, *parts].astype(np.int64)


def transpose(node: Attributes, inputs: Inputs) -> np.ndarray:
    """Axis k of the output is axis axes[k] of the input."""
    return inputs[0].transpose(0, *(axis + 1 for axis in node.axes)).astype(np.int64)


def reshape(node: Attributes, inputs: Inputs) -> np.ndarray:
    """The same values in the order height, width, channels, in another shape."""
    return inputs[0].reshape(-1, *node.out_shape).astype(np.int64)


def scan(node: Attributes, inputs: Inputs) -> np.ndarray:
    """The states after each row; a row's state is what the body computes of the row and the state before (of 0s)."""
    return states(node, inputs, np.zeros((len(inputs[0]), *node.body[-1].out_shape), np.int32))


def states(node: Attributes, inputs: Inputs, state: np.ndarray) -> np.ndarray:
    """What `scan` gives, from another state before the first row: int32 [n, 1, width, channels]."""
    from edgekws.graph import interp

    after = [state[:, :0]]
    for row in range(node.in_shape[0]):
        values = {step(number): x[:, row : row + 1] for number, x in enumerate(inputs)} | {STATE: state}
        for each in node.body:
            values[each.name] = interp.run_node(each, *(values[name] for name in each.inputs))
        state = values[node.body[-1].name]
        after.append(state)
    return np.concatenate(after, axis=1).astype(np.int64)


def _windows(node: Attributes, x: np.ndarray, pad_value: int | None = None) -> np.ndarray:
    """float64 [n, rows, columns, c_in, k_h, k_w], padded with pad_value; None: that of the node.

    float64 takes the fast matrix products and is exact: sums of products are integers far below 2^53, for
    Graph.check proves that they fit 32 bits.
    """
    top, bottom, left, right = node.pad
    value = float(node.pad_value if pad_value is None else pad_value)
    padded = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)
    windows = np.lib.stride_tricks.sliding_window_view(padded, node.extent, axis=(1, 2))
    down, right_step = node.dilation
    return windows[:, :: node.stride[0], :: node.stride[1], :, ::down, ::right_step]


def bounds(node: Attributes, ranges: tuple[tuple[int, int], ...]) -> tuple[int, int] | None:
    """Lowest and highest sum of the ops of several operands; None for all others. ranges: (lo, hi) of each input."""
    if node.op == "rescaled_add":
        ends = [_ends(lo, hi, operand) for (lo, hi), operand in zip(ranges, node.operands, strict=True)]
        return sum(low for low, _ in ends), sum(high for _, high in ends)
    if node.op == "mul":
        sides = [(lo - each.zero, hi - each.zero) for (lo, hi), each in zip(ranges, node.operands, strict=True)]
        products = [a * b for a in sides[0] for b in sides[1]]
        return min(products), max(products)
    return None


def _ends(lo: int, hi: int, operand: Operand) -> tuple[int, int]:
    low, high = (int(rescaled(np.array(value), operand)) for value in (lo, hi))
    return low, high
