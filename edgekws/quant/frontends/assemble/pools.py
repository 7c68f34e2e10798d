"""Pools and means of a user's network as layers."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Sides
from edgekws.quant.frontends.assemble.place import MAXIMUM
from edgekws.quant.frontends.assemble.value import NO_PAD, Value, in_three, whole, without_border
from edgekws.quant.frontends.assemble.weights import Weights

Pair = tuple[int, int]


class Pools(Weights):
    """windows: [c, h, w] in, and out."""

    def max_pool(
        self, x: Value, window: Pair, stride: Pair, name: str, pad: Sides = NO_PAD, ceil: bool = False
    ) -> Value:
        """The largest of each window, of rows and columns. ceil: whether windows may begin inside and end outside."""
        if len(x.shape) == 2:
            return self._of_column(self.max_pool(self._column(x), window, stride, name, pad, ceil))
        x, border = self._unpadded(x, name)
        if any(border) and not self._is_positive(x.source):
            raise TargetError(f"{name}: zeros before a maximum should follow a ReLU", got=f"padding {list(border)}")
        sides = _added(border, pad)
        sides = _ceiled(x, window, stride, sides, pad) if ceil else sides
        sole, source = self.fusible(x) is not None, self.placed(x, x.index, name)
        pooled = self.layer(MAXIMUM, "max", (source,), name, window=window, stride=stride, pad=sides)
        if sole:
            self.sole_readers.add(pooled.source)
        return pooled

    def average_pool(
        self, x: Value, window: Pair, stride: Pair, name: str, pad: Sides = NO_PAD, ceil: bool = False,
        count_pad: bool = True,
    ) -> Value:  # fmt: skip
        """The mean of each window. count_pad: whether the zeros of `pad` are counted among its values."""
        if len(x.shape) == 2:
            return self._of_column(self.average_pool(self._column(x), window, stride, name, pad, ceil, count_pad))
        x, border = self._unpadded(x, name)
        height, width = (size + sum(sides) for size, sides in zip(x.shape[1:], (border[:2], border[2:]), strict=True))
        if window == (height, width) and not any(pad) and not any(border):
            return self.mean(x, (1, 2), name, keep=True)
        sides = _ceiled(x, window, stride, _added(border, pad), pad) if ceil else _added(border, pad)
        counts = any(border) or (count_pad and any(pad))
        if counts and sides != _added(border, pad):
            expected = f"{name} should not both count the zeros of its padding and round its size up (ceil_mode)"
            raise TargetError(expected, got=f"padding {list(pad)}", hint="give count_include_pad=False")
        if counts and any(pad) and not count_pad:
            raise TargetError(f"{name} should count all zeros or none", got=f"zeros of two kinds, {border} and {pad}")
        if counts:
            return self._mean_with_zeros(x, window, stride, sides, name)
        source = self.placed(x, x.index, name)
        given = {"window": window, "stride": stride, "pad": sides, "channels": x.shape[0]}
        return self.layer("average_pool", "avg", (source,), name, **given)

    def _mean_with_zeros(self, x: Value, window: Pair, stride: Pair, sides: Sides, name: str) -> Value:
        """A depthwise convolution by one over the area of the window."""
        weight = torch.full((x.shape[0], 1, *window), 1 / math.prod(window))
        return self.conv(x, weight, None, stride, sides, x.shape[0], name)

    def mean(self, x: Value, axes: tuple[int, ...], name: str, keep: bool) -> Value:
        """The mean over some axes, counted without the batch. keep: whether they stay, with size 1."""
        rank = len(x.shape)
        axes = tuple(sorted(axis % rank for axis in axes))
        rest = [axis for axis in range(rank) if axis not in axes]
        if x.has_zeros or not axes:
            raise TargetError(f"{name} should be a mean over one or more axes without padding", got=f"axes {axes}")
        ordered = x.index.permute(*rest, *axes)
        shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        shape = shape if keep else [size for axis, size in enumerate(x.shape) if axis not in axes]
        if rank == 3 and len(rest) == 2:
            return self._mean_of_one(x, axes[0], shape, name)
        head = x.shape[rest[0]] if len(rest) == 1 else math.prod(x.shape[axis] for axis in rest)
        positions, stored = ordered.shape[len(rest) :], whole(self.shapes[x.source])
        if torch.equal(ordered.reshape(head, -1).sort(1).values, stored.flatten(1)):
            source = x.source  # in whichever order its values are
        else:
            source = self.placed(x, ordered.reshape(head, positions[0], math.prod(positions[1:])), name)
        result = self.layer("global_sum_pool", "pool", (source,), name)
        return replace(result, index=result.index.view(shape))

    def _mean_of_one(self, x: Value, axis: int, shape: list[int], name: str) -> Value:
        """Over rows or columns of maps, or over channels, which then become rows."""
        turned = x.index if axis else x.index.transpose(0, 1)
        axis = axis or 1
        window = (turned.shape[1], 1) if axis == 1 else (1, turned.shape[2])
        result = self.average_pool(replace(x, index=turned), window, (1, 1), name)
        return replace(result, index=result.index.view(shape))

    def _column(self, x: Value) -> Value:
        return replace(x, index=in_three(x.index))

    def _of_column(self, x: Value) -> Value:
        return replace(x, index=x.index.squeeze(2))

    def _unpadded(self, x: Value, name: str) -> tuple[Value, Sides]:
        if len(x.shape) != 3:
            raise TargetError(f"{name} should read channels and one or two axes of positions", got=str(list(x.shape)))
        inner, border = without_border(x.index)
        return replace(x, index=inner), border

    def _is_positive(self, name: str) -> bool:
        layer = self.made(name)
        if layer is not None and name in self.sole_readers:
            return all(self._is_positive(each) for each in layer.inputs)
        return layer is not None and (layer.relu or (layer.curve is not None and not layer.curve.signed))


def _added(first: Sides, second: Sides) -> Sides:
    top, bottom, left, right = (a + b for a, b in zip(first, second, strict=True))
    return top, bottom, left, right


def _ceiled(x: Value, window: Pair, stride: Pair, sides: Sides, pad: Sides) -> Sides:
    """With the rows and columns that the last window needs, if it begins inside or in the padding before."""
    top, bottom, left, right = sides
    extra = [
        _missing(size + first + last, taps, step, size + first + last - after)
        for size, taps, step, first, last, after in (
            (x.shape[1], window[0], stride[0], top, bottom, pad[1]),
            (x.shape[2], window[1], stride[1], left, right, pad[3]),
        )
    ]
    return top, bottom + extra[0], left, right + extra[1]


def _missing(size: int, taps: int, step: int, inside: int) -> int:
    """inside: where the padding at the end begins; a window that would begin there is left out, as torch does."""
    count = -(-(size - taps) // step) + 1
    count -= (count - 1) * step >= inside
    return max((count - 1) * step + taps - size, 0)
