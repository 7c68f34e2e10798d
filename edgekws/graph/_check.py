"""What makes a graph well formed: names, shapes, ranges, and accumulators that cannot overflow."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import (
    ACCUMULATOR_BITS,
    INPUT,
    SIGNED,
    UNSIGNED,
    Graph,
    Node,
    Rule,
    accumulator_bounds,
)
from edgekws.graph.ops import OPS
from edgekws.graph.sums import ADD_SHIFT, STATE, step

_WEIGHT_BITS = (8, 4, 2)
_ELEMENTS_MAX = 2**31 - 1
_STRIDE_MAX = 2**15
_RESCALED_LEFT = ACCUMULATOR_BITS - 1 - ADD_SHIFT - 9
"""Places to the left that leave a difference of two bytes, shifted by ADD_SHIFT, within 32 bits."""
_SOFTMAX_CHANNELS = 4095
"""The sum of so many exponentials fits TFLite's format of 12 integer bits."""
_LEAST_SHIFTS: dict[Rule, int] = {"offset-scale-shift": 0, "fixed-point": -31, "fixed-point-once": -30}
"""One rounding needs a fraction to round."""


def check(graph: Graph) -> None:
    """Raises ArtifactError for a malformed graph and TargetError for a possible overflow or wide scores."""
    _check_connections(graph)
    _check_byte("the input's zero point", graph.input_zero, (INPUT_MIN, INPUT_MAX))
    _check_scores(graph.nodes[-1])
    for node, lo, hi in graph.ranges():
        _check_weight(node)
        _check_requant(node)
        _check_pad_value(node, lo)
        _check_accumulator(node, lo, hi)


def _check_connections(graph: Graph) -> None:
    if not graph.nodes:
        raise ArtifactError("a graph should have at least one node", got="none")
    _check_scale("the input", graph.input_scale)
    shapes: dict[str, Shape] = {INPUT: graph.in_shape}
    _check_nodes(graph.nodes, shapes, {INPUT: graph.input_scale})
    node = graph.nodes[-1]
    if node.out_shape != (1, 1, len(graph.labels)):
        raise ArtifactError(f"the last node should give {len(graph.labels)} scores", got=str(node.out_shape))
    unread = shapes.keys() - graph.last_uses().keys() - {INPUT}
    if unread:
        raise ArtifactError("every node's output should be read", got=f"{sorted(unread)} are not")


def _check_nodes(nodes: tuple[Node, ...], shapes: dict[str, Shape], scales: dict[str, float]) -> None:
    """shapes, scales: of what the nodes read from outside; those of the nodes are added."""
    for node in nodes:
        if node.name in shapes or not node.name:
            raise ArtifactError("every node should have a name of its own", got=f"{node.name!r} again")
        _check_known(node)
        _check_scale(node.name, node.out_scale)
        _check_inputs(node, shapes, scales)
        _check_attributes(node)
        _check_steps(node)
        out_shape = _implied_shape(node)
        if min(out_shape) < 1:
            raise ArtifactError(f"{node.name}: windows should fit the input", got=f"an output of {out_shape}")
        if node.out_shape != out_shape:
            raise ArtifactError(f"{node.name}: output shape should be {out_shape}", got=str(node.out_shape))
        _check_size(node)
        if node.body:
            _check_body(node, [scales[name] for name in node.inputs])
        shapes[node.name], scales[node.name] = node.out_shape, node.out_scale


def _check_body(node: Node, scales: list[float]) -> None:
    """The state is one position, and the scan's output has its scale and range. scales: of the scan's inputs."""
    last, (_, width, channels) = node.body[-1], node.in_shape
    if INPUT in node.inputs:
        raise ArtifactError(f"{node.name}: a scan should read other nodes", got="the graph's input")
    if any(each.body for each in node.body):
        raise ArtifactError(f"{node.name}: a scan should not hold another one", got="a body with a body")
    if last.out_shape[:2] != (1, 1):
        raise ArtifactError(f"{node.name}: the state should be one position", got=str(last.out_shape))
    steps = {step(number): (1, width, channels) for number in range(len(node.inputs))}
    of_steps = {step(number): scale for number, scale in enumerate(scales)}
    shapes = {**steps, STATE: last.out_shape}
    _check_nodes(node.body, shapes, {**of_steps, STATE: last.out_scale})
    read = {name for each in node.body for name in each.inputs} | {last.name}
    if shapes.keys() - read - {STATE}:
        got = f"{sorted(shapes.keys() - read)} are not"
        raise ArtifactError(f"{node.name}: every node's output should be read", got=got)
    given, expected = ((n.requant.lo, n.requant.hi, n.out_scale, n.out_zero) for n in (node, last))
    if given != expected:
        raise ArtifactError(f"{node.name}: range and scale should be those of the state", got=f"{given}, {expected}")
    if last.requant.lo > 0:
        raise ArtifactError(f"{node.name}: the first state is 0, which should be in its range", got=f"{given[:2]}")


