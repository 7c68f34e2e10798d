"""Memory that the C kernels use while they run, for each implementation of their inner loops.

Mirror of the sizes in firmware_io/firmware/kernels: conv2d.h, depthwise_conv2d.h and cores/*.h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekws.graph.ir import Graph, Node

_KEPT_BYTES = 12_288
"""On microcontrollers; see Core.kept_bytes."""
_BLOCKS = 8
"""With little memory a convolution unpacks its filters this often."""


@dataclass(frozen=True)
class Core:
    """An implementation of the inner loops: cores/<name>.h.

    macro: its name in cores/core.h. tap_bytes, taps_step: size of a packed tap, and what their number is
    rounded up to. pixels_step, filters_step, stage_bytes: EKW_PIXELS_STEP, EKW_FILTERS_STEP, EKW_STAGE_BYTES.
    unpacks_bytes: whether weights of 8 bits are unpacked too. pixel_block: how many pixels it likes to have packed.
    plane_tap_bytes, plane_step, plane_spare: size of a value of a padded plane, what its columns are rounded up to,
    bytes that may be read behind it. packed_spare: EKW_PACKED_SPARE. kept_bytes: convolutions with larger unpacked
    filters unpack them in parts, once for each block of pixels. has_table: see cores/avx2_depthwise.h.
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
    plane_tap_bytes: int = 1
    plane_step: int = 1
    plane_spare: int = 0
    packed_spare: int = 0
    kept_bytes: int = _KEPT_BYTES
    has_table: bool = False

    def pixel_bytes(self, node: Node) -> int:
        return _up(_taps(node), self.taps_step) * self.tap_bytes

    def filter_bytes(self, node: Node) -> int:
        unpacked = self.unpacks_bytes or node.weight_bits < 8
        return _up(_taps(node), self.taps_step) * self.tap_bytes if unpacked else 0


PORTABLE = Core("portable", "EKW_PORTABLE", 1, 1, 2, 2, 0, False, 2)
AVX2 = Core(
    "avx2",
    "EKW_AVX2",
    tap_bytes=2,
    taps_step=4,
    pixels_step=16,
    filters_step=4,
    stage_bytes=4,
    unpacks_bytes=True,
    pixel_block=128,
    plane_tap_bytes=2,
    plane_spare=128,
    packed_spare=64,
    kept_bytes=1 << 20,
    has_table=True,
)
CORES = (PORTABLE, AVX2)


def core(name: str) -> Core:
    return next(core for core in CORES if core.name == name)


def bytes_of(graph: Graph, core: Core, min_ram: bool) -> int:
    """Scratch memory of the whole graph: what the node that needs most is given."""
    return _up(max((node_bytes(node, core, min_ram) for node in graph.nodes), default=0), 8)


def node_bytes(node: Node, core: Core, min_ram: bool) -> int:
    if node.op == "depthwise_conv2d":
        return _plane_bytes(node, core)
    return _conv2d_bytes(node, core, min_ram) if node.op == "conv2d" else 0


def _conv2d_bytes(node: Node, core: Core, min_ram: bool) -> int:
    """Room for all filters and few pixels, or for few filters and many pixels."""
    height, width, filters = node.out_shape
    filters, pixels = _up(filters, core.filters_step), _up(height * width, core.pixels_step)
    stages, filter_bytes = filters * core.stage_bytes + core.packed_spare, core.filter_bytes(node)
    block = _up(core.pixels_step if min_ram else min(core.pixel_block, pixels), core.pixels_step)
    kept = filters * filter_bytes + block * core.pixel_bytes(node)
    some = _up(math.ceil(pixels / _BLOCKS), core.pixels_step)
    split = core.filters_step * filter_bytes + some * core.pixel_bytes(node)
    if kept <= split or (kept <= core.kept_bytes and not min_ram):
        return stages + kept
    return stages + split


def _plane_bytes(node: Node, core: Core) -> int:
    height, width, _ = node.in_shape
    top, bottom, left, right = node.pad
    columns = _up(width + left + right, core.plane_step)
    weights = _up(math.prod(node.kernel) * core.plane_tap_bytes, 8)
    plane = weights + (height + top + bottom) * columns * core.plane_tap_bytes + core.plane_spare
    return max(plane, _table_bytes(node)) if core.has_table else plane


def _table_bytes(node: Node) -> int:
    """Seats of 128 bytes and two copied channels, each aligned to a cache line and with a line to spare."""
    outputs, plane = math.prod(node.out_shape[:2]), math.prod(node.in_shape[:2])
    seats = -(-outputs // 16) * node.kernel[0] * -(-node.kernel[1] // 4)
    return 64 + seats * 128 + 2 * (_up(plane, 64) + 64)


def _taps(node: Node) -> int:
    return math.prod(node.kernel) * node.in_shape[2]


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
