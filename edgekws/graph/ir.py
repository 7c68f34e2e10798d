"""The integer graph: the value that training, export and firmware share.

Tensors are int32 [height, width, channels] and hold 8-bit values: 0..255 (after a ReLU) or
-128..127. Every node computes, per output channel c, a sum and a requantization:

    acc = sum(x * w) + offset[c]                      int32; padding is pad_value
    y   = clip(scaled(acc) + zero, lo, hi)

Real zero is integer 0 in our own graphs, so pad_value and zero are 0. Imported graphs may have other zero points: the
offset then contains what the zero points of the inputs add to the sum.

The requantization follows one of three rules, and a target allows some of them:

offset-scale-shift   (acc * mult[c]) >> shift[c], arithmetic shift, that is floor: TI's NPU ("BNORM" in the
                     TI neural network compiler guide)
fixed-point          acc * mult[c] / 2^31 rounded, then / 2^shift[c] rounded: TFLite's quantization
                     specification and CMSIS-NN (gemmlowp's high multiplication, halves away from zero);
                     a shift below 0 multiplies acc by 2^-shift[c] before
fixed-point-once     acc * mult[c] / 2^(31 + shift[c]) rounded once, halves away from zero: TFLite's reference
                     FULLY_CONNECTED

edgekws/graph/ops.py has a row for each op: what it sums, its shapes, and whether it scales. Where it does not, the
requantization is the identity and only clips.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgekws.errors import DataError
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, INPUT_SCALE, FeatureSpec, UnknownFeatures, known
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.ops import OPS, Op, Operation
from edgekws.graph.sums import FRACTION_BITS, STATE, step

if TYPE_CHECKING:
    from edgekws.graph.executor import Compiled, Stream

Rule = Literal["offset-scale-shift", "fixed-point", "fixed-point-once"]
ACCUMULATOR_BITS = 32
FIXED_POINT_BITS = FRACTION_BITS
"""A fixed-point multiplier is a fraction of 2^31, within [2^29, 2^31); TFLite's MEAN has those below 2^30."""
INPUT = "input"
"""The name of the graph's input among the inputs of nodes."""
SIGNED, UNSIGNED = (-128, 127), (0, 255)
"""The two ranges of 8-bit values."""


@dataclass(frozen=True)
class Requant:
    """offset: int32 [c]; mult: uint8 [c], 1..255, or int32 [c] (fixed-point rules); shift: uint8 [c], 0..31, or int8
    [c], -31..31 (fixed-point rules). zero: what is added after rounding. lo, hi: within 0..255 or -128..127.
    """

    offset: np.ndarray
    mult: np.ndarray
    shift: np.ndarray
    lo: int
    hi: int
    rule: Rule = "offset-scale-shift"
    zero: int = 0

    @classmethod
    def identity(cls, channels: int, lo: int, hi: int) -> Requant:
        """The requantization that only clips."""
        return cls(np.zeros(channels, np.int32), np.ones(channels, np.uint8), np.zeros(channels, np.uint8), lo, hi)

    @property
    def is_identity(self) -> bool:
        plain = not self.offset.any() and not self.shift.any() and bool((self.mult == 1).all())
        return plain and self.rule == "offset-scale-shift" and self.zero == 0

    @property
    def is_fixed_point(self) -> bool:
        """Whether multipliers are fractions of 2^31."""
        return self.rule != "offset-scale-shift"

    @property
    def factor(self) -> np.ndarray:
        """The real number that each channel is multiplied by, float64 [c]."""
        shift = self.shift.astype(int) + (FIXED_POINT_BITS if self.is_fixed_point else 0)
        return np.asarray(np.ldexp(self.mult.astype(np.float64), -shift))