def _check_scores(last: Node) -> None:
    """Scores are read as int8: from 128 on they would wrap to negative values, and the best word would be the worst."""
    if last.requant.lo < INPUT_MIN or last.requant.hi > INPUT_MAX:
        raise TargetError(
            f"{last.name}: scores should be {INPUT_MIN}..{INPUT_MAX}",
            got=f"{last.requant.lo}..{last.requant.hi}",
            hint="end the network in a layer without ReLU",
        )


def _check_known(node: Node) -> None:
    for what, value, known in (("op", node.op, tuple(OPS)), ("rule", node.requant.rule, get_args(Rule))):
        if value not in known:
            raise ArtifactError(f"{node.name}: {what} should be one of {', '.join(known)}", got=str(value))


def _check_scale(name: str, scale: float) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise ArtifactError(f"{name}: a scale should be a finite number above 0", got=str(scale))


def _check_size(node: Node) -> None:
    """Executors count in int32: the elements of a tensor with its padding, and the place of a window."""
    height, width, channels = node.in_shape
    padded = (height + sum(node.pad[:2])) * (width + sum(node.pad[2:])) * channels
    largest = max(padded, math.prod(node.out_shape))
    if largest > _ELEMENTS_MAX or max(node.stride) > _STRIDE_MAX:
        got = f"{largest} elements, stride {node.stride}"
        raise ArtifactError(f"{node.name}: at most {_ELEMENTS_MAX} elements and strides to {_STRIDE_MAX}", got=got)


def _check_inputs(node: Node, shapes: dict[str, Shape], scales: dict[str, float]) -> None:
    expected, given = node.operation.input_count, len(node.inputs)
    if given != expected and not (expected == 0 and given > 1):
        raise ArtifactError(
            f"{node.name}: {node.op} should have {expected or 'two or more'} inputs", got=str(node.inputs)
        )
    if len(node.in_shapes) != given:
        raise ArtifactError(f"{node.name}: every input should have a shape", got=str(node.other_shapes))
    for name, shape in zip(node.inputs, node.in_shapes, strict=True):
        if name not in shapes:
            raise ArtifactError(f"{node.name}: inputs should be earlier nodes", got=name)
        if shape != shapes[name]:
            raise ArtifactError(f"{node.name}: input shape should be {shapes[name]}", got=str(shape))
    has_one_scale = "operands" not in node.operation.attributes and not node.operation.own_scale
    if has_one_scale and len({scales[name] for name in node.inputs}) > 1:
        got = " and ".join(str(scales[name]) for name in node.inputs)
        raise ArtifactError(f"{node.name}: both inputs should have one scale", got=got)


def _check_attributes(node: Node) -> None:
    """The fields that only some rows have, and shapes of inputs that are not that of the first."""
    for name in ("operands", "axes", "begin", "body"):
        if bool(getattr(node, name)) != (name in node.operation.attributes):
            expected = "be given" if name in node.operation.attributes else "be empty"
            raise ArtifactError(f"{node.name}: {name} of {node.op} should {expected}", got=str(getattr(node, name)))
    if node.operands:
        _check_operands(node)
    if node.op == "transpose" and sorted(node.axes) != [0, 1, 2]:
        raise ArtifactError(f"{node.name}: axes should be 0, 1 and 2 in some order", got=str(node.axes))
    if node.op == "concat" and node.axes not in ((0,), (1,), (2,)):
        raise ArtifactError(f"{node.name}: axes should be one of 0, 1 and 2", got=str(node.axes))
    _check_other_shapes(node)
    _check_moved(node)


