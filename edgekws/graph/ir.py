"""The integer graph: the one value in which training, export and firmware meet.

Tensors are int32 [height, width, channels] and hold 8-bit values: 0..255 (after a ReLU) or
-128..127. Every node computes, per output channel c,

    acc = sum(x * w) + offset[c]                      int32, real zero is integer 0 (so is padding)
    y   = clip((acc * mult[c]) >> shift[c], lo, hi)   arithmetic shift, that is floor

which is the offset-scale-shift stage of TI's NPU ("BNORM" in the TI neural network compiler guide).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, INPUT_SCALE, FeatureSpec

Op = Literal["conv2d", "depthwise_conv2d", "global_sum_pool", "linear"]
Shape = tuple[int, int, int]
ACCUMULATOR_BITS = 32


@dataclass(frozen=True)
class Requant:
    """Offset, scale, shift. offset: int32 [c]; mult: uint8 [c]; shift: uint8 [c], 0..31."""

    offset: np.ndarray
    mult: np.ndarray
    shift: np.ndarray
    lo: int
    hi: int


@dataclass(frozen=True)
class Node:
    """One layer.

    weight: int8, [c_out, k_h, k_w, c_in] (conv2d), [c, k_h, k_w] (depthwise_conv2d),
    [c_out, h * w * c_in] (linear, input flattened in h, w, c order), None (global_sum_pool).
    pad: (top, bottom, left, right), filled with integer 0.
    out_scale: real value of one output step; no executor computes with it.
    """

    name: str
    op: Op
    requant: Requant
    in_shape: Shape
    out_shape: Shape
    weight: np.ndarray | None = None
    weight_bits: int = 8
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    out_scale: float = 1.0

    @property
    def macs(self) -> int:
        if self.weight is None:
            return 0
        per_output = math.prod(self.weight.shape[1:])
        return per_output * math.prod(self.out_shape)

    @property
    def weight_bytes(self) -> int:
        return 0 if self.weight is None else -(-self.weight.size * self.weight_bits // 8)

    @property
    def parameter_bytes(self) -> int:
        """Flash of this layer: weights, 32-bit offsets, 8-bit multipliers and shifts."""
        return self.weight_bytes + 6 * len(self.requant.offset)


@dataclass(frozen=True)
class Graph:
    """A chain of nodes from the int8 features to the int8 scores (logits; softmax is not part of it)."""

    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
    features: FeatureSpec
    target: str
    name: str = "model"
    input_scale: float = INPUT_SCALE
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def in_shape(self) -> Shape:
        return self.nodes[0].in_shape

    @property
    def score_scale(self) -> float:
        """Real value of one step of the scores."""
        return self.nodes[-1].out_scale

    @property
    def macs(self) -> int:
        return sum(node.macs for node in self.nodes)

    @property
    def parameter_bytes(self) -> int:
        return sum(node.parameter_bytes for node in self.nodes)

    def ranges(self) -> Iterator[tuple[Node, int, int]]:
        """Each node with the lowest and highest integer of its input."""
        lo, hi = INPUT_MIN, INPUT_MAX
        for node in self.nodes:
            yield node, lo, hi
            lo, hi = node.requant.lo, node.requant.hi

    def check(self) -> None:
        """Prove that shapes fit and that no accumulator can overflow, whatever the input.

        Raises ArtifactError for a malformed chain and TargetError for a possible overflow.
        """
        _check_chain(self)
        for node, lo, hi in self.ranges():
            _check_requant(node)
            _check_accumulator(node, lo, hi)


def accumulator_bounds(node: Node, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest `acc` of each channel (int64 [c]) for inputs within lo..hi.

    Padding is 0, so the bounds also hold for every partial sum when 0 is within lo..hi.
    """
    lo, hi = min(lo, 0), max(hi, 0)
    channels = node.out_shape[2]
    if node.weight is None:
        area = node.in_shape[0] * node.in_shape[1]
        low, high = np.full(channels, lo * area), np.full(channels, hi * area)
    else:
        weight = node.weight.reshape(len(node.weight), -1).astype(np.int64)
        low = np.minimum(weight * lo, weight * hi).sum(1)
        high = np.maximum(weight * lo, weight * hi).sum(1)
    offset = node.requant.offset.astype(np.int64)
    return low + np.minimum(offset, 0), high + np.maximum(offset, 0)


