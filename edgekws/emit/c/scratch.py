"""Memory that the C kernels use while they run, for each implementation of their inner loops.

Mirror of the sizes in firmware_io/firmware/kernels: conv2d.h, depthwise_conv2d.h and cores/*.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from edgekws.graph.ir import Graph, Node

_KEPT_BYTES = 12_288
"""On microcontrollers; see Core.kept_bytes."""


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _padded(node: Node) -> tuple[int, int]:
    """Rows and columns of a channel with its padding."""
    (height, width, _), (top, bottom, left, right) = node.in_shape, node.pad
    return height + top + bottom, width + left + right


def _portable_plane(node: Node) -> int:
    """Three bands of output rows side by side in words, a weight a word, a row of zeros."""
    rows = (math.ceil(node.out_shape[0] / 3) - 1) * node.stride[0] + node.kernel[0]
    return _up(math.prod(node.kernel) * 4, 8) + _up(node.in_shape[1], 8) + rows * _padded(node)[1] * 8


@dataclass(frozen=True)
class Core:
    """An implementation of the inner loops: cores/<name>.h.

    macro: its name in cores/core.h. tap_bytes, taps_step: size of a packed tap, and what their number is
    rounded up to. pixel_tap_bytes: the size in pixels, where it differs from that in filters.
    pixels_step, filters_step, stage_bytes: EKW_PIXELS_STEP, EKW_FILTERS_STEP, EKW_STAGE_BYTES.
    unpacks_bytes: whether weights of 8 bits are unpacked too. pixel_block: how many pixels it likes to have packed.
    plane: bytes for a depthwise convolution. packed_spare: EKW_PACKED_SPARE. kept_bytes: convolutions with larger
    unpacked filters unpack them in parts, once for each block of pixels. unpackings: how often one with little
    memory does.
    """

    name: str
    macro: str
    tap_bytes: int
    taps_step: int
    pixels_step: int
    filters_step: int
    stage_bytes: int
    unpacks_bytes: bool
    pixel_block: int
    plane: Callable[[Node], int]
    pixel_tap_bytes: Fraction | None = None
    packed_spare: int = 0
    kept_bytes: int = _KEPT_BYTES
    unpackings: int = 8

    def pixel_bytes(self, node: Node) -> int:
        return math.ceil(_up(_taps(node), self.taps_step) * (self.pixel_tap_bytes or self.tap_bytes))

    def filter_bytes(self, node: Node) -> int:
        unpacked = self.unpacks_bytes or node.weight_bits < 8
        return _up(_taps(node), self.taps_step) * self.tap_bytes if unpacked else 0


def _mve_plane(node: Node) -> int:
    """Weights, bytes, the address of each window and, in small planes, the place of each input."""
    plane = _up(math.prod(_padded(node)), 16) + 16
    places = math.prod(node.in_shape[:2]) if plane <= 256 else 0
    return _up(math.prod(node.kernel), 16) + plane + _up(math.prod(node.out_shape[:2]), 4) * 4 + places


def _dsp_plane(node: Node) -> int:
    """Weights as pairs of words, values of 16 bits; 3x3 kernels of stride 1 see strips of five columns in rows of 8."""
    rows, columns = _padded(node)
    if node.kernel == (3, 3) and node.stride == (1, 1) and node.out_shape[1] >= 5:
        columns = math.ceil(node.out_shape[1] / 5) * 8
    return math.prod(node.kernel) * 8 + rows * columns * 2


def _avx2_plane(node: Node) -> int:
    """Padded values of 16 bits; or seats of 128 bytes and two copied channels, each aligned to a cache line and with
    a line to spare.
    """
    outputs, plane = math.prod(node.out_shape[:2]), math.prod(node.in_shape[:2])
    seats = -(-outputs // 16) * node.kernel[0] * -(-node.kernel[1] // 4)
    padded = _up(math.prod(node.kernel) * 2, 8) + math.prod(_padded(node)) * 2 + 128
    return max(padded, 64 + seats * 128 + 2 * (_up(plane, 64) + 64))


PORTABLE = Core(
    "portable", "EKW_PORTABLE", tap_bytes=1, taps_step=1, pixels_step=3, filters_step=4, stage_bytes=4,
    unpacks_bytes=False, pixel_block=3, plane=_portable_plane, pixel_tap_bytes=Fraction(8, 3), unpackings=6,
)  # fmt: skip
DSP = Core(
    "dsp", "EKW_DSP", tap_bytes=2, taps_step=4, pixels_step=2, filters_step=2, stage_bytes=12,
    unpacks_bytes=True, pixel_block=16, plane=_dsp_plane,
)  # fmt: skip
MVE = Core(
    "mve", "EKW_MVE", tap_bytes=1, taps_step=16, pixels_step=4, filters_step=2, stage_bytes=4,
    unpacks_bytes=False, pixel_block=128, plane=_mve_plane,
)  # fmt: skip
AVX2 = Core(
    "avx2", "EKW_AVX2", tap_bytes=2, taps_step=4, pixels_step=16, filters_step=4, stage_bytes=4,
    unpacks_bytes=True, pixel_block=128, plane=_avx2_plane, packed_spare=64, kept_bytes=1 << 20,
)  # fmt: skip
CORES = (PORTABLE, DSP, MVE, AVX2)


def core(name: str) -> Core:
    return next(core for core in CORES if core.name == name)


def bytes_of(graph: Graph, core: Core, min_ram: bool) -> int:
    """Scratch memory of the whole graph: what the node that needs most is given."""
    return _up(max((node_bytes(node, core, min_ram) for node in graph.nodes), default=0), 8)


def node_bytes(node: Node, core: Core, min_ram: bool) -> int:
    if node.op == "depthwise_conv2d":
        return core.plane(node)
    return _conv2d_bytes(node, core, min_ram) if node.op == "conv2d" else 0


def _conv2d_bytes(node: Node, core: Core, min_ram: bool) -> int:
    """Room for all filters and few pixels, or for few filters and many pixels."""
    height, width, filters = node.out_shape
    filters, pixels = _up(filters, core.filters_step), _up(height * width, core.pixels_step)
    stages, filter_bytes = filters * core.stage_bytes + core.packed_spare, core.filter_bytes(node)
    block = _up(core.pixels_step if min_ram else min(core.pixel_block, pixels), core.pixels_step)
    kept = filters * filter_bytes + block * core.pixel_bytes(node)
    some = _up(math.ceil(pixels / core.unpackings), core.pixels_step)
    split = core.filters_step * filter_bytes + some * core.pixel_bytes(node)
    if kept <= split or (kept <= core.kept_bytes and not min_ram):
        return stages + kept
    return stages + split


def _taps(node: Node) -> int:
    return math.prod(node.kernel) * node.in_shape[2]