def _check_operands(node: Node) -> None:
    if len(node.operands) != len(node.inputs):
        raise ArtifactError(f"{node.name}: every input should have an operand", got=f"{len(node.operands)}")
    for operand in node.operands:
        if not (-128 <= operand.zero <= 255 and 1 << 30 <= operand.mult < 1 << 31 and -31 <= operand.shift <= 31):
            expected = f"{node.name}: zero should be -128..255, mult 2^30..2^31-1, shift -31..31"
            raise ArtifactError(expected, got=str(operand))
        if node.op == "rescaled_add" and operand.shift < -_RESCALED_LEFT:
            raise TargetError(f"{node.name}: operands should fit 32 bits", got=str(operand))
    if node.op == "softmax" and node.in_shape[2] > _SOFTMAX_CHANNELS:
        got = str(node.in_shape[2])
        raise TargetError(f"{node.name}: a softmax should have at most {_SOFTMAX_CHANNELS} channels", got=got)


def _check_other_shapes(node: Node) -> None:
    free = set(node.axes) if node.op == "concat" else set()
    for shape in node.in_shapes[1:]:
        for axis, (size, first) in enumerate(zip(shape, node.in_shape, strict=True)):
            if size != first and axis not in free and not (node.operation.broadcasts and size == 1):
                raise ArtifactError(f"{node.name}: inputs should have fitting shapes", got=str(node.in_shapes))


def _check_moved(node: Node) -> None:
    if node.op == "reshape" and math.prod(node.in_shape) != math.prod(node.out_shape):
        raise ArtifactError(f"{node.name}: reshape should keep the count", got=f"{node.in_shape} to {node.out_shape}")
    if node.op == "slice":
        ends = [start + size for start, size in zip(node.begin, node.out_shape, strict=False)]
        if len(node.begin) != 3 or min(node.begin) < 0 or any(map(int.__gt__, ends, node.in_shape)):
            raise ArtifactError(f"{node.name}: a slice should lie inside the input", got=f"{node.begin} to {ends}")


def _check_steps(node: Node) -> None:
    """Of ops without windows too: emitters turn some of them into convolutions."""
    steps = (*node.stride, *node.dilation)
    if min(steps) < 1 or min(node.pad) < 0 or (node.operation.is_windowed and min(node.kernel) < 1):
        got = f"kernel {node.kernel}, stride {node.stride}, dilation {node.dilation}, pad {node.pad}"
        raise ArtifactError(f"{node.name}: kernel and stride should be at least 1, padding at least 0", got=got)
    if not node.operation.is_convolution and node.dilation != (1, 1):
        raise ArtifactError(f"{node.name}: only convolutions should be dilated", got=f"{node.op}, {node.dilation}")
    _check_pad(node)


def _check_pad(node: Node) -> None:
    if any(node.pad) and not node.operation.is_padded:
        raise ArtifactError(f"{node.name}: only ops with windows should be padded", got=f"{node.op}, {node.pad}")
    if node.pad_value and not any(node.pad):
        raise ArtifactError(f"{node.name}: pad_value should be 0 without padding", got=str(node.pad_value))
    pairs = zip((node.pad[:2], node.pad[2:]), node.extent, strict=True)
    if node.operation.is_window_pool and any(max(sides) >= size for sides, size in pairs):
        raise ArtifactError(f"{node.name}: every window should meet the input", got=f"{node.window}, {node.pad}")


def _implied_shape(node: Node) -> Shape:
    """The output shape that the attributes of `node` imply."""
    if node.operation.shape_of is not None:
        return node.operation.shape_of(node)
    return node.operation.out_shape(node.in_shape, node.out_shape[2], node.kernel, node.stride, node.pad, node.dilation)