@dataclass(frozen=True)
class Node:
    """One layer.

    op: the name of its row in edgekws.graph.ops.OPS.
    inputs: names of earlier nodes, or INPUT, as many as the op has.
    in_shape: shape of the first input, and of the others unless other_shapes gives theirs.
    weight: int8, in the shape that the op's row gives, or None.
    weight_bits: 8, 4 or 2; the weights are within +-(2^(bits - 1) - 1), 2 bits are -1, 0, 1; with fixed-point rules
    -2^(bits - 1) is a weight too.
    window: rows and columns of a pool's window, else (0, 0).
    pad: (top, bottom, left, right), filled with pad_value; ops with windows only. An average pool divides by the
    positions inside the input.
    out_scale: real value of one output step; out_zero: the integer that is real zero. No executor computes with them.
    operands: how each input is read, for ops whose row names them; axes, begin: likewise.
    body: of a scan, the nodes that compute the next state, which is the output of the last one, from a row of each
    input and the state (edgekws.graph.sums.step, STATE).
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    requant: Requant
    in_shape: Shape
    out_shape: Shape
    weight: np.ndarray | None = None
    weight_bits: int = 8
    window: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    out_scale: float = 1.0
    out_zero: int = 0
    pad_value: int = 0
    dilation: tuple[int, int] = (1, 1)
    operands: tuple[Operand, ...] = ()
    axes: tuple[int, ...] = ()
    begin: tuple[int, ...] = ()
    other_shapes: tuple[Shape, ...] = ()
    body: tuple[Node, ...] = ()

    @property
    def in_shapes(self) -> tuple[Shape, ...]:
        """The shape of every input."""
        others = self.other_shapes or (self.in_shape,) * (len(self.inputs) - 1)
        return (self.in_shape, *others)

    @property
    def is_unsigned(self) -> bool:
        """Whether outputs are bytes 0..255 rather than -128..127."""
        return self.requant.lo >= 0

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first to the last tap of a window."""
        rows, columns = ((taps - 1) * step + 1 for taps, step in zip(self.kernel, self.dilation, strict=True))
        return rows, columns

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of taps that one output position reads; (0, 0) for ops without windows."""
        if self.weight is not None and self.weight.ndim >= 3:
            return int(self.weight.shape[1]), int(self.weight.shape[2])
        return self.window

    @property
    def operation(self) -> Operation:
        """The row of the op table. Raises KeyError for an unknown op, which `Graph.check` refuses."""
        return OPS[self.op]

    @property
    def macs(self) -> int:
        return self.operation.macs(self)

    @property
    def weight_bytes(self) -> int:
        """Flash of the weights, packed; every filter begins at a byte."""
        if self.weight is None:
            return sum(node.weight_bytes for node in self.body)
        return len(self.weight) * -(-math.prod(self.weight.shape[1:]) * self.weight_bits // 8)

    @property
    def parameter_bytes(self) -> int:
        """Flash of this layer: weights, 32-bit offsets, multipliers (8 or 32 bit) and 8-bit shifts."""
        if self.body:
            return sum(node.parameter_bytes for node in self.body)
        if self.requant.is_identity:
            return self.weight_bytes
        per_channel = 9 if self.requant.is_fixed_point else 6
        return self.weight_bytes + per_channel * len(self.requant.offset)


@dataclass(frozen=True)
class Graph:
    """Nodes in an order of execution, from the int8 features to the int8 scores of the last one.

    The scores are logits, or probabilities where the last node is a softmax, as in imported graphs.
    features: the front end; UnknownFeatures where nobody said which. input_scale, input_zero: real value of one step of
    the input, and the integer that is real zero.
    """

    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
    features: FeatureSpec | UnknownFeatures
    target: str
    name: str = "model"
    input_scale: float = INPUT_SCALE
    provenance: dict[str, str] = field(default_factory=dict)
    input_zero: int = 0

    @property
    def in_shape(self) -> Shape:
        return (*self.features.shape, self.features.channels)

    @property
    def clip_shape(self) -> tuple[int, int]:
        """The shape in which executors take one input: (height, width * channels)."""
        height, width, channels = self.in_shape
        return height, width * channels

    @property
    def front_end(self) -> FeatureSpec:
        """The features that the model takes. Raises DataError where they are not known."""
        return known(self.features, self.name)

    def with_front_end(self, features: FeatureSpec) -> Graph:
        """The same integers, of inputs that `features` makes. Raises DataError where they do not fit the input.

        One scale and zero point for all coefficients have to be those of the input.
        """
        own, theirs = _input(self.in_shape), _input((*features.shape, features.channels))
        if features.is_uniform:
            own += f", zero point {self.input_zero}, scale {self.input_scale:.6g}"
            theirs += f", zero point {features.network_zero}, scale {features.network_scale:.6g}"
        if own != theirs:
            hint = "state the front end that the model was trained with, in a .json or .toml file"
            raise DataError(f"{self.name}: the features should be those of its input, {own}", got=theirs, hint=hint)
        return replace(self, features=features)

    @property
    def gives_probabilities(self) -> bool:
        """Whether scores are probabilities in steps of score_scale from -128, rather than logits."""
        return self.nodes[-1].op == "softmax"

    @property
    def score_scale(self) -> float:
        """Real value of one step of the scores."""
        return self.nodes[-1].out_scale

    def permille(self, scores: np.ndarray) -> np.ndarray:
        """Scores int8 [n, labels] -> probabilities in thousandths, int [n, labels], truncated: what boards print."""
        from edgekws.graph import softmax

        if self.gives_probabilities:
            return softmax.permille_of_probabilities(scores)
        return softmax.permille(scores, self.score_scale)

    @property
    def macs(self) -> int:
        return sum(node.macs for node in self.nodes)

    @property
    def parameter_bytes(self) -> int:
        return sum(node.parameter_bytes for node in self.nodes)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def last_uses(self) -> dict[str, int]:
        """The number of the last node that reads each tensor; the scores are read after all of them."""
        uses = {name: number for number, node in enumerate(self.nodes) for name in node.inputs}
        return {**uses, self.nodes[-1].name: len(self.nodes)}

    def ranges(self) -> Iterator[tuple[Node, int, int]]:
        """Each node with the lowest and highest integer of its inputs; a scan is followed by the nodes of its body."""
        yield from _ranges(self.nodes, {INPUT: (INPUT_MIN, INPUT_MAX)})

    def run(self, features: np.ndarray) -> np.ndarray:
        """features int8 [n, frames, coefficients] -> scores int8 [n, labels], by the interpreter."""
        from edgekws.graph import interp

        return interp.run(self, features)

    def compile(self, engine: str | None = None) -> Compiled:
        """A faster `run`, which gives the same integers: features int8 [n, frames, coefficients] -> int8 [n, labels].

        engine: "c", compiled for this computer at first use and kept in the user's cache, or "interp". By default C
        where there is a compiler; elsewhere the interpreter, with a warning. See edgekws.engines.
        """
        from edgekws.graph import executor

        return executor.compile(self, engine)

    def stream(self, engine: str | None = None) -> Stream:
        """The graph over an endless stream of rows: each push computes only what is new.

        engine: "c" or "interp", as for `compile`; by default C, where there is a compiler and C can stream each layer.
        The scores are those of edgekws.graph.stream.definition, and a stream of one clip ends with the scores of
        `run`. Raises TargetError with the layer that forbids a stream, such as one with padding after the last row.
        """
        from edgekws.graph import executor

        return executor.stream(self, engine)

    def check(self) -> None:
        """Prove that shapes fit, that scores are int8 and that no accumulator can overflow, whatever the input.

        Raises ArtifactError for a malformed graph and TargetError for a possible overflow or wide scores.
        """
        from edgekws.graph import _check

        _check.check(self)


def _ranges(nodes: tuple[Node, ...], known: dict[str, tuple[int, int]]) -> Iterator[tuple[Node, int, int]]:
    """known: lowest and highest integer of what the nodes read from outside."""
    ranges = dict(known)
    for node in nodes:
        read = [ranges[name] for name in node.inputs]
        lows, highs = zip(*read, strict=True)
        yield node, min(lows), max(highs)
        ranges[node.name] = (node.requant.lo, node.requant.hi)
        if node.body:
            steps = {step(number): each for number, each in enumerate(read)}
            yield from _ranges(node.body, {**steps, STATE: ranges[node.name]})


def _input(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def accumulator_bounds(node: Node, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest `acc` of each channel (int64 [c]) for inputs within lo..hi.

    Padding is pad_value, so the bounds also hold for every partial sum when 0 is within lo..hi.
    """
    lo, hi = min(lo, 0, node.pad_value), max(hi, 0, node.pad_value)
    low, high = node.operation.bounds(node, lo, hi)
    offset = node.requant.offset.astype(np.int64)
    return low + np.minimum(offset, 0), high + np.maximum(offset, 0)
