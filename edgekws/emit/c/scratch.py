"""Memory that the C kernels use while they run, for each implementation of their inner loops (a core).

The needs of a kernel are defined beside it, as macros of firmware_io/firmware/kernels, which `macros` evaluates without
a C compiler. This module makes only the choice that C leaves open: how many filters of a convolution are unpacked, and
how many pixels packed, at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from edgekws.emit.c.macros import Macros
from edgekws.graph.ir import Graph, Node

_INCLUDE_ROOT = Path(__file__).resolve().parents[3] / "firmware_io" / "firmware"
"""Both packages are in one distribution; edgekws imports nothing of firmware_io."""
_CORES, _CONV2D, _KERNELS = "kernels/cores/core.h", "kernels/conv2d.h", "kernels/kernels.h"
_CONV2D_ROW, _SIZES = "kernels/stream/conv2d_row.h", "kernels/sizes.h"
_INCLUDE = re.compile(r'^#include "(kernels/[^"]+)"', re.MULTILINE)
_PREFIX = "EKW_"


class _Shape(NamedTuple):
    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class _CNode:
    """The fields of `ekw_node` (kernels.h) that macros read."""

    in_shape: _Shape
    out_shape: _Shape
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int]


@cache
def cores() -> Mapping[str, str]:
    """Implementations of the inner loops, cores/<name>.h, with their macros in cores/core.h, in the order of the
    numbers there.
    """
    numbers = Macros([_text(_CORES)]).integers()
    return {macro.removeprefix(_PREFIX).lower(): macro for macro in sorted(numbers, key=lambda each: numbers[each])}


def bytes_of(graph: Graph, core: str, min_ram: bool) -> int:
    """Scratch memory of the whole graph: that of the node that needs most. min_ram: as little as possible."""
    alignment = macros_of(core).value("EKW_ALIGNMENT")
    return _up(max((node_bytes(node, core, min_ram) for node in graph.nodes), default=0), alignment)


def node_bytes(node: Node, core: str, min_ram: bool) -> int:
    """Of one node, bytes; only convolutions need any, and bodies with convolutions."""
    if node.body:
        return max(node_bytes(each, core, min_ram) for each in node.body)
    if not node.operation.is_convolution:
        return 0
    if node.operation.is_depthwise:
        return macros_of(core).value("EKW_PLANE_BYTES", c_node(node), *node.extent)
    return _conv2d_bytes(node, macros_of(core), min_ram)


def row_bytes(node: Node, core: str, min_ram: bool) -> int:
    """Of the kernel of a stream that gives one row: those of conv2d_row.h and linear_row.h, and of no other."""
    op = node.operation
    if not op.is_weighted or op.is_depthwise:
        return 0
    if f"kernels/cores/{core}_row.h" not in _text(_CONV2D_ROW):
        return node_bytes(node, core, min_ram)
    macros = Macros([_text(header) for header in (_KERNELS, _SIZES, f"kernels/cores/{core}_row.h")])
    return macros.value("EKW_LINEAR_ROW_BYTES" if op.is_dense else "EKW_CONV2D_ROW_BYTES", c_node(node))


def _conv2d_bytes(node: Node, macros: Macros, min_ram: bool) -> int:
    """Room for all filters and few pixels, or for few filters and many pixels."""
    pixels_step, filters_step = macros.value("EKW_PIXELS_STEP"), macros.value("EKW_FILTERS_STEP")
    pixels, filters = _up(math.prod(node.out_shape[:2]), pixels_step), _up(node.out_shape[2], filters_step)
    taps = macros.value("EKW_TAPS", c_node(node))

    def bytes_for(filter_block: int, pixel_block: int) -> int:
        rounded = _up(pixel_block, pixels_step)
        return macros.value("EKW_CONV2D_BYTES", taps, node.weight_bits, filters, filter_block, rounded)

    kept = bytes_for(filters, pixels_step if min_ram else min(macros.value("EKW_PIXEL_BLOCK"), pixels))
    split = bytes_for(filters_step, math.ceil(pixels / macros.value("EKW_UNPACKINGS")))
    unpacked = kept - macros.value("EKW_CONV2D_STAGE_BYTES", filters)
    return kept if kept <= split or (unpacked <= macros.value("EKW_KEPT_BYTES") and not min_ram) else split


@cache
def macros_of(core: str) -> Macros:
    """Those of one core, of all that its header includes, and of the convolution that all cores share."""
    return Macros([_text(_KERNELS), _text(_CONV2D), *_with_includes(f"kernels/cores/{core}.h", set())])


def _with_includes(header: str, seen: set[str]) -> Iterator[str]:
    if header in seen:
        return
    seen.add(header)
    text = _text(header)
    yield text
    for included in _INCLUDE.findall(text):
        yield from _with_includes(included, seen)


def _text(header: str) -> str:
    return (_INCLUDE_ROOT / header).read_text(encoding="utf-8")


def c_node(node: Node) -> _CNode:
    return _CNode(_Shape(*node.in_shape), _Shape(*node.out_shape), node.kernel, node.stride, node.pad)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
