"""Convolutions around the lanes and blocks of the cores, at the limits of their requantization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np

from edgekws.emit.c.arena import may_overwrite
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Node, Requant, Rule, accumulator_bounds
from edgekws.graph.ops import OPS, Op
from tests.firmware_io.firmware.emulated import Call
from tests.graphs import LIMITS, TARGETS


def edges() -> Iterator[Call]:
    """Sizes around the lanes and blocks of the cores, at every width, sign, rule and memory plan."""
    rng = np.random.default_rng(0)
    shapes: list[tuple[Literal["conv2d", "depthwise_conv2d"], tuple[int, ...], int, tuple[int, int], int, int]] = [
        ("conv2d", (*plane, channels), filters, (1, 1), 1, 0)
        for channels in (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 300)
        for plane, filters in [(((5, 5), 3), ((1, 1), 1), ((2, 3), 5), ((17, 1), 2))[channels % 4]]
    ]
    shapes += [
        ("conv2d", (49, 10, 1), 7, (10, 4), 2, 4),
        ("conv2d", (6, 40, 2), 3, (2, 37), 1, 1),
        ("conv2d", (2, 3, 3), 2, (5, 9), 3, 6),
        ("conv2d", (9, 9, 2), 5, (1, 1), 2, 0),
        ("conv2d", (1, 9000, 2), 1, (1, 1), 1, 0),
        ("depthwise_conv2d", (25, 5, 5), 5, (3, 3), 1, 1),
        ("depthwise_conv2d", (1, 1, 3), 3, (1, 1), 1, 0),
        ("depthwise_conv2d", (2, 2, 2), 2, (3, 5), 1, 2),
        ("depthwise_conv2d", (25, 5, 3), 3, (9, 1), 1, 4),
        ("depthwise_conv2d", (25, 5, 3), 3, (1, 5), 2, 2),
        ("depthwise_conv2d", (12, 40, 2), 2, (3, 3), 3, 1),
        ("depthwise_conv2d", (12, 40, 2), 2, (4, 4), 1, 3),
        ("depthwise_conv2d", (9, 60, 2), 2, (6, 2), 1, 1),
        ("depthwise_conv2d", (20, 11, 2), 2, (5, 5), 2, 2),
        ("depthwise_conv2d", (49, 10, 1), 1, (10, 4), 2, 5),
    ]
    every = product(shapes, LIMITS, ((-128, 127), (0, 255)), TARGETS.values(), (False, True))
    for number, ((op, in_shape, filters, kernel, stride, pad), bits, span, rule, min_ram) in enumerate(every):
        height, width = ((in_shape[i] + 2 * pad - kernel[i]) // stride + 1 for i in range(2))
        shape = OPS[op].weight_shape((in_shape[0], in_shape[1], in_shape[2]), filters, kernel)
        weight = rng.integers(-LIMITS[bits], LIMITS[bits] + 1, shape).astype(np.int8)
        bare = Node(
            "n", op, (INPUT,), Requant.identity(filters, 0, 255), (in_shape[0], in_shape[1], in_shape[2]),
            (height, width, filters), weight, bits, stride=(stride, stride), pad=(pad, pad, pad, pad),
        )  # fmt: skip
        out = ((-128, 127), (0, 255))[number // 3 % 2]
        node = replace(bare, requant=edge_requant(rng, bare, span, out, rule, number))
        x = rng.integers(span[0], span[1] + 1, in_shape).astype(np.int8 if span[0] < 0 else np.uint8)
        yield Call(node, (x,), may_overwrite(node) and number % 5 < 3, min_ram)


def edge_requant(
    rng: np.random.Generator, node: Node, span: tuple[int, int], out: tuple[int, int], rule: Rule, number: int
) -> Requant:
    """Shifts of 0 to 3, of 31, or those at which sums fill the output; the largest multipliers that are allowed."""
    channels = node.out_shape[2]
    low, high = accumulator_bounds(node, *span)
    largest = np.maximum(-low, high)
    offset = rng.integers(-300, 301, channels).astype(np.int32)
    fitting = np.ceil(np.log2(largest + 301)).astype(int) - 9
    shift = [rng.integers(0, 4, channels), np.full(channels, 31), np.maximum(fitting, 0)][number % 7 % 3]
    if rule == "fixed-point":
        mult = rng.integers(1 << 30, 1 << 31, channels).astype(np.int32)
        return Requant(offset, mult, shift.astype(np.uint8), *out, rule)
    mult = np.minimum((255, 1)[number % 11 % 2], (2**31 - 1) // (largest + 301)).astype(np.uint8)
    wide = np.where(shift == fitting, shift + np.log2(mult).astype(int), shift)
    return Requant(offset, mult, np.clip(wide, 0, 31).astype(np.uint8), *out)


def made(
    rng: np.random.Generator, op: Op, shape: Shape, filters: int, kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1), pad: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> tuple[Node, list[np.ndarray]]:  # fmt: skip
    """A convolution of random width, requantization and sign; its offsets keep outputs in range."""
    bits, rule = int(rng.choice(list(LIMITS))), list(TARGETS.values())[int(rng.random() < 0.25)]
    signed, out = rng.random() < 0.4, SIGNED if rng.random() < 0.4 else UNSIGNED
    rows, columns = ((shape[i] + pad[2 * i] + pad[2 * i + 1] - kernel[i]) // stride[i] + 1 for i in range(2))
    weight_shape = OPS[op].weight_shape(shape, filters, kernel)
    weight = rng.integers(-LIMITS[bits], LIMITS[bits] + 1, weight_shape).astype(np.int8)
    bare = Node(
        "n", op, (INPUT,), Requant.identity(filters, *out), shape, (rows, columns, filters), weight, bits,
        stride=stride, pad=pad,
    )  # fmt: skip
    lo, hi = SIGNED if signed else UNSIGNED
    offset = rng.integers(-300, 300, filters).astype(np.int32)
    bare = replace(bare, requant=replace(bare.requant, offset=offset))
    low, high = accumulator_bounds(bare, lo, hi)
    most = np.minimum(255, (2**31 - 1) // np.maximum(-low, high))
    mult = np.maximum(1, np.minimum(most, rng.choice([1, 2, 64, 127, 128, 255], filters))).astype(np.uint8)
    shift = rng.integers(*[(0, 4), (2, 5), (5, 12), (9, 18), (28, 32)][int(rng.integers(5))], filters).astype(np.uint8)
    if rule == "fixed-point":
        wide = rng.integers(1 << 30, 1 << 31, filters).astype(np.int32)
        requant = Requant(offset, wide, shift, *out, rule)
    else:
        requant = Requant(offset, mult, shift, *out)
    x = rng.integers(lo, hi + 1, shape).astype(np.int8 if signed else np.uint8)
    return replace(bare, requant=requant), [x]


def at_limits(rng: np.random.Generator) -> Iterator[tuple[Node, list[np.ndarray]]]:
    """Odd numbers of pixels and filters; taps around multiples of 4, 64 and 256; windows that see little."""
    for taps in (1, 3, 4, 5, 31, 32, 33, 63, 64, 65, 66, 128, 130, 255, 256, 257, 300):
        for shape in ((1, 1), (1, 2), (3, 3), (5, 4), (7, 9)):
            yield made(rng, "conv2d", (*shape, taps), int(rng.integers(1, 20)), (1, 1))
    for width, kernel in product(range(1, 14), ((10, 4), (1, 4), (3, 8), (4, 3), (3, 3), (2, 1))):
        image = (int(rng.integers(1, 14)), width, int(rng.integers(1, 4)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        yield made(rng, "conv2d", image, int(rng.integers(1, 9)), kernel, stride, padding(rng, kernel, 10))
    for width, window in product(range(1, 24), ((3, 3), (3, 3), (9, 1), (1, 5), (5, 5), (1, 1), (2, 4))):
        plane = (int(rng.integers(1, 28)), width, int(rng.integers(1, 6)))
        stride = (1, 1) if rng.random() < 0.6 else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        yield made(rng, "depthwise_conv2d", plane, plane[2], window, stride, padding(rng, window, 2))


def padding(rng: np.random.Generator, kernel: tuple[int, int], most: int) -> tuple[int, int, int, int]:
    """Enough for the kernel to fit, whatever the input."""
    top, bottom, left, right = (int(side) for side in rng.integers(0, most + 1, 4))
    return (max(top, kernel[0] - 1), bottom, left, max(right, kernel[1] - 1))
