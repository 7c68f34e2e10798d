"""Nodes with random attributes, one after the other: what tests/general_graphs.py builds networks of.

Scales and zero points belong to the integers as TFLite defines them, so that emitters of real scales can use them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph import interp
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, Requant, Rule
from edgekws.graph.ops import OPS, Op
from edgekws.graph.sums import ADD_SHIFT

_SAMPLES = 8
_SPREAD = 45
"""Standard deviation of the outputs, in steps, before they are clipped."""
_SOFTMAX_BITS = 26
Pair = tuple[int, int]


@dataclass
class Nodes:
    """Adds nodes to the tensor `at`, and keeps what a few random inputs give: ranges are used, and left at times."""

    rng: np.random.Generator
    without: frozenset[Op]
    bits: tuple[int, ...]
    features: FeatureSpec | UnknownFeatures
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    at: str = INPUT

    def __post_init__(self) -> None:
        shape = (_SAMPLES, *self.features.shape, self.features.channels)
        self.values[INPUT] = self.rng.integers(-128, 128, shape).astype(np.int32)
        self.input_zero = int(self.rng.integers(-128, 128))
        self.input_scale = float(self.rng.uniform(0.02, 0.6))

    def graph(self) -> Graph:
        labels = tuple(f"word{number}" for number in range(self.shape[2]))
        return Graph(
            tuple(self.nodes), labels, self.features, "int8", name="random_general",
            input_scale=self.input_scale, input_zero=self.input_zero,
        )  # fmt: skip

    def shape_of(self, name: str) -> Shape:
        height, width, channels = self.values[name].shape[1:]
        return height, width, channels

    @property
    def shape(self) -> Shape:
        return self.shape_of(self.at)

    def scale_of(self, name: str) -> float:
        return self.input_scale if name == INPUT else self._node(name).out_scale

    def zero_of(self, name: str) -> int:
        return self.input_zero if name == INPUT else self._node(name).out_zero

    def range_of(self, name: str) -> Pair:
        return SIGNED if name == INPUT else (self._node(name).requant.lo, self._node(name).requant.hi)

    def _node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def conv(
        self, op: Op, kernel: Pair, c_out: int, stride: Pair = (1, 1), dilation: Pair = (1, 1), signed: bool = False
    ) -> None:
        height, width, channels = self.shape
        kernel = (min(kernel[0], height), min(kernel[1], width))
        dilation = tuple(
            step if (taps - 1) * step < size else 1
            for step, taps, size in zip(dilation, kernel, (height, width), strict=True)
        )  # type: ignore[assignment]
        pad = self.pad(kernel, dilation)
        out = OPS[op].out_shape(self.shape, c_out, kernel, stride, pad, dilation)
        weight = OPS[op].weight_shape((height, width, channels), c_out, kernel)
        value = self.zero_of(self.at) if any(pad) else 0
        self._weighted(op, out, weight, signed, stride=stride, pad=pad, pad_value=value, dilation=dilation)

    def linear(self, c_out: int, signed: bool = False) -> None:
        self._weighted("linear", (1, 1, c_out), OPS["linear"].weight_shape(self.shape, c_out, (0, 0)), signed)

    def pool(self) -> None:
        """The mean over all positions, on another scale."""
        area, channels = math.prod(self.shape[:2]), self.shape[2]
        lo, hi, zero = self._range()
        factor = np.full(channels, self.rng.uniform(0.6, 2.5) / area)
        requant = self._requant(factor, np.full(channels, -area * self.zero_of(self.at)), lo, hi, zero)
        scale = self.scale_of(self.at) / (area * float(factor[0]))
        self._add("global_sum_pool", (self.at,), (1, 1, channels), requant, scale=scale)

    def scaled(self) -> None:
        """Real factors above 1 too: shifts below 0."""
        factor = self.rng.uniform(0.5, 9, self.shape[2])
        zero = np.full(self.shape[2], self.zero_of(self.at))
        noise = self.rng.integers(-20, 21, self.shape[2])
        lo, hi, out = self._range()
        requant = self._requant(factor, noise - zero, lo, hi, out)
        self._add("scale", (self.at,), self.shape, requant, scale=self.scale_of(self.at) / float(factor.max()))

    def rescaled_add(self, inputs: tuple[str, str]) -> None:
        """The multipliers are those of TFLite's ADD."""
        scales = [self.scale_of(name) for name in inputs]
        out_scale = max(scales) * float(self.rng.uniform(0.6, 1.5))
        operands = [
            Operand(self.zero_of(name), *_multiplier(scale / (2 * max(scales))))
            for name, scale in zip(inputs, scales, strict=True)
        ]
        channels, (lo, hi, zero) = self.shape_of(inputs[0])[2], self._range()
        factor = np.full(channels, 2 * max(scales) / (2**ADD_SHIFT * out_scale))
        requant = self._requant(factor, np.zeros(channels), lo, hi, zero, "fixed-point")
        self._pair("rescaled_add", inputs, operands, requant, out_scale)

    def mul(self, inputs: tuple[str, str]) -> None:
        """The second input may be repeated."""
        operands = [Operand(self.zero_of(name)) for name in inputs]
        spread = math.prod(float(np.std(self.values[name])) + 1 for name in inputs)
        channels, (lo, hi, zero) = self.shape_of(inputs[0])[2], self._range()
        factor = _SPREAD / spread * float(self.rng.uniform(0.3, 1))
        requant = self._requant(np.full(channels, factor), np.zeros(channels), lo, hi, zero)
        self._pair("mul", inputs, operands, requant, math.prod(map(self.scale_of, inputs)) / factor)

    def table(self) -> None:
        """One for all channels, or one for each."""
        rows = self.shape[2] if self.rng.random() < 0.3 else 1
        lo, hi, zero = self._range()
        steps = np.sort(self.rng.integers(lo, hi + 1, (rows, 256)), axis=1)
        weight = np.roll(steps, int(self.rng.integers(256)), axis=1).astype(np.uint8).view(np.int8)
        scale = float(self.rng.uniform(0.004, 0.1))
        requant = Requant.identity(self.shape[2], lo, hi)
        self._add("table", (self.at,), self.shape, requant, scale=scale, zero=zero, weight=weight)

    def softmax(self) -> None:
        """The multiplier is that of TFLite's SOFTMAX; a step of the input at least 2^-26."""
        mult, shift = _multiplier(min(self.scale_of(self.at) * 2.0**_SOFTMAX_BITS, 2.0**31 - 1))
        requant = Requant.identity(self.shape[2], *SIGNED)
        operands = (Operand(0, mult, shift),)
        self._add("softmax", (self.at,), self.shape, requant, scale=1 / 256, zero=-128, operands=operands)

    def concat(self, names: list[str], axis: int) -> None:
        shapes = [self.shape_of(name) for name in names]
        out = list(shapes[0])
        out[axis] = sum(shape[axis] for shape in shapes)
        self.unscaled("concat", tuple(names), (out[0], out[1], out[2]), axes=(axis,))

    def transpose(self, axes: tuple[int, ...]) -> None:
        height, width, channels = (self.shape[axis] for axis in axes)
        self.unscaled("transpose", out=(height, width, channels), axes=axes)

    def reshape(self, shape: Shape) -> None:
        self.unscaled("reshape", out=shape)

    def sliced(self, source: str, axis: int, begin: int, size: int) -> str:
        shape, start = list(self.shape_of(source)), [0, 0, 0]
        shape[axis], start[axis], self.at = size, begin, source
        self.unscaled("slice", out=(shape[0], shape[1], shape[2]), begin=tuple(start))
        return self.at

    def unscaled(self, op: Op, inputs: tuple[str, ...] = (), out: Shape | None = None, **more: Any) -> None:
        """An op that only clips: the range of its inputs, or a part of it."""
        inputs = inputs or (self.at,)
        lo, hi = min(self.range_of(name)[0] for name in inputs), max(self.range_of(name)[1] for name in inputs)
        lo, hi = (lo, min(hi, SIGNED[1])) if lo < 0 else (lo, hi)
        if self.rng.random() < 0.3 and hi - lo > 8:
            lo, hi = lo + int(self.rng.integers(0, (hi - lo) // 3)), hi - int(self.rng.integers(0, (hi - lo) // 3))
        row, shape = OPS[op], self.shape_of(inputs[0])
        if out is None:
            window = more.get("window", (1, 1))
            out = row.out_shape(shape, 0, window, more.get("stride", (1, 1)), more.get("pad", (0, 0, 0, 0)))
        ends = SIGNED if lo < 0 else UNSIGNED
        zero = min(max(self.zero_of(inputs[0]) * (2 if op == "add" else 1), ends[0]), ends[1])
        self._add(
            op, inputs, out, Requant.identity(out[2], lo, hi), scale=self.scale_of(inputs[0]), zero=zero, **more
        )  # fmt: skip

    def _pair(
        self, op: Op, inputs: tuple[str, str], operands: list[Operand], requant: Requant, scale: float
    ) -> None:  # fmt: skip
        self._add(op, inputs, self.shape_of(inputs[0]), requant, scale=scale, operands=tuple(operands))

    def _weighted(self, op: Op, out: Shape, weight_shape: tuple[int, ...] | None, signed: bool, **more: Any) -> None:
        assert weight_shape is not None
        bits = int(self.rng.choice(self.bits))
        most = (1 << (bits - 1)) - 1
        limit = most if self.rng.random() < 0.7 else max(most // 16, 1)
        weight = self.rng.integers(-limit - (limit == most), limit + 1, weight_shape).astype(np.int8)
        lo, hi, zero = self._range(signed)
        plain = Requant.identity(out[2], lo, hi)
        node = Node("n", op, (self.at,), plain, self.shape, out, weight, bits, **more)
        sums = interp.accumulate(node, self.values[self.at]).reshape(-1, out[2])
        spread = sums.std(0) + 1
        factor = _SPREAD / spread * self.rng.uniform(0.5, 2, out[2])
        middle = (lo + hi) / 2 - zero + self.rng.normal(0, 30, out[2])
        rule: Rule = "fixed-point-once" if self.rng.random() < (0.6 if op == "linear" else 0.1) else "fixed-point"
        requant = self._requant(factor, middle / factor - sums.mean(0), lo, hi, zero, rule)
        scale = float(self.rng.uniform(0.02, 0.2))
        self._add(op, (self.at,), out, requant, scale=scale, weight=weight, weight_bits=bits, **more)

    def _add(
        self, op: Op, inputs: tuple[str, ...], out: Shape, requant: Requant, scale: float, zero: int | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        shapes = [self.shape_of(name) for name in inputs]
        others = tuple(shapes[1:]) if len(set(shapes)) > 1 else ()
        name = f"{op}{len(self.nodes)}"
        zero = requant.zero if zero is None else zero
        node = Node(
            name, op, inputs, requant, shapes[0], out, out_scale=scale, out_zero=zero, other_shapes=others, **more
        )
        self.values[name] = interp.run_node(node, *(self.values[source] for source in inputs))
        self.nodes.append(node)
        self.at = name

    # Attributes.

    def _range(self, signed: bool = False) -> tuple[int, int, int]:
        """(lo, hi, zero point): after a ReLU the zero point is the least, and ReLU6 ends below the type's range."""
        rng = self.rng
        if not signed and rng.random() < 0.5:
            return 0, 255 if rng.random() < 0.7 else int(rng.integers(100, 255)), 0
        lo, hi, zero = *SIGNED, int(rng.integers(-128, 128))
        if rng.random() < 0.3:
            lo = min(zero, 60)
        if rng.random() < 0.3:
            hi = int(rng.integers(max(lo, zero - 1) + 1, 128))
        return lo, max(hi, lo + 20), zero

    def _requant(
        self, factor: np.ndarray, offset: np.ndarray, lo: int, hi: int, zero: int, rule: Rule | None = None
    ) -> Requant:
        """factor, offset: float64 [c]; real values of the multiplier, and of what is added before."""
        mult, shift = zip(*map(_multiplier, factor), strict=True)
        shifts = np.array(shift)
        stored = shifts.astype(np.int8 if shifts.min() < 0 else np.uint8)
        drawn: Rule = rule or ("fixed-point-once" if self.rng.random() < 0.1 else "fixed-point")
        return Requant(np.round(offset).astype(np.int32), np.array(mult, np.int32), stored, lo, hi, drawn, zero)

    def pad(self, kernel: Pair, dilation: Pair) -> tuple[int, int, int, int]:
        """Less than a window on each side, and on both sides together no more than keeps it inside."""
        most = [(taps - 1) * step // 2 for taps, step in zip(kernel, dilation, strict=True)]
        top, bottom, left, right = (int(self.rng.integers(0, side + 1)) for side in (*most[:1] * 2, *most[1:] * 2))
        return top, bottom, left, right

    def dilation(self) -> Pair:
        return int(self.rng.integers(1, 4)), int(self.rng.integers(1, 3))


def _multiplier(factor: float) -> Pair:
    """(mult, shift) of a real factor above 0, as TFLite rounds it: mult / 2^31 / 2^shift."""
    fraction, exponent = math.frexp(factor)
    mult = round(fraction * 2**31)
    return (mult // 2, -exponent - 1) if mult == 1 << 31 else (mult, -exponent)
