"""Random graphs that their target takes: every op of the table, every width, branches that join again.

Scales follow the sums that random inputs give, so that outputs use their range and clip at times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edgekws import plugins, targets
from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph, Node, Requant, Rule
from edgekws.graph.ops import OPS, Op, Operation
from tests.general_graphs import random_general

__all__ = ["LIMITS", "TARGETS", "across_channels", "random_dag", "random_general"]
Kind = Callable[[Operation], bool]
LIMITS = {8: 127, 4: 7, 2: 1}
TARGETS: dict[str, Rule] = {
    name: plugins.load("targets", name).RULE for name in sorted(plugins.names("targets"), reverse=True)
}


def random_dag(seed: int, target: str = "tinpu", bits: tuple[int, ...] = (8, 4, 2), weight_limit: int = 127) -> Graph:
    """A graph of 5 to 14 nodes. weight_limit: for the weights of 8 bits."""
    build = _Builder(np.random.default_rng(seed), target, bits, weight_limit)
    rng, channels = build.rng, int(build.rng.choice([4, 8, 12]))
    if target == "tinpu" and rng.random() < 0.3:
        build.plain(lambda op: op.reach == "position" and op.input_count == 1, signed=True)
    first = (int(rng.integers(1, 11)), int(rng.integers(1, 9)))
    build.conv(across_channels, first, channels, stride=(2, int(rng.integers(1, 3))), signed=bool(rng.random() < 0.3))
    for _ in range(rng.integers(1, 4)):
        rng.choice([build.separable, build.residual, build.general, build.pooled])()  # type: ignore[operator,arg-type]
    if rng.random() < 0.8:
        build.plain(lambda op: op.is_global_pool, signed=build.last.requant.lo < 0)
    build.linear(12, signed=True)
    return build.graph()


def across_channels(op: Operation) -> bool:
    return op.is_convolution and not op.is_depthwise


def _refused(name: Op, target: str) -> bool:
    """Whether the rules of `target` know no such op."""
    shape, op = (8, 8, 8), OPS[name]
    weight_shape = op.weight_shape(shape, 8, (1, 1))
    weight = None if weight_shape is None else np.ones(weight_shape, np.int8)
    window, out = (2, 2) if op.is_window_pool else (0, 0), op.out_shape(shape, 8, (1, 1), (1, 1), (0, 0, 0, 0))
    requant = replace(Requant.identity(8, 0, 255), rule=TARGETS[target])
    node = Node("n", name, (INPUT,) * op.input_count, requant, shape, out, weight, window=window)
    return targets.load(target)[0].legal(node) is not None


@dataclass
class _Builder:
    rng: np.random.Generator
    target: str
    bits: tuple[int, ...]
    weight_limit: int
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    spec: FeatureSpec = field(default_factory=FeatureSpec)

    def __post_init__(self) -> None:
        self.values[INPUT] = self.rng.integers(-128, 128, (8, *self.spec.shape, 1)).astype(np.int32)

    @property
    def last(self) -> Node:
        return self.nodes[-1]

    @property
    def shape(self) -> Shape:
        return self.last.out_shape if self.nodes else (*self.spec.shape, 1)

    def graph(self) -> Graph:
        labels = tuple(f"word{number}" for number in range(self.shape[2]))
        return Graph(tuple(self.nodes), labels, self.spec, self.target, name=f"random_{self.target}")

    def conv(
        self, kind: Kind, kernel: tuple[int, int], c_out: int, stride: tuple[int, int] = (1, 1), signed: bool = False
    ) -> None:
        """Padded at random, but never so that a window misses the input."""
        rng, (height, width, _), op = self.rng, self.shape, self._drawn(kind)
        kernel = (min(kernel[0], height), min(kernel[1], width))
        most = [(size - 1) // 2 for size in (kernel[0], kernel[0], kernel[1], kernel[1])]
        top, bottom, left, right = (int(rng.integers(0, side + 1)) for side in most)
        bits = int(rng.choice(self.bits))
        pad = (top, bottom, left, right)
        weight = self._weight(bits, OPS[op].weight_shape(self.shape, c_out, kernel))
        out = OPS[op].out_shape(self.shape, c_out, kernel, stride, pad)
        self._add(op, out, signed, weight, bits, stride=stride, pad=pad)

    def linear(self, c_out: int, signed: bool) -> None:
        bits = int(self.rng.choice(self.bits))
        op = self._drawn(lambda op: op.is_dense)
        weight = self._weight(bits, OPS[op].weight_shape(self.shape, c_out, (0, 0)))
        self._add(op, (1, 1, c_out), signed, weight, bits)

    def plain(self, kind: Kind, signed: bool) -> None:
        op = self._drawn(kind)
        self._add(op, OPS[op].out_shape(self.shape, 0, (0, 0), (1, 1), (0, 0, 0, 0)), signed)

    def separable(self, signed: bool = False) -> None:
        kernel = [(3, 3), (9, 1), (1, 5)][self.rng.integers(3)]
        self.conv(lambda op: op.is_depthwise, kernel, 0, signed=bool(self.rng.random() < 0.2))
        self.conv(across_channels, (1, 1), int(self.rng.choice([4, 8])), signed=signed)

    def general(self) -> None:
        kernel = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
        stride = (1, 1) if kernel == (1, 1) else (int(self.rng.integers(1, 3)), 1)
        self.conv(across_channels, kernel, 8, stride=stride)

    def pooled(self) -> None:
        height, width, _ = self.shape
        window = (min(2, height), min(int(self.rng.integers(1, 3)), width))
        op = self._drawn(lambda op: op.is_window_pool)
        shape = OPS[op].out_shape(self.shape, 0, window, window, (0, 0, 0, 0))
        self._add(op, shape, self.last.requant.lo < 0, window=window, stride=window)

    def residual(self) -> None:
        """x + pointwise(x), clipped as a ReLU or as signed bytes."""
        source, channels = self.last.name, self.shape[2]
        self.conv(across_channels, (1, 1), channels, signed=True)
        signed = bool(self.rng.random() < 0.3)
        self._add(self._drawn(lambda op: op.input_count == 2), self.shape, signed, inputs=(source, self.last.name))

    def _drawn(self, kind: Kind) -> Op:
        """An op of this kind that the target takes, whatever its attributes."""
        taken = [name for name, op in OPS.items() if op.is_basic and kind(op) and not _refused(name, self.target)]
        return str(self.rng.choice(taken))

    def _weight(self, bits: int, shape: tuple[int, ...] | None) -> np.ndarray:
        assert shape is not None, "drawn for an op without weights"
        limit = self.weight_limit if bits == 8 else LIMITS[bits]
        return self.rng.integers(-limit, limit + 1, shape).astype(np.int8)

    def _add(
        self, op: Op, out: Shape, signed: bool, weight: np.ndarray | None = None, bits: int = 8,
        inputs: tuple[str, ...] = (), **more: object,
    ) -> None:  # fmt: skip
        inputs = inputs or ((self.last.name,) if self.nodes else (INPUT,))
        lo, hi = (-128, 127) if signed else (0, 255)
        requant, name = Requant.identity(out[2], lo, hi), f"{op}{len(self.nodes)}"
        node = Node(name, op, inputs, requant, self.shape, out, weight, bits, **more)  # type: ignore[arg-type]
        read = [self.values[source] for source in inputs]
        if node.operation.is_scaled:
            node = replace(node, requant=self._requant(interp.accumulate(node, *read), node, lo, hi))
        self.values[name] = interp.run_node(node, *read)
        self.nodes.append(node)

    def _requant(self, acc: np.ndarray, node: Node, lo: int, hi: int) -> Requant:
        """The factor that spreads these sums over about half of the output range, another one for each channel."""
        rng, channels = self.rng, acc.shape[3]
        spread = acc.reshape(-1, channels).std(0) + 1
        factor = np.minimum(60 / spread * rng.uniform(0.5, 2, channels), 0.9)
        offset = (rng.normal(0, 1, channels) * spread + 0.5 / factor).astype(np.int32)
        rule = TARGETS[self.target]
        if rule == "fixed-point":
            shift = np.floor(-np.log2(factor)).astype(int)
            mult = np.clip(factor * 2.0 ** (31 + shift), 1 << 30, (1 << 31) - 1).astype(np.int32)
            return Requant(offset, mult, shift.astype(np.uint8), lo, hi, rule)
        wide = node.operation.reach == "position" or node.weight_bits < 8
        shift = np.clip(np.round(-np.log2(factor)).astype(int), 0, 31)
        if wide:
            shift = np.minimum(shift + 6, 16)
        mult = np.clip(np.round(factor * 2.0**shift), 1, 255) if wide else np.ones(channels)
        return Requant(offset, mult.astype(np.uint8), shift.astype(np.uint8), lo, hi)
