"""Operations in their order of execution -> float layers: the fusion, names and checks that the front ends share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgekws.errors import TargetError
from edgekws.graph.ops import OPS, Op
from edgekws.quant.curves import Curve
from edgekws.quant.float_layers import Layer

Sides = tuple[int, int, int, int]
"""Rows and columns of zeros: (top, bottom, left, right)."""
NO_PAD: Sides = (0, 0, 0, 0)
_MAX_PAD = 1 << 12
_EMPTY = torch.zeros(0)
_UNNUMBERED = ("pool", "fc")
"""Prefixes whose first layer gets no number."""


@dataclass(frozen=True)
class Value:
    """A tensor of the network: the output of a layer or the input, with changes that are still to be applied.

    pad: zeros to be added by the next convolution. flat: whether it is flattened to [n, c].
    users: number of operations that read the layer's output.
    """

    source: str
    pad: Sides = NO_PAD
    flat: bool = False
    users: int = 1

    def padded(self, sides: Sides, name: str) -> Value:
        """With zeros around it, in addition to those of `pad`. Raises TargetError for a flattened tensor."""
        if self.flat:
            raise TargetError(f"{name} should pad before the flattening", got="a flattened tensor")
        return replace(self, pad=_sum(self.pad, sides, name))


class Assembler:
    """Builds the list of layers. Methods take the operation's name in the user's network for their TargetErrors."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._counts: Counter[str] = Counter()
        self._sole_readers: set[str] = set()
        """max_pool layers whose input no other operation reads"""

    def conv(
        self, x: Value, weight: torch.Tensor, bias: torch.Tensor | None, stride: tuple[int, int], pad: Sides,
        groups: int, name: str,
    ) -> Value:  # fmt: skip
        """weight: [c_out, c_in / groups, k_h, k_w]."""
        depthwise = groups == len(weight) > 1 and weight.shape[1] == 1
        if groups != 1 and not depthwise:
            got = f"{groups} groups, {len(weight)} outputs"
            raise TargetError(f"{name} should have 1 group or be depthwise, a filter for each channel", got=got)
        prefix = "dw" if depthwise else "pw" if tuple(weight.shape[2:]) == (1, 1) else "conv"
        fields = {"weight": weight, "bias": _bias(bias, weight), "stride": stride, "pad": _sum(x.pad, pad, name)}
        return self._layer(_convolution(depthwise), prefix, (x,), name, **fields)

    def linear(self, x: Value, weight: torch.Tensor, bias: torch.Tensor | None, name: str) -> Value:
        """weight: [c_out, n]."""
        if not x.flat:
            raise TargetError(f"{name} should follow a flattening", got="a linear layer over the last axis")
        return self._layer("linear", "fc", (x,), name, weight=weight, bias=_bias(bias, weight))

    def normalize(self, x: Value, gain: torch.Tensor, shift: torch.Tensor, name: str) -> Value:
        """x * gain + shift, each [c]: folded into the layer before it, else (on the input, say) a `scale` layer."""
        layer = self._fusible(x)
        if layer is None or layer.relu or not layer.operation.is_weighted or layer.operation.is_dense != x.flat:
            return self._layer("scale", "scale", (x,), name, weight=gain, bias=shift)
        weight = layer.weight * gain.view(-1, *([1] * (layer.weight.ndim - 1)))
        return self._replace(x, layer, weight=weight, bias=layer.bias * gain + shift)

    def relu(self, x: Value, name: str) -> Value:
        """Fused into the layer before it, also across max pools: relu(max(x)) is max(relu(x)).

        The layer before the pool then uses all of its 256 output steps.
        """
        layer = self._fusible(x)
        if layer is None:
            expected = f"{name} should follow a layer whose output nothing else reads"
            raise TargetError(
                expected, got=f"a ReLU after {x.source}", hint="let the other reader take the ReLU's output"
            )
        while layer.name in self._sole_readers:
            layer = next(earlier for earlier in self.layers if earlier.name == layer.inputs[0])
        self._replace(x, layer, relu=True)
        return replace(x, users=1)

    def max_pool(self, x: Value, window: tuple[int, int], stride: tuple[int, int], name: str) -> Value:
        sole_reader = self._fusible(x) is not None
        pooled = self._layer("max_pool", "max", (x,), name, window=window, stride=stride)
        if sole_reader:
            self._sole_readers.add(pooled.source)
        return pooled

    def mean(self, x: Value, name: str, keep: bool) -> Value:
        """Mean over all positions. keep: whether the two axes stay, with size 1."""
        return replace(self._layer("global_sum_pool", "pool", (x,), name), flat=not keep)

    def add(self, x: Value, y: Value, name: str) -> Value:
        return self._layer("add", "add", (x, y), name)

    def mul(self, x: Value, y: Value, name: str) -> Value:
        """The product; one of them may be 1 high, wide or deep. x times a function of x is one function of x."""
        for other, gate in ((x, y), (y, x)):
            layer = self._fusible(gate)
            if layer is not None and layer.curve is not None and layer.inputs == (other.source,) and not layer.relu:
                self.layers = [each for each in self.layers if each is not layer]
                return self.curve(other, layer.curve.times_input(), layer.weight, name)
        return self._layer("mul", "mul", (x, y), name)

    def curve(self, x: Value, curve: Curve, slopes: torch.Tensor, name: str) -> Value:
        """A function of each value; a function of a function becomes one. slopes: [1 or c], or empty."""
        layer = self._fusible(x)
        if layer is None or layer.curve is None or layer.relu or (len(slopes) and len(layer.weight)):
            return self._layer("table", curve.name, (x,), name, weight=slopes, curve=curve)
        slopes = slopes if len(slopes) else layer.weight
        return self._replace(x, layer, curve=curve.after(layer.curve), weight=slopes)

    def finished(self, output: Value | None, got: str) -> list[Layer]:
        """The layers. Raises TargetError unless the network returns the output of the last one."""
        if output is None or not self.layers or output.source != self.layers[-1].name or output.pad != NO_PAD:
            raise TargetError("the network should return the tensor of its last layer", got=got)
        return self.layers

    def _layer(self, kind: Op, prefix: str, inputs: tuple[Value, ...], name: str, **fields: object) -> Value:
        """Append a layer, named by its prefix and its number among the layers of that prefix."""
        operation = OPS[kind]
        if not operation.is_convolution and any(x.pad != NO_PAD for x in inputs):
            raise TargetError(f"{name}: only convolutions may follow zero padding", got=kind)
        if not (operation.is_dense or operation.is_table or operation.input_count > 1) and any(x.flat for x in inputs):
            raise TargetError(f"{name}: only linear layers and additions may follow a flattening", got=kind)
        if len({x.flat for x in inputs}) > 1:
            raise TargetError(f"{name} should add tensors of one shape", got="only one of them is flattened")
        self._counts[prefix] += 1
        number = "" if prefix in _UNNUMBERED and self._counts[prefix] == 1 else str(self._counts[prefix])
        given: Any = {"weight": _EMPTY, "bias": _EMPTY, **fields}
        self.layers.append(Layer(f"{prefix}{number}", kind, tuple(x.source for x in inputs), **given))
        return Value(self.layers[-1].name, flat=operation.is_dense or inputs[0].flat)

    def _fusible(self, x: Value) -> Layer | None:
        """The layer that made `x`, if nothing else reads it, so that the next operation can be fused into it."""
        makers = [layer for layer in self.layers if layer.name == x.source]
        return makers[0] if makers and x.users == 1 and x.pad == NO_PAD else None

    def _replace(self, x: Value, layer: Layer, **changes: object) -> Value:
        numbers = {each.name: number for number, each in enumerate(self.layers)}
        self.layers[numbers[layer.name]] = replace(layer, **changes)  # type: ignore[arg-type]
        return replace(x, users=1)


