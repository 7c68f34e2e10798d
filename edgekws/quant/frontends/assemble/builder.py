"""The list of layers while it grows: names, shapes, and values that are brought into place."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from edgekws.errors import TargetError
from edgekws.features.spec import FeatureSpec
from edgekws.graph.ir import INPUT
from edgekws.graph.ops import Op
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import place
from edgekws.quant.frontends.assemble.value import Moved, Shape, Value, moved, whole

_EMPTY = torch.zeros(0)
_UNNUMBERED = ("pool", "fc")
"""Prefixes whose first layer gets no number."""
_MANY = 2
"""A batch in which clips that are mixed are noticed."""


class Builder:
    """in_shape: frames and coefficients of the input. batch: how many clips the network takes at once; 0 for any.

    Methods take the operation's name in the user's network for their TargetErrors.
    """

    def __init__(self, in_shape: tuple[int, int] | None = None, batch: int = 0) -> None:
        frames, coefficients = in_shape or FeatureSpec().shape
        self.layers: list[Layer] = []
        self.shapes: dict[str, Shape] = {INPUT: (1, frames, coefficients)}
        self.batch = batch or _MANY
        self._counts: Counter[str] = Counter()
        self._placed: dict[tuple[str, Shape, bytes], str] = {}
        self.sole_readers: set[str] = set()
        """layers that pass values on and whose inputs no other operation reads"""

    def input(self, users: int, index: torch.Tensor | None = None) -> Value:
        """The clips; index: their arrangement, [1, frames, coefficients] by default."""
        return Value(INPUT, whole(self.shapes[INPUT]) if index is None else index, users)

    def moved(self, x: Value, move: Callable[[torch.Tensor], Moved], name: str) -> list[Value]:
        """The results of an operation that only moves values; see edgekws.quant.frontends.assemble.value.moved."""
        return moved(x, move, self.batch, name)

    def layer(self, kind: Op, prefix: str, inputs: tuple[str, ...], name: str, **fields: object) -> Value:
        """Append a layer, named by its prefix and its number among the layers of that prefix.

        Raises TargetError where its weights or windows do not fit the inputs, which are names of layers.
        """
        self._counts[prefix] += 1
        number = "" if prefix in _UNNUMBERED and self._counts[prefix] == 1 else str(self._counts[prefix])
        given: Any = {"weight": _EMPTY, "bias": _EMPTY, **fields}
        layer = Layer(f"{prefix}{number}", kind, inputs, **given)
        rows, columns, channels = layer.shape_after([_rows_first(self.shapes[each]) for each in inputs])
        shape = channels, rows, columns
        if min(shape) < 1:
            expected = f"{name} should fit its input, {list(self.shapes[inputs[0]])}"
            raise TargetError(expected, got=f"a result of {list(shape)}")
        self._require_weights(layer, name)
        self.layers.append(layer)
        self.shapes[layer.name] = shape
        return Value(layer.name, whole(shape))

    def _require_weights(self, layer: Layer, name: str) -> None:
        channels, height, width = self.shapes[layer.inputs[0]]
        row = layer.operation
        if row.is_dense:
            expected, given = channels * height * width, layer.weight.shape[1]
        elif row.is_depthwise:
            expected, given = channels, len(layer.weight)
        elif row.is_convolution:
            expected, given = channels, layer.weight.shape[1]
        else:
            expected, given = channels, len(layer.weight) if len(layer.weight) > 1 else channels
        if given != expected:
            got = f"weights for {given} inputs, of which there are {expected}"
            raise TargetError(f"{name} should fit its input", got=got)

    def placed(self, x: Value, index: torch.Tensor, name: str) -> str:
        """The layer whose output [c, h, w] is `index`, [c, h, w] of positions in the source of x; new where needed.

        Raises TargetError for zeros among them, and for an arrangement that no slice, transposition or reshape gives.
        """
        shape = self.shapes[x.source]
        if tuple(index.shape) == shape and torch.equal(index, whole(shape)):
            return x.source
        key = x.source, (index.shape[0], index.shape[1], index.shape[2]), index.numpy().tobytes()
        if key not in self._placed:
            self._placed[key] = self._place(x, index, name)
        return self._placed[key]

    def _place(self, x: Value, index: torch.Tensor, name: str) -> str:
        if bool((index < 0).any()):
            expected = f"{name}: only convolutions and pools may follow zero padding of rows and columns"
            raise TargetError(expected, got="zeros among the values that it reads")
        found = place.steps(index, self.shapes[x.source])
        if found is None:
            expected = f"{name} should read what slices, transpositions and reshapes make of a tensor"
            raise TargetError(expected, got=f"another arrangement, {list(index.shape)} of {x.source}")
        sole, source = self.fusible(x) is not None, x.source
        for step in found:
            new = self.layer(step.kind, step.prefix, (source,), name, **step.fields)
            if sole:
                self.sole_readers.add(new.source)
            source = new.source
        return source

    def output(self, source: str, like: Value) -> Value:
        """All of a layer's output, in the shape of `like`."""
        return Value(source, whole(self.shapes[source]).view(like.shape), like.users)

    def is_rearranged(self, x: Value) -> bool:
        """Whether x has each value of its source once."""
        count = x.index.numel()
        same = count == math.prod(self.shapes[x.source])
        return same and bool(torch.equal(x.index.flatten().sort().values, torch.arange(count)))

    def fusible(self, x: Value) -> Layer | None:
        """The layer that made `x`, if nothing else reads it, so that the next operation can be fused into it."""
        layer = self.made(x.source) if x.users == 1 else None
        return None if layer is None or layer.body else layer

    def made(self, name: str) -> Layer | None:
        """The layer of this name; None for the input."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def changed(self, layer: Layer, **changes: object) -> None:
        """Replace a layer by itself with these fields."""
        numbers = {each.name: number for number, each in enumerate(self.layers)}
        self.layers[numbers[layer.name]] = replace(layer, **changes)  # type: ignore[arg-type]


def _rows_first(shape: Shape) -> Shape:
    channels, rows, columns = shape
    return rows, columns, channels
