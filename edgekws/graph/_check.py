"""What makes a graph well formed: names, shapes, ranges, and accumulators that cannot overflow."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN
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
from edgekws.graph.ops import OPS, Shape

_WEIGHT_BITS = (8, 4, 2)
_ELEMENTS_MAX = 2**31 - 1
_STRIDE_MAX = 2**15


def check(graph: Graph) -> None:
    """Raises ArtifactError for a malformed graph and TargetError for a possible overflow or wide scores."""
    _check_connections(graph)
    _check_scores(graph.nodes[-1])
    for node, lo, hi in graph.ranges():
        _check_weight(node)
        _check_requant(node)
        _check_accumulator(node, lo, hi)


def _check_connections(graph: Graph) -> None:
    if not graph.nodes:
        raise ArtifactError("a graph should have at least one node", got="none")
    _check_scale("the input", graph.input_scale)
    shapes: dict[str, Shape] = {INPUT: graph.in_shape}
    scales = {INPUT: graph.input_scale}
    for node in graph.nodes:
        if node.name in shapes or not node.name:
            raise ArtifactError("every node should have a name of its own", got=f"{node.name!r} again")
        _check_known(node)
        _check_scale(node.name, node.out_scale)
        _check_inputs(node, shapes, scales)
        _check_steps(node)
        out_shape = _implied_shape(node)
        if min(out_shape) < 1:
            raise ArtifactError(f"{node.name}: windows should fit the input", got=f"an output of {out_shape}")
        if node.out_shape != out_shape:
            raise ArtifactError(f"{node.name}: output shape should be {out_shape}", got=str(node.out_shape))
        _check_size(node)
        shapes[node.name], scales[node.name] = node.out_shape, node.out_scale
    if node.out_shape != (1, 1, len(graph.labels)):
        raise ArtifactError(f"the last node should give {len(graph.labels)} scores", got=str(node.out_shape))
    unread = shapes.keys() - graph.last_uses().keys() - {INPUT}
    if unread:
        raise ArtifactError("every node's output should be read", got=f"{sorted(unread)} are not")


def _check_scores(last: Node) -> None:
    """Scores are read as int8: from 128 on they would wrap to negative values, and the best word would be the worst."""
    if (last.requant.lo, last.requant.hi) != (INPUT_MIN, INPUT_MAX):
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
    expected = node.operation.input_count
    if len(node.inputs) != expected:
        raise ArtifactError(f"{node.name}: {node.op} should have {expected} inputs", got=str(node.inputs))
    for name in node.inputs:
        if name not in shapes:
            raise ArtifactError(f"{node.name}: inputs should be earlier nodes", got=name)
        if node.in_shape != shapes[name]:
            raise ArtifactError(f"{node.name}: input shape should be {shapes[name]}", got=str(node.in_shape))
    if len({scales[name] for name in node.inputs}) > 1:
        got = " and ".join(str(scales[name]) for name in node.inputs)
        raise ArtifactError(f"{node.name}: both inputs should have one scale", got=got)


def _check_steps(node: Node) -> None:
    """Of ops without windows too: emitters turn some of them into convolutions."""
    if min(node.stride) < 1 or min(node.pad) < 0 or (node.operation.is_windowed and min(node.kernel) < 1):
        got = f"kernel {node.kernel}, stride {node.stride}, pad {node.pad}"
        raise ArtifactError(f"{node.name}: kernel and stride should be at least 1, padding at least 0", got=got)


def _implied_shape(node: Node) -> Shape:
    """The output shape that the attributes of `node` imply."""
    return node.operation.out_shape(node.in_shape, node.out_shape[2], node.kernel, node.stride, node.pad)


def _check_weight(node: Node) -> None:
    expected = node.operation.weight_shape(node.in_shape, node.out_shape[2], node.kernel)
    shape = None if node.weight is None else node.weight.shape
    if shape != expected:
        raise ArtifactError(f"{node.name}: weights should have shape {expected}", got=str(shape))
    if node.weight_bits not in _WEIGHT_BITS:
        raise ArtifactError(f"{node.name}: weights should have 8, 4 or 2 bits", got=str(node.weight_bits))
    if any(node.pad) and not node.operation.is_convolution:
        raise ArtifactError(f"{node.name}: only convolutions should be padded", got=f"{node.op}, {node.pad}")
    if node.weight is not None:
        limit, largest = (1 << (node.weight_bits - 1)) - 1, int(np.abs(node.weight.astype(int)).max(initial=0))
        if largest > limit:
            expected_range = f"{node.name}: weights of {node.weight_bits} bits should be within +-{limit}"
            raise ArtifactError(expected_range, got=str(largest))


def _check_requant(node: Node) -> None:
    requant, channels = node.requant, node.out_shape[2]
    for field_name in ("offset", "mult", "shift"):
        if getattr(requant, field_name).shape != (channels,):
            got = str(getattr(requant, field_name).shape)
            raise ArtifactError(f"{node.name}: {field_name} should have shape ({channels},)", got=got)
    if requant.shift.min() < 0 or requant.shift.max() > 31:
        raise TargetError(f"{node.name}: shifts should be 0..31", got=f"{requant.shift.min()}..{requant.shift.max()}")
    low, high = (1 << 30, (1 << 31) - 1) if requant.rule == "fixed-point" else (1, 255)
    if int(requant.mult.min()) < low or int(requant.mult.max()) > high:
        raise TargetError(
            f"{node.name}: multipliers should be {low}..{high}", got=f"{requant.mult.min()}..{requant.mult.max()}"
        )
    if (requant.lo, requant.hi) not in (SIGNED, UNSIGNED):
        raise TargetError(f"{node.name}: outputs should be 0..255 or -128..127", got=f"{requant.lo}..{requant.hi}")
    if not node.operation.is_scaled and not requant.is_identity:
        raise ArtifactError(f"{node.name}: {node.op} should only clip", got="another offset, multiplier or shift")


def _check_accumulator(node: Node, lo: int, hi: int) -> None:
    limit = 1 << (ACCUMULATOR_BITS - 1)
    low, high = accumulator_bounds(node, lo, hi)
    scaled_in_32_bits = node.requant.rule == "offset-scale-shift"  # fixed-point products have 64
    mult = node.requant.mult.astype(np.int64) if scaled_in_32_bits else np.int64(1)
    for bound in (low * mult, high * mult):
        worst = int(bound[np.argmax(np.abs(bound))])
        if not -limit <= worst < limit:
            raise TargetError(
                f"{node.name}: the accumulator must fit {ACCUMULATOR_BITS} bits for every input",
                got=f"{worst} is possible",
                hint="reduce the weights or the offset of this layer",
            )