def as_convolution(layer: Layer) -> Layer:
    """A layer of gains as a 1x1 depthwise convolution."""
    return replace(layer, kind=_convolution(len(layer.weight) > 1), weight=layer.weight.view(-1, 1, 1, 1))


def _convolution(depthwise: bool) -> Op:
    return "depthwise_conv2d" if depthwise else "conv2d"


def float32(values: torch.Tensor) -> torch.Tensor:
    """A copy that training the original does not change."""
    return values.detach().to("cpu", torch.float32, copy=True)


def batch_norm(
    gain: torch.Tensor | None, shift: torch.Tensor | None, mean: torch.Tensor, variance: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The (gain, shift) of a normalization by running statistics; all [c]."""
    factor = torch.ones_like(variance) if gain is None else gain
    factor = factor / torch.sqrt(variance + eps)
    return factor, (torch.zeros_like(mean) if shift is None else shift) - mean * factor


def _bias(bias: torch.Tensor | None, weight: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(weight)) if bias is None else bias


def _sum(first: Sides, second: Sides, name: str) -> Sides:
    if min(second) < 0 or max(second) > _MAX_PAD:
        raise TargetError(f"{name} should pad by 0..{_MAX_PAD}", got=f"{second}")
    top, bottom, left, right = (a + b for a, b in zip(first, second, strict=True))
    return top, bottom, left, right
