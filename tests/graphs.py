"""Random graphs that TI's NPU would take: every op, every width, branches that add up again.

Scales of the stages follow the sums that random inputs give, so that outputs use their range and clip at times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, Graph, Node, Op, Requant, Rule, Shape

LIMITS = {8: 127, 4: 7, 2: 1}
TARGETS: dict[str, Rule] = {"tinpu": "offset-scale-shift", "int8": "fixed-point"}


def random_dag(seed: int, target: str = "tinpu", bits: tuple[int, ...] = (8, 4, 2), weight_limit: int = 127) -> Graph:
    """A graph of 5 to 14 nodes. weight_limit: for the weights of 8 bits."""
    build = _Builder(np.random.default_rng(seed), TARGETS[target], bits, weight_limit)
    rng, channels = build.rng, int(build.rng.choice([4, 8, 12]))
    if target == "tinpu" and rng.random() < 0.3:
        build.plain("scale", signed=True)
    first = (int(rng.integers(1, 11)), int(rng.integers(1, 9)))
    build.conv("conv2d", first, channels, stride=(2, int(rng.integers(1, 3))), signed=bool(rng.random() < 0.3))
    for _ in range(rng.integers(1, 4)):
        rng.choice([build.separable, build.residual, build.general, build.pooled])()  # type: ignore[operator,arg-type]
    if rng.random() < 0.8:
        build.plain("global_sum_pool", signed=build.last.requant.lo < 0)
    build.linear(12, signed=True)
    return build.graph(target)


@dataclass
class _Builder:
    rng: np.random.Generator
    rule: Rule
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

    def graph(self, target: str) -> Graph:
        labels = tuple(f"word{number}" for number in range(self.shape[2]))
        return Graph(tuple(self.nodes), labels, self.spec, target, name=f"random_{target}")

    def conv(
        self, op: Op, kernel: tuple[int, int], c_out: int, stride: tuple[int, int] = (1, 1), signed: bool = False
    ) -> None:
        """Padded at random, but never so that a window misses the input."""
        rng, (height, width, c_in) = self.rng, self.shape
        kernel = (min(kernel[0], height), min(kernel[1], width))
        most = [(size - 1) // 2 for size in (kernel[0], kernel[0], kernel[1], kernel[1])]
        top, bottom, left, right = (int(rng.integers(0, side + 1)) for side in most)
        bits = int(rng.choice(self.bits))
        shape = (c_in, *kernel) if op == "depthwise_conv2d" else (c_out, *kernel, c_in)
        rows = (height + top + bottom - kernel[0]) // stride[0] + 1
        columns = (width + left + right - kernel[1]) // stride[1] + 1
        out = (rows, columns, c_in if op == "depthwise_conv2d" else c_out)
        self._add(op, out, signed, self._weight(bits, shape), bits, stride=stride, pad=(top, bottom, left, right))

    def linear(self, c_out: int, signed: bool) -> None:
        bits = int(self.rng.choice(self.bits))
        weight = self._weight(bits, (c_out, int(np.prod(self.shape))))
        self._add("linear", (1, 1, c_out), signed, weight, bits)

    def plain(self, op: Op, signed: bool) -> None:
        height, width, channels = self.shape
        self._add(op, (1, 1, channels) if op == "global_sum_pool" else (height, width, channels), signed)

    def separable(self, signed: bool = False) -> None:
        kernel = [(3, 3), (9, 1), (1, 5)][self.rng.integers(3)]
        self.conv("depthwise_conv2d", kernel, 0, signed=bool(self.rng.random() < 0.2))
        self.conv("conv2d", (1, 1), int(self.rng.choice([4, 8])), signed=signed)

    def general(self) -> None:
        kernel = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
        stride = (1, 1) if kernel == (1, 1) else (int(self.rng.integers(1, 3)), 1)
        self.conv("conv2d", kernel, 8, stride=stride)

    def pooled(self) -> None:
        height, width, channels = self.shape
        window = (min(2, height), min(int(self.rng.integers(1, 3)), width))
        shape = (height // window[0], width // window[1], channels)
        self._add("max_pool", shape, self.last.requant.lo < 0, window=window, stride=window)

    def residual(self) -> None:
        """x + pointwise(x), clipped as a ReLU or as signed bytes."""
        source, channels = self.last.name, self.shape[2]
        self.conv("conv2d", (1, 1), channels, signed=True)
        self._add("add", self.shape, bool(self.rng.random() < 0.3), inputs=(source, self.last.name))

    def _weight(self, bits: int, shape: tuple[int, ...]) -> np.ndarray:
        limit = self.weight_limit if bits == 8 else LIMITS[bits]
        return self.rng.integers(-limit, limit + 1, shape).astype(np.int8)

    def _add(
        self, op: Op, out: Shape, signed: bool, weight: np.ndarray | None = None, bits: int = 8,
        inputs: tuple[str, ...] = (), **more: object,
    ) -> None:  # fmt: skip
        inputs = inputs or ((self.last.name,) if self.nodes else (INPUT,))
        lo, hi = (-128, 127) if signed else (0, 255)
        stage, name = Requant.identity(out[2], lo, hi), f"{op}{len(self.nodes)}"
        node = Node(name, op, inputs, stage, self.shape, out, weight, bits, **more)  # type: ignore[arg-type]
        read = [self.values[source] for source in inputs]
        if op not in ("add", "max_pool"):
            node = replace(node, requant=self._stage(interp.accumulate(node, *read), node, lo, hi))
        self.values[name] = interp.run_node(node, *read)
        self.nodes.append(node)

    def _stage(self, acc: np.ndarray, node: Node, lo: int, hi: int) -> Requant:
        """The factor that spreads these sums over about half of the output range, another one for each channel."""
        rng, channels = self.rng, acc.shape[3]
        spread = acc.reshape(-1, channels).std(0) + 1
        factor = np.minimum(60 / spread * rng.uniform(0.5, 2, channels), 0.9)
        offset = (rng.normal(0, 1, channels) * spread + 0.5 / factor).astype(np.int32)
        if self.rule == "fixed-point":
            shift = np.floor(-np.log2(factor)).astype(int)
            mult = np.clip(factor * 2.0 ** (31 + shift), 1 << 30, (1 << 31) - 1).astype(np.int32)
            return Requant(offset, mult, shift.astype(np.uint8), lo, hi, self.rule)
        wide = node.op == "scale" or node.weight_bits < 8
        shift = np.clip(np.round(-np.log2(factor)).astype(int), 0, 31)
        if wide:
            shift = np.minimum(shift + 6, 16)
        mult = np.clip(np.round(factor * 2.0**shift), 1, 255) if wide else np.ones(channels)
        return Requant(offset, mult.astype(np.uint8), shift.astype(np.uint8), lo, hi)
