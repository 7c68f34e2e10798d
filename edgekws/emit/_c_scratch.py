"""Memory that the C kernels use while they run, for each implementation of their inner loops.

Mirror of the sizes in firmware_io/firmware/kernels: conv2d.h, depthwise_conv2d.h and cores/*.h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekws.graph.ir import Graph, Node

_KEPT_BYTES = 12_288
"""Convolutions with larger unpacked filters unpack them in parts, once for each block of pixels."""
_BLOCKS = 8
"""With little memory a convolution unpacks its filters this often."""


@dataclass(frozen=True)
class Core:
    """An implementation of the inner loops: cores/<name>.h.

    macro: its name in cores/core.h. tap_bytes, taps_step: size of a packed tap, and what their number is rounded up to.
    pixels_step, filters_step, stage_bytes: EKW_PIXELS_STEP, EKW_FILTERS_STEP, EKW_STAGE_BYTES.
    unpacks_bytes: whether weights of 8 bits are unpacked too. pixel_block: how many pixels it likes to have packed.
    plane_tap_bytes, plane_step, plane_spare: size of a value of a padded plane, what its columns are rounded up to,
    bytes that may be read behind it. plane_weight_bytes: of an unpacked weight beside it, 0: plane_tap_bytes.
    strip: outputs in a row that a 3x3 kernel of stride 1 computes from a copy of their own, 0: it has no such copies;
    strip_pitch: the values in a row of a copy.
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
    plane_weight_bytes: int = 0
    strip: int = 0
    strip_pitch: int = 0

    def pixel_bytes(self, node: Node) -> int:
        return _up(_taps(node), self.taps_step) * self.tap_bytes

    def filter_bytes(self, node: Node) -> int:
        unpacked = self.unpacks_bytes or node.weight_bits < 8
        return _up(_taps(node), self.taps_step) * self.tap_bytes if unpacked else 0


PORTABLE = Core("portable", "EKW_PORTABLE", 1, 1, 2, 2, 0, False, 2)
DSP = Core("dsp", "EKW_DSP", 2, 4, 2, 2, 12, True, 16, 2, plane_weight_bytes=8, strip=5, strip_pitch=8)
CORES = (PORTABLE, DSP)


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
    stages, filter_bytes = filters * core.stage_bytes, core.filter_bytes(node)
    block = _up(core.pixels_step if min_ram else min(core.pixel_block, pixels), core.pixels_step)
    kept = filters * filter_bytes + block * core.pixel_bytes(node)
    some = _up(math.ceil(pixels / _BLOCKS), core.pixels_step)
    split = core.filters_step * filter_bytes + some * core.pixel_bytes(node)
    if kept <= split or (kept <= _KEPT_BYTES and not min_ram):
        return stages + kept
    return stages + split


def _plane_bytes(node: Node, core: Core) -> int:
    height, width, _ = node.in_shape
    top, bottom, left, right = node.pad
    columns = _up(width + left + right, core.plane_step)
    if core.strip and node.kernel == (3, 3) and node.stride == (1, 1) and node.out_shape[1] >= core.strip:
        columns = math.ceil(node.out_shape[1] / core.strip) * core.strip_pitch
    weights = _up(math.prod(node.kernel) * (core.plane_weight_bytes or core.plane_tap_bytes), 8)
    return weights + (height + top + bottom) * columns * core.plane_tap_bytes + core.plane_spare


def _taps(node: Node) -> int:
    return math.prod(node.kernel) * node.in_shape[2]


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