def _check_weight(node: Node) -> None:
    if node.operation.is_table:
        _check_table(node)
        return
    expected = node.operation.weight_shape(node.in_shape, node.out_shape[2], node.kernel)
    shape = None if node.weight is None else node.weight.shape
    if shape != expected:
        raise ArtifactError(f"{node.name}: weights should have shape {expected}", got=str(shape))
    if node.weight_bits not in _WEIGHT_BITS:
        raise ArtifactError(f"{node.name}: weights should have 8, 4 or 2 bits", got=str(node.weight_bits))
    if node.weight is not None:
        limit = (1 << (node.weight_bits - 1)) - 1
        low, high = int(node.weight.min(initial=0)), int(node.weight.max(initial=0))
        if high > limit or low < -limit - node.requant.is_fixed_point:
            expected_range = f"{node.name}: weights of {node.weight_bits} bits should be within +-{limit}"
            raise ArtifactError(expected_range, got=str(low if -low > high else high))


def _check_table(node: Node) -> None:
    shapes = ((1, 256), (node.out_shape[2], 256))
    if node.weight is None or node.weight.shape not in shapes:
        got = "none" if node.weight is None else str(node.weight.shape)
        raise ArtifactError(f"{node.name}: a table should have shape (1 or channels, 256)", got=got)


def _check_requant(node: Node) -> None:
    requant, channels = node.requant, node.out_shape[2]
    for field_name in ("offset", "mult", "shift"):
        if getattr(requant, field_name).shape != (channels,):
            got = str(getattr(requant, field_name).shape)
            raise ArtifactError(f"{node.name}: {field_name} should have shape ({channels},)", got=got)
    least = _LEAST_SHIFTS[requant.rule]
    if requant.shift.min() < least or requant.shift.max() > 31:
        got = f"{requant.shift.min()}..{requant.shift.max()}"
        raise TargetError(f"{node.name}: shifts should be {least}..31", got=got)
    low, high = (1 << 29, (1 << 31) - 1) if requant.is_fixed_point else (1, 255)
    if int(requant.mult.min()) < low or int(requant.mult.max()) > high:
        raise TargetError(
            f"{node.name}: multipliers should be {low}..{high}", got=f"{requant.mult.min()}..{requant.mult.max()}"
        )
    _check_range(node)
    if not node.operation.is_scaled and not requant.is_identity:
        raise ArtifactError(f"{node.name}: {node.op} should only clip", got="another offset, multiplier or shift")


def _check_range(node: Node) -> None:
    """Ranges are those of a byte. Part of one, and a zero point, need a fixed-point rule or none."""
    requant = node.requant
    fits = any(low <= requant.lo < requant.hi <= high for low, high in (SIGNED, UNSIGNED))
    plain = (requant.lo, requant.hi) in (SIGNED, UNSIGNED) and requant.zero == node.out_zero == 0
    if not fits or (requant.rule == "offset-scale-shift" and not requant.is_identity and not plain):
        expected = f"{node.name}: outputs should be 0..255 or -128..127"
        raise TargetError(expected, got=f"{requant.lo}..{requant.hi}, zero point {requant.zero}")
    for value in (requant.zero, node.out_zero):
        _check_byte(f"{node.name}: zero points", value, (SIGNED[0], UNSIGNED[1]))


def _check_byte(what: str, value: int, bounds: tuple[int, int]) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise ArtifactError(f"{what} should be within {bounds[0]}..{bounds[1]}", got=str(value))


def _check_pad_value(node: Node, lo: int) -> None:
    """lo: of the input, which is stored as int8 where it is negative; padding is stored as the input is."""
    bounds = SIGNED if lo < 0 else UNSIGNED
    if any(node.pad):
        _check_byte(f"{node.name}: pad_value", node.pad_value, bounds)


def _check_accumulator(node: Node, lo: int, hi: int) -> None:
    limit = 1 << (ACCUMULATOR_BITS - 1)
    low, high = accumulator_bounds(node, lo, hi)
    scaled_in_32_bits = node.requant.rule == "offset-scale-shift"  # fixed-point products have 64
    mult = node.requant.mult.astype(np.int64) if scaled_in_32_bits else np.int64(1)
    factor = mult << np.maximum(-node.requant.shift.astype(np.int64), 0)  # before the multiplication
    for bound in (low * factor, high * factor):
        worst = int(bound[np.argmax(np.abs(bound))])
        if not -limit <= worst < limit:
            raise TargetError(
                f"{node.name}: the accumulator must fit {ACCUMULATOR_BITS} bits for every input",
                got=f"{worst} is possible",
                hint="reduce the weights or the offset of this layer",
            )
