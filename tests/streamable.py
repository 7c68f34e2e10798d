"""Random graphs that run over streams, and networks built without padding in time.

`random_streamable` draws what edgekws.graph.stream allows: windows that look back, strides, residuals whose shortcut is
cropped, joined branches, pools of both kinds, and layers that read all rows of a clip.
"""

from __future__ import annotations

import numpy as np

from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.ops import OPS, Op
from tests.general_nodes import Nodes, Pair

STREAM_SPEC = FeatureSpec(clip_samples=23_840, level="stream")
"""74 rows of 10 coefficients."""


def random_streamable(seed: int) -> Graph:
    """A graph of 4 to about 20 nodes that `Graph.stream` takes, proven by Graph.check."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(16, 40)), int(rng.integers(3, 11))
    build = _Network(rng, frozenset(), (8, 4), UnknownFeatures(shape, int(rng.choice([1, 1, 2]))))
    build.window("conv2d", int(rng.integers(1, 6)), int(rng.choice([3, 4, 8])), stride=int(rng.integers(1, 4)))
    segments = (
        build.separable, build.residual, build.joined, build.pooled, build.rows_apart, build.gate, build.cropped
    )  # fmt: skip
    for _ in range(rng.integers(1, 5)):
        segments[rng.integers(len(segments))]()
    build.ending()
    graph = build.graph()
    graph.check()
    return graph


class _Network(Nodes):
    """The segments of a network; each goes on from the tensor `at`."""

    def pad(self, kernel: Pair, dilation: Pair) -> tuple[int, int, int, int]:
        """In time before the stream only, or not at all."""
        extents = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
        top = 0 if self.rng.random() < 0.6 else int(self.rng.integers(0, extents[0]))
        return (
            top,
            0,
            int(self.rng.integers(0, (extents[1] + 1) // 2)),
            int(self.rng.integers(0, (extents[1] + 1) // 2)),
        )

    def window(self, op: Op, rows: int, c_out: int = 0, stride: int = 1) -> None:
        columns = int(self.rng.integers(1, 4))
        dilation = (int(self.rng.integers(1, 3)), 1) if self.shape[0] > 8 else (1, 1)
        self.conv(op, (rows, columns), c_out, stride=(stride, int(self.rng.integers(1, 3))), dilation=dilation)

    def separable(self) -> None:
        stride = 2 if self.shape[0] > 8 and self.rng.random() < 0.4 else 1
        self.window("depthwise_conv2d", int(self.rng.integers(1, 5)), stride=stride)
        self.conv("conv2d", (1, 1), int(self.rng.choice([3, 4, 8])))

    def residual(self) -> None:
        """With the shortcut cropped to the rows that the branch has; where in it is free: a centred or older row."""
        source, (rows, _, channels) = self.at, self.shape
        self.conv("depthwise_conv2d", (min(int(self.rng.integers(1, 5)), rows), 1), 0)
        self.conv("conv2d", (1, 1), channels)
        branch, left = self.at, self.shape[0]
        if left > rows:
            return
        if rows > left:
            self.sliced(source, 0, int(self.rng.integers(0, rows - left + 1)), left)
            source = self.at
        self.at = branch
        self.rescaled_add((source, branch) if self.rng.random() < 0.5 else (branch, source))

    def joined(self) -> None:
        """Channels of a tensor and of older rows of it."""
        source, rows = self.at, self.shape[0]
        if rows < 3:
            return
        left = int(self.rng.integers(rows // 2, rows))
        parts = [self.sliced(source, 0, int(self.rng.integers(0, rows - left + 1)), left) for _ in range(2)]
        self.concat(parts, int(self.rng.integers(1, 3)))

    def pooled(self) -> None:
        rows, width, _ = self.shape
        window = (min(int(self.rng.integers(1, 4)), rows), min(int(self.rng.integers(1, 4)), width))
        stride = min(int(self.rng.integers(1, 3)), rows)
        op = ("max_pool", "average_pool")[self.rng.integers(2)]
        top = int(self.rng.integers(0, window[0])) if op == "max_pool" and self.rng.random() < 0.3 else 0
        value = self.range_of(self.at)[0] if top else 0
        self.unscaled(op, window=window, stride=(stride, 1), pad=(top, 0, 0, 0), pad_value=value)

    def rows_apart(self) -> None:
        """Layers that keep rows: tables, factors, other orders of the values of a row."""
        rows, width, channels = self.shape
        kind = int(self.rng.integers(5))
        if kind == 0:
            self.table()
        elif kind == 1:
            self.scaled()
        elif kind == 2:
            self.transpose((0, 2, 1))
        elif kind == 3:
            self.reshape((rows, channels, width))
        else:
            self.softmax()

    def gate(self) -> None:
        source = self.at
        self.table()
        self.mul((source, self.at))

    def cropped(self) -> None:
        rows, width, _ = self.shape
        axis = int(self.rng.integers(2))
        size = (rows, width)[axis]
        left = int(self.rng.integers((size + 1) // 2, size + 1))
        self.sliced(self.at, axis, int(self.rng.integers(0, size - left + 1)), left)

    def ending(self) -> None:
        """All rows to one, and scores."""
        rng, (rows, width, channels), source = self.rng, self.shape, self.at
        kind = int(rng.integers(7))
        if kind == 0 and rows * width > 1:
            self.unscaled("average_pool", window=(rows, width), stride=(rows, width))
        elif kind == 1:
            self.unscaled("max_pool", window=(rows, width), stride=(rows, width))
        elif kind == 2:
            self.reshape((1, rows * width, channels))
        elif kind == 3:
            self.pool()
            scores, self.at = self.at, source
            self.sliced(source, 0, rows - 1, 1)
            self.sliced(self.at, 1, int(rng.integers(width)), 1)
            self.rescaled_add((scores, self.at))
        elif kind > 3:
            self.pool()
        self.linear(5, signed=True)
        if rng.random() < 0.3:
            self.softmax()


def valid_dscnn(seed: int = 0, channels: int = 64, blocks: int = 4, rows: int = 25, labels: int = 12) -> Graph:
    """The DS-CNN without padding in time, with random weights, for TI's rules: `rows` rows reach the pool."""
    build = Layers(np.random.default_rng(seed), STREAM_SPEC)
    build.conv("conv2d", (10, 4), channels, stride=(2, 2), sides=1)
    for _ in range(blocks):
        build.conv("depthwise_conv2d", (3, 3), channels, sides=1)
        build.conv("conv2d", (1, 1), channels)
    assert build.shape[0] == rows, "the clip of the features"
    return build.scores(labels)