def _check_accumulator(node: Node, lo: int, hi: int) -> None:
    limit = 1 << (ACCUMULATOR_BITS - 1)
    low, high = accumulator_bounds(node, lo, hi)
    mult = node.requant.mult.astype(np.int64)
    for bound in (low * mult, high * mult):
        worst = int(bound[np.argmax(np.abs(bound))])
        if not -limit <= worst < limit:
            raise TargetError(
                f"{node.name}: the accumulator must fit {ACCUMULATOR_BITS} bits for every input",
                got=f"{worst} is possible",
                hint="reduce the weights or the offset of this layer",
            )


def _check_requant(node: Node) -> None:
    stage, channels = node.requant, node.out_shape[2]
    for field_name in ("offset", "mult", "shift"):
        if getattr(stage, field_name).shape != (channels,):
            got = str(getattr(stage, field_name).shape)
            raise ArtifactError(f"{node.name}: {field_name} should have shape ({channels},)", got=got)
    if stage.shift.min() < 0 or stage.shift.max() > 31:
        raise TargetError(f"{node.name}: shifts should be 0..31", got=f"{stage.shift.min()}..{stage.shift.max()}")
    if stage.mult.min() < 1:
        raise TargetError(f"{node.name}: multipliers should be 1..255", got=str(stage.mult.min()))
    if (stage.lo, stage.hi) not in ((0, 255), (-128, 127)):
        raise TargetError(f"{node.name}: outputs should be 0..255 or -128..127", got=f"{stage.lo}..{stage.hi}")


def _expected_shapes(node: Node) -> tuple[Shape, tuple[int, ...] | None]:
    """(output shape, weight shape) that the attributes of `node` imply."""
    height, width, channels = node.in_shape
    c_out = node.out_shape[2]
    if node.op == "global_sum_pool":
        return (1, 1, channels), None
    if node.op == "linear":
        return (1, 1, c_out), (c_out, height * width * channels)
    k_h, k_w = (0, 0) if node.weight is None or node.weight.ndim < 3 else node.weight.shape[1:3]
    rows = (height + node.pad[0] + node.pad[1] - k_h) // node.stride[0] + 1
    columns = (width + node.pad[2] + node.pad[3] - k_w) // node.stride[1] + 1
    if node.op == "depthwise_conv2d":
        return (rows, columns, channels), (channels, k_h, k_w)
    return (rows, columns, c_out), (c_out, k_h, k_w, channels)


def _check_chain(graph: Graph) -> None:
    if not graph.nodes:
        raise ArtifactError("a graph should have at least one node", got="none")
    shape = (*graph.features.shape, 1)
    for node in graph.nodes:
        if node.in_shape != shape:
            raise ArtifactError(f"{node.name}: input shape should be {shape}", got=str(node.in_shape))
        out_shape, weight_shape = _expected_shapes(node)
        if node.out_shape != out_shape:
            raise ArtifactError(f"{node.name}: output shape should be {out_shape}", got=str(node.out_shape))
        found = None if node.weight is None else node.weight.shape
        if found != weight_shape:
            raise ArtifactError(f"{node.name}: weights should have shape {weight_shape}", got=str(found))
        if node.weight is not None and np.abs(node.weight.astype(int)).max(initial=0) >= 1 << (node.weight_bits - 1):
            raise ArtifactError(f"{node.name}: weights should fit {node.weight_bits} bits, symmetric")
        shape = node.out_shape
    if shape != (1, 1, len(graph.labels)):
        raise ArtifactError(f"the last node should give {len(graph.labels)} scores", got=str(shape))
