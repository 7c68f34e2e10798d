"""Operations on single values and on several tensors: activations, sums, products, concatenations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from edgekws.errors import TargetError
from edgekws.graph.ops import Op
from edgekws.quant.curves import Curve
from edgekws.quant.float_layers import CONCAT
from edgekws.quant.frontends.assemble.builder import Builder
from edgekws.quant.frontends.assemble.place import MAXIMUM
from edgekws.quant.frontends.assemble.value import Value, in_three, whole

_RANK = 3
_AXES = (2, 0, 1)
"""Channels, rows and columns among the axes of a Node's shapes."""


class Joins(Builder):
    """Activations are fused into the layers before them."""

    def relu(self, x: Value, name: str) -> Value:
        """Fused into the layer before it, also across max pools and concatenations: relu(max(x)) is max(relu(x))."""
        return self.clip(x, 0.0, math.inf, name)

    def clip(self, x: Value, low: float, high: float, name: str) -> Value:
        """At least low and at most high: fused as relu is, else a layer of its own, a maximum of single values."""
        if not low < high or math.isnan(low + high):
            raise TargetError(f"{name} should have a range", got=f"from {low} to {high}")
        if x.has_zeros and not low <= 0 <= high:
            raise TargetError(f"{name} should keep the zeros of the padding before it", got=f"{low} to {high}")
        if self.fusible(x) is None:
            source = self._pointwise(MAXIMUM, "clip", (x,), name, window=(1, 1))
            x = replace(source, users=1)
        self._clip(x.source, low, high)
        return replace(x, users=1)

    def _clip(self, name: str, low: float, high: float) -> None:
        """A layer before a pool then uses all of its 256 output steps."""
        layer = self.made(name)
        assert layer is not None
        if name in self.sole_readers:
            for each in layer.inputs:
                self._clip(each, low, high)
            return
        relu = layer.relu or low == 0
        low = max(layer.low, -math.inf if low == 0 else low)
        self.changed(layer, relu=relu, low=low, high=min(layer.high, high))

    def _pointwise(self, kind: Op, prefix: str, values: tuple[Value, ...], name: str, **fields: object) -> Value:
        """A layer that gives each value by those at the same place, for tensors of one shape."""
        stored = [each for each in values if self.is_rearranged(each)]
        like = next((each for each in stored if torch.equal(each.index, whole(self.shapes[each.source]))), None)
        like = like or next(iter(stored), None)
        if like is None:
            like = self.output(self.placed(values[0], in_three(values[0].index), name), values[0])
        order, shape = like.index.flatten().argsort(), self.shapes[like.source]
        sources = tuple(self.placed(each, each.index.flatten()[order].view(shape), name) for each in values)
        result = self.layer(kind, prefix, sources, name, **fields)
        return replace(result, index=like.index)

    def add(self, x: Value, y: Value, name: str) -> Value:
        """The sum; one of them may be 1 long along an axis."""
        return self._of_two("add", "add", x, y, name)

    def mul(self, x: Value, y: Value, name: str) -> Value:
        """The product; one of them may be 1 long along an axis. x times a function of x is one function of x."""
        for other, gate in ((x, y), (y, x)):
            layer = self.fusible(gate)
            same = torch.equal(other.index, gate.index) and layer is not None and layer.inputs == (other.source,)
            if layer is not None and same and layer.curve and not (layer.relu or layer.is_limited or x.has_zeros):
                self.layers = [each for each in self.layers if each is not layer]
                return self.curve(other, layer.curve.times_input(), layer.weight, name)
        return self._of_two("mul", "mul", x, y, name)

    def _of_two(self, kind: Op, prefix: str, x: Value, y: Value, name: str) -> Value:
        if x.shape == y.shape:
            return self._pointwise(kind, prefix, (x, y), name)
        one_rank = len(x.shape) == len(y.shape) <= _RANK
        if not one_rank or any(a != b and 1 not in (a, b) for a, b in zip(x.shape, y.shape, strict=True)):
            expected = f"{name} should join tensors of one shape, or one that is 1 long along some of up to 3 axes"
            raise TargetError(expected, got=f"{list(x.shape)} and {list(y.shape)}")
        sources = tuple(self.placed(each, in_three(each.index), name) for each in (x, y))
        result = self.layer(kind, prefix, sources, name)
        shape = [max(pair) for pair in zip(x.shape, y.shape, strict=True)]
        return replace(result, index=result.index.view(shape))

    def curve(self, x: Value, curve: Curve, slopes: torch.Tensor, name: str) -> Value:
        """A function of each value; a function of a function becomes one. slopes: [1 or c], or empty."""
        layer = self.fusible(x)
        if layer is None or layer.relu or layer.is_limited or x.has_zeros:
            return self._table(x, curve, slopes, name)
        if layer.has_gains and bool((layer.weight == layer.weight[0]).all() and (layer.bias == layer.bias[0]).all()):
            curve = curve.of_scaled(float(layer.weight[0]), float(layer.bias[0]))
            self.changed(layer, kind="table", weight=slopes, bias=slopes[:0], curve=curve)
            return x
        if layer.curve is None or (len(slopes) and len(layer.weight)):
            return self._table(x, curve, slopes, name)
        self.changed(layer, curve=curve.after(layer.curve), weight=slopes if len(slopes) else layer.weight)
        return x

    def _table(self, x: Value, curve: Curve, slopes: torch.Tensor, name: str) -> Value:
        """Slopes follow the first axis of x, so that it has to be that of the channels."""
        if len(slopes) > 1:
            x = self.output(self.placed(x, in_three(x.index), name), x)
        return self._pointwise("table", curve.name, (x,), name, weight=slopes, curve=curve)

    def concat(self, values: Sequence[Value], axis: int, name: str) -> Value:
        """One after the other along an axis, counted without the batch."""
        rank = len(values[0].shape)
        if not 0 <= axis < rank or any(len(each.shape) != rank for each in values) or (rank > _RANK and axis > 1):
            got = f"axis {axis} of {', '.join(str(list(each.shape)) for each in values)}"
            raise TargetError(f"{name} should join tensors of the same axes", got=got)
        if len(values) == 1:
            return values[0]
        axis = min(axis, 2)
        sole = all(self.fusible(each) is not None for each in values)
        parts = [self._natural(each) if rank == 1 else replace(each, index=in_three(each.index)) for each in values]
        sources = tuple(self.placed(each, each.index, name) for each in parts)
        others = [[size for number, size in enumerate(each.shape) if number != axis] for each in parts]
        if any(each != others[0] for each in others):
            got = " and ".join(str(list(each.shape)) for each in values)
            raise TargetError(f"{name} should fit its inputs", got=got)
        result = self.layer(CONCAT, CONCAT, sources, name, axes=(_AXES[axis],))
        if sole:
            self.sole_readers.add(result.source)
        if rank == 1:
            return replace(result, index=self._joined_index(values, parts))
        shape = list(values[0].shape)
        shape[axis] = sum(each.shape[axis] for each in values)
        return replace(result, index=result.index.view(shape))

    def _natural(self, x: Value) -> Value:
        """Flattened values in the order in which their layer's output is stored, which costs nothing."""
        if not self.is_rearranged(x):
            return replace(x, index=in_three(x.index))
        return replace(x, index=whole(self.shapes[x.source]).permute(1, 2, 0).reshape(-1, 1, 1))

    def _joined_index(self, values: Sequence[Value], parts: Sequence[Value]) -> torch.Tensor:
        """Where the values of flattened tensors are among those of the joined ones."""
        found, start = [], 0
        for value, part in zip(values, parts, strict=True):
            stored = part.index.flatten()
            place = torch.zeros(int(stored.max()) + 1, dtype=torch.int64)
            place[stored] = torch.arange(len(stored))
            found.append(place[value.index] + start)
            start += len(stored)
        return torch.cat(found)