class Layers:
    """Plain layers with random weights, one after the other, for TI's rules."""

    def __init__(self, rng: np.random.Generator, features: FeatureSpec) -> None:
        self.rng, self.features = rng, features
        self.nodes: list[Node] = []

    @property
    def at(self) -> str:
        return self.nodes[-1].name if self.nodes else INPUT

    @property
    def shape(self) -> Shape:
        return self.nodes[-1].out_shape if self.nodes else (*self.features.shape, 1)

    def conv(self, op: Op, kernel: Pair, c_out: int, stride: Pair = (1, 1), sides: int = 0) -> None:
        """sides: columns of padding on each side."""
        pad = (0, 0, sides, sides)
        out = OPS[op].out_shape(self.shape, c_out, kernel, stride, pad)
        self._add(op, out, OPS[op].weight_shape(self.shape, c_out, kernel), 255, stride=stride, pad=pad)

    def add(self, first: str, second: str) -> None:
        self.nodes.append(
            Node(
                f"n{len(self.nodes)}",
                "add",
                (first, second),
                Requant.identity(self.shape[2], 0, 255),
                self.shape,
                self.shape,
            )
        )

    def crop(self, source: Node, begin: int, rows: int) -> str:
        shape = (rows, *source.out_shape[1:])
        requant = Requant.identity(shape[2], source.requant.lo, source.requant.hi)
        self.nodes.append(
            Node(f"n{len(self.nodes)}", "slice", (source.name,), requant, source.out_shape, shape, begin=(begin, 0, 0))
        )
        return self.at

    def scores(self, labels: int) -> Graph:
        pooled = (1, 1, self.shape[2])
        self._add("global_sum_pool", pooled, None, 255)
        self._add("linear", (1, 1, labels), (labels, self.shape[2]), 127)
        names = tuple(f"word{number}" for number in range(labels))
        graph = Graph(tuple(self.nodes), names, self.features, "tinpu", name="streamed")
        graph.check()
        return graph

    def _add(self, op: Op, out: Shape, weight: tuple[int, ...] | None, hi: int, **more: object) -> None:
        rng, summed = self.rng, int(np.prod(weight[1:])) if weight else int(np.prod(self.shape[:2]))
        spread = 90 * 64 * summed**0.5 if weight else 128 * summed
        shift = max(int(np.ceil(np.log2(spread / 60))), 0)
        requant = Requant(
            rng.integers(-1000, 1000, out[2]).astype(np.int32), np.ones(out[2], np.uint8),
            np.full(out[2], shift, np.uint8), 0 if hi == 255 else -128, hi,
        )  # fmt: skip
        values = None if weight is None else rng.integers(-127, 128, weight).astype(np.int8)
        node = Node(f"n{len(self.nodes)}", op, (self.at,), requant, self.shape, out, values, **more)  # type: ignore[arg-type]
        self.nodes.append(node)
