"""Files with the structure of TI's own exporter, in its raw and in its simplified form, with random integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from tests.importers.float_onnx import Net


class TiNet(Net):
    """raw: constants are nodes, shifts are divisions, bounds of Clip are inputs, Identity stands between layers.

    Simplified: initializers, biases inside Gemm, one factor for multiplier and shift where `merged`.
    """

    def __init__(self, seed: int, raw: bool, merged: bool = False, shape: tuple[int, ...] = (1, 49, 10)) -> None:
        super().__init__(seed, shape)
        self.raw, self.merged = raw, merged

    def constant(self, value: Any) -> str:
        if not self.raw:
            return super().constant(value)
        name = f"constant{len(self.nodes)}"
        tensor = numpy_helper.from_array(np.array(value, order="C"), f"{name}_value")
        self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

    def floats(self, value: Any) -> str:
        return self.constant(np.asarray(value, np.float32))

    def integers(self, limit: int, *shape: int) -> str:
        return self.floats(self.rng.integers(-limit, limit + 1, shape))

    def clip(self, x: str, lo: float, hi: float) -> str:
        return self.add("Clip", x, self.floats(lo), self.floats(hi))

    def stage(self, x: str, shape: tuple[int, ...], spread: int, bits: int, lo: int, hi: int) -> str:
        """Add, Mul, Mul or Div, Floor, Clip. spread: about what the sums reach."""
        shift = self.rng.integers(-2, 1, shape) + max(int(np.log2(spread / 60)), 2)
        mult = np.ones(shape) if bits == 8 else self.rng.integers(64, 256, shape)
        shift = shift + (0 if bits == 8 else 7)
        x = self.add("Add", x, self.floats(self.rng.integers(-spread // 9, spread // 9, shape)))
        return self.scaled(x, mult, shift, lo, hi)

    def scaled(self, x: str, mult: Any, shift: Any, lo: int, hi: int) -> str:
        if self.merged:
            x = self.add("Mul", x, self.floats(mult * 2.0**-shift))
        elif self.raw:
            x = self.add("Div", self.add("Mul", x, self.floats(mult)), self.floats(2.0**shift))
        else:
            x = self.add("Mul", self.add("Mul", x, self.floats(mult)), self.floats(2.0**-shift))
        return self.clip(self.add("Floor", x), lo, hi)

    def input_stage(self, scale: float = 1.0, unsigned: bool = False) -> str:
        """floor((x + scale / 2) * 128 / 128 / scale)"""
        x = self.add("Add", "x", self.floats(0.5 * scale))
        lo, hi = (0, 255) if unsigned else (-128, 127)
        x = self.scaled(x, np.array(128.0), np.round(np.log2(128 * scale)), lo, hi)
        return self.add("Identity", x) if self.raw else x

    def block(
        self, x: str, c_in: int, c_out: int, kernel: tuple[int, int], bits: int = 8, relu: bool = True, **more: Any
    ) -> str:
        fan_in = c_in // more.get("group", 1) * kernel[0] * kernel[1]
        limit = {8: 127, 4: 7, 2: 1}[bits]
        weight = self.integers(limit, c_out, c_in // more.get("group", 1), *kernel)
        x = self.add("Conv", x, weight, kernel_shape=list(kernel), **more)
        lo, hi = (-255, 255) if relu else (-128, 127)
        x = self.stage(x, (1, c_out, 1, 1), int(limit * 60 * np.sqrt(fan_in)), bits, lo, hi)
        return self.clip(self.add("Relu", x), 0, 255) if relu else x

    def mean(self, x: str, area: int, channels: int) -> str:
        """ReduceSum, Round, and a stage of single numbers; the result has two axes."""
        axes = self.constant(np.array([2, 3], np.int64))
        x = self.add("Round", self.add("ReduceSum", x, axes, keepdims=0))
        mult, shift = 131.0, np.round(np.log2(131 * area))
        x = self.add("Add", x, self.floats([[np.round(2.0 ** (shift - 1) / mult)]]))
        return self.scaled(x, np.array([[mult]]), np.array([[shift]]), 0, 255)

    def linear(self, x: str, c_in: int, c_out: int, bits: int = 8, scale: float = 0.0, gain: int = 3) -> str:
        """MatMul and Add, or Gemm with the offset; scale: of the outputs, where they are real numbers."""
        limit = {8: 127, 4: 7, 2: 1}[bits]
        weight, spread = self.integers(limit, c_in, c_out), int(limit * 60 * np.sqrt(c_in))
        offset = self.floats(self.rng.integers(-spread // 9, spread // 9, (c_out,)))
        x = (
            self.add("Gemm", x, weight, offset)
            if not self.raw
            else self.add("Add", self.add("MatMul", x, weight), offset)
        )
        mult = np.ones((1, c_out)) if bits == 8 else self.rng.integers(64, 256, (1, c_out))
        shift = np.full((1, c_out), max(int(np.log2(spread / 60)) - gain, 0) + (0 if bits == 8 else 8))
        x = self.scaled(x, mult, shift, -128, 127)
        return self.add("Mul", x, self.floats(scale)) if scale else x


def ds_cnn(
    seed: int, raw: bool, bits: int = 8, merged: bool = False, scale: float = 0.0, unsigned: bool = False
) -> bytes:
    """The keyword spotter of TI's example, with 8 channels."""
    net = TiNet(seed, raw, merged)
    x = net.input_stage(2.0, unsigned)
    x = net.block(x, 1, 8, (10, 4), bits, strides=[2, 2], pads=[5, 1, 5, 1])
    for _ in range(2):
        x = net.block(x, 8, 8, (3, 3), bits, group=8, pads=[1, 1, 1, 1])
        x = net.block(x, 8, 8, (1, 1), bits)
    x = net.mean(x, 125, 8)
    return net.model(net.linear(x, 8, 5, bits, scale), 5)


def pools(seed: int, raw: bool) -> bytes:
    """Maxima, means of windows, a residual addition with and without a stage, flattening."""
    net = TiNet(seed, raw)
    x = net.block(net.input_stage(1.0), 1, 4, (3, 3), strides=[2, 2])
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = net.block(x, 4, 4, (3, 3), relu=False, pads=[1, 1, 1, 1])
    z = net.block(x, 4, 4, (1, 1), relu=False)
    total = net.clip(net.add("Relu", net.add("Add", y, z)), 0, 255)
    both = net.stage(net.add("Add", y, z), (1, 4, 1, 1), 120, 4, -128, 127)
    x = net.block(total, 4, 4, (1, 1), bits=4)
    x = net.add("AveragePool", x, kernel_shape=[3, 2], strides=[3, 2])
    x = net.add("Round", net.add("Mul", x, net.floats(6.0)))
    x = net.add("Add", x, net.floats(4.0))
    x = net.scaled(x, np.array(171.0), np.array(10.0), 0, 255)
    w = net.add("MaxPool", both, kernel_shape=[3, 2], strides=[3, 2])
    w = net.block(w, 4, 4, (1, 1))
    x = net.clip(net.add("Relu", net.add("Add", x, w)), 0, 255)
    x = net.add("Flatten", x, axis=1)
    return net.model(net.linear(x, 16, 5, gain=0), 5)
