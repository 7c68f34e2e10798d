"""How to bring values into another arrangement with the moves of the graph: slices, transpositions and reshapes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from edgekws.graph.attributes import Shape
from edgekws.graph.ops import Op
from edgekws.quant.float_layers import RESHAPE, SLICE, TRANSPOSE

MAXIMUM: Op = "max_pool"
_AXES = 3
_MAX_FACTORS = 6
Loop = tuple[int, int]
"""(count, stride)"""


@dataclass(frozen=True)
class Step:
    """One layer. out_shape: rows, columns, channels. prefix: of its name. fields: further ones of the Layer."""

    kind: Op
    out_shape: Shape
    prefix: str
    fields: dict[str, Any]


def _reshape(shape: Shape) -> Step:
    return Step(RESHAPE, shape, RESHAPE, {"out_shape": shape})


def _slice(shape: Shape, begin: Shape) -> Step:
    return Step(SLICE, shape, SLICE, {"out_shape": shape, "begin": begin})


def _skip(shape: Shape, stride: tuple[int, int]) -> Step:
    """Some of the rows and columns: maxima of single values."""
    return Step(MAXIMUM, shape, "skip", {"window": (1, 1), "stride": stride})


def _transpose(shape: Shape, axes: tuple[int, ...]) -> Step:
    """shape: before it."""
    return Step(TRANSPOSE, (shape[axes[0]], shape[axes[1]], shape[axes[2]]), TRANSPOSE, {"axes": axes})


def steps(index: torch.Tensor, source: tuple[int, int, int]) -> list[Step] | None:
    """The nodes after which a tensor of shape `source` is arranged as `index` says; None where there are none.

    index: int64 [c, h, w], positions in source (c, h, w) without zeros.
    """
    channels, height, width = source
    rest, column = index // width, index % width
    row, channel = rest % height, rest // height
    places = [each.permute(1, 2, 0) for each in (row, column, channel)]  # [h, w, c], as the graph has them
    cut = _cut(places, (height, width, channels))
    if cut is None:
        return None
    found, positions, box = cut
    order = _reordered(positions.flatten(), box)
    if order is None:
        return None
    found += order
    target = (index.shape[1], index.shape[2], index.shape[0])
    if (found[-1].out_shape if found else (height, width, channels)) != target:
        found.append(_reshape(target))
    return found


def _cut(places: list[torch.Tensor], source: Shape) -> tuple[list[Step], torch.Tensor, Shape] | None:
    """(nodes, positions within their result, its shape): the box of rows, columns and channels that is read."""
    ranges = [_progression(each) for each in places]
    if any(each is None for each in ranges) or ranges[2][2] != 1:  # type: ignore[index]
        return None
    starts, counts, strides = zip(*(each for each in ranges if each is not None), strict=True)
    spans = tuple((count - 1) * stride + 1 for count, stride in zip(counts, strides, strict=True))
    found = [_slice(spans, starts)] if spans != source else []
    if spans != counts:
        found.append(_skip(counts, (strides[0], strides[1])))
    row, column, channel = (
        (each - start) // stride for each, start, stride in zip(places, starts, strides, strict=True)
    )
    return found, (row * counts[1] + column) * counts[2] + channel, counts


def _progression(places: torch.Tensor) -> tuple[int, int, int] | None:
    """(start, count, stride) of the places that are read along an axis."""
    used = sorted(set(places.flatten().tolist()))
    gaps = {after - before for before, after in itertools.pairwise(used)}
    return (used[0], len(used), min(gaps, default=1)) if len(gaps) < 2 else None


def _reordered(positions: torch.Tensor, shape: Shape) -> list[Step] | None:
    """Reshapes and transpositions that put the values of a box in this order."""
    if len(positions) != math.prod(shape) or bool((positions.sort().values.diff() == 0).any()):
        return None
    stored = torch.arange(len(positions)).view(shape)
    for axes in itertools.permutations(range(_AXES)):
        if torch.equal(stored.permute(axes).flatten(), positions):
            return [] if axes == tuple(range(_AXES)) else [_transpose(shape, axes)]
    loops = _loops(positions)
    if loops is None or len(loops) > _MAX_FACTORS:
        return None
    counts = [count for count, _ in sorted(loops, key=lambda loop: -loop[1])]
    strides = [math.prod(counts[number + 1 :]) for number in range(len(counts))]
    order = tuple(strides.index(stride) for _, stride in loops)
    found: list[Step] = []
    for before, blocks in _block_moves(order):
        sizes = [math.prod(counts[factor] for factor in before[slice(*block)]) for block in blocks.spans]
        cut = (sizes[0], sizes[1], sizes[2])
        if (found[-1].out_shape if found else shape) != cut:
            found.append(_reshape(cut))
        found.append(_transpose(cut, blocks.axes))
    return found


def _loops(positions: torch.Tensor) -> list[Loop] | None:
    """Nested loops, the outermost first, that count through these positions; None where there are none."""
    found: list[Loop] = []
    while len(positions) > 1:
        stride = int(positions[1] - positions[0])
        breaks = (positions.diff() != stride).nonzero()
        count = int(breaks[0]) + 1 if len(breaks) else len(positions)
        if stride < 1 or len(positions) % count:
            return None
        rows = positions.view(-1, count)
        if not bool((rows == rows[:, :1] + stride * torch.arange(count)).all()):
            return None
        found.insert(0, (count, stride))
        positions = rows[:, 0]
    return found


@dataclass(frozen=True)
class _Blocks:
    """Three consecutive blocks of factors, and the order that they are brought into."""

    spans: tuple[tuple[int, int], ...]
    axes: tuple[int, int, int]


def _block_moves(wanted: tuple[int, ...]) -> list[tuple[tuple[int, ...], _Blocks]]:
    """The fewest transpositions of three blocks each that order 0, 1, 2, ... as wanted: (the order before, blocks)."""
    start = tuple(range(len(wanted)))
    ways: dict[tuple[int, ...], list[tuple[tuple[int, ...], _Blocks]]] = {start: []}
    ends = [start]
    while wanted not in ways:
        new = []
        for order in ends:
            for blocks, after in _after_one(order):
                if after not in ways:
                    ways[after] = [*ways[order], (order, blocks)]
                    new.append(after)
        ends = new
    return ways[wanted]


def _after_one(order: tuple[int, ...]) -> Iterator[tuple[_Blocks, tuple[int, ...]]]:
    for first, second in itertools.combinations_with_replacement(range(len(order) + 1), 2):
        spans = ((0, first), (first, second), (second, len(order)))
        for axes in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            after = tuple(factor for axis in axes for factor in order[slice(*spans[axis])])
            yield _Blocks(spans, axes), after
